"""Requests of coordination primitives: one message to the scheduler and one answer, matched by a number."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from dagrpc._client.commands import Want
from dagrpc._client.key_table import KeyState, lock
from dagrpc._client.session_port import SessionPort
from dagrpc._client.waiting import Gate
from dagrpc._common.keys import decode_key
from dagrpc.v1 import coordination_pb2 as pb

_RENEWALS = 3
"""Renewals of a lease in the time for which one renewal holds."""


class Request:
    """One request; as a pause of an operation its outcome is the answer.

    The scheduler has to answer within `timeout` seconds, if given. A lease is acquired for `owner`, and renewed as long
    as this object lives. `undo` is called with the request if the answer comes when nothing waits for it any more; it
    returns the messages that undo the request.
    """

    __slots__ = (
        "_coordination",
        "_gate",
        "_timeout",
        "_undo",
        "answer",
        "error",
        "message",
        "number",
        "owner",
        "states",
        "withdrawn",
    )

    def __init__(
        self,
        coordination: CoordinationClient,
        message: pb.Coordinate,
        *,
        timeout: float | None = None,
        owner: object = None,
        undo: Callable[[Request], Sequence[pb.Coordinate]] | None = None,
    ) -> None:
        self.message = message
        self.number = 0
        self.answer: pb.Coordinated | None = None
        self.error: BaseException | None = None
        self.states: list[KeyState] = []
        """The futures among the values of the answer, each with a reference that the caller has to release."""
        self.owner = owner
        self.withdrawn = False
        self._gate = Gate()
        self._coordination = coordination
        self._timeout = timeout
        self._undo = undo

    def block(self) -> pb.Coordinated:
        """Send the request and wait for the answer in the calling thread."""
        gate = self._gate
        gate.prepare_to_block()
        try:
            self._coordination.send(self)
            if not gate.block(self._timeout):
                raise TimeoutError(f"The scheduler did not answer within {self._timeout:g} s")
        # KeyboardInterrupt included: a request that nothing waits for must not be granted.
        except BaseException:
            self._coordination.withdraw(self)
            raise
        return self._outcome()

    async def suspend(self) -> pb.Coordinated:
        """Send the request and wait for the answer on the running event loop."""
        gate = self._gate
        gate.prepare_to_suspend()
        try:
            self._coordination.send(self)
            if not await gate.suspend(self._timeout):
                raise TimeoutError(f"The scheduler did not answer within {self._timeout:g} s")
        except BaseException:
            self._coordination.withdraw(self)
            raise
        return self._outcome()

    def _outcome(self) -> pb.Coordinated:
        if self.error is not None:
            raise self.error
        assert self.answer is not None
        return self.answer

    def resolve(self, answer: pb.Coordinated | None, error: BaseException | None) -> None:
        """Wake the waiting caller with an answer or an error."""
        self.answer, self.error = answer, error
        self._gate.open()

    def undoing(self) -> Sequence[pb.Coordinate]:
        """Return the messages that undo the answered request."""
        done = self.answer is not None and self.answer.done
        return self._undo(self) if done and self._undo is not None else ()


def _keys(value: pb.CoordinatedValue) -> Sequence[str]:
    """Return the keys of the futures in a value."""
    return (value.future,) if value.HasField("future") else value.keys


class CoordinationClient:
    """The requests of a client."""

    def __init__(self, session: SessionPort) -> None:
        self._session = session
        self._requests: dict[int, Request] = {}
        """Requests without an answer, by number. The lock guards all attributes."""
        self._last = 0
        self._held: dict[int, weakref.ref[Any]] = {}
        """Owners of leases by the numbers of their requests."""
        self._renewal: asyncio.TimerHandle | None = None

    # --- from any thread -----------------------------------------------------------------------------------------

    def send(self, request: Request) -> None:
        """Send a request.

        Raises
        ------
        ClosedClientError
            If the client is closed.
        """
        with lock:
            self._session.check_open()
            # Numbered and queued under one lock: the scheduler expects ascending numbers.
            self._last += 1
            request.number = request.message.request = self._last
            self._requests[request.number] = request
            self._session.send(request.message)

    def tell(self, message: pb.Coordinate) -> None:
        """Send a request without waiting for the answer."""
        self.send(Request(self, message))

    def withdraw(self, request: Request) -> None:
        """Give up a request, and undo it if it was granted or is being granted."""
        with lock:
            if not request.number or request.withdrawn or self._session.status in ("closing", "closed"):
                return
            request.withdrawn = True
            if request.number in self._requests:
                # The request is undone when its answer comes.
                self._session.send(pb.Coordinate(withdraw=pb.WithdrawRequest(request=request.number)))
                return
            self._undo(request)
            for state in request.states:
                self._session.send(state)

    def release(self, lease: int) -> None:
        """Stop renewing a lease."""
        with lock:
            self._held.pop(lease, None)

    def _undo(self, request: Request) -> None:
        self._held.pop(request.number, None)
        for message in request.undoing():
            self.tell(message)

    # --- on the loop ---------------------------------------------------------------------------------------------

    def answered(self, answer: pb.Coordinated) -> None:
        """Take an answer. Called under the lock."""
        request = self._requests.pop(answer.request, None)
        if request is None:
            return
        request.answer = answer
        # The keys of the futures among the values.
        keys = [key for value in answer.values for key in _keys(value)]
        if request.withdrawn:
            if self._session.lives:
                self._undo(request)
        else:
            self._hold(request, keys)
            if answer.lease_seconds and request.owner is not None:
                self._held[request.number] = weakref.ref(request.owner)
                self._schedule_renewal(answer.lease_seconds)
        if keys:
            self._session.send(pb.Coordinate(took=pb.TookValues(request=request.number)))
        request.resolve(answer, None)

    def _hold(self, request: Request, keys: Sequence[str]) -> None:
        for key in keys:
            state, is_new = self._session.table.create(decode_key(key), key)
            if is_new:
                self._session.send(Want([key]))
            request.states.append(state)

    def _schedule_renewal(self, lease_seconds: float) -> None:
        if self._renewal is None:
            delay = lease_seconds / _RENEWALS
            self._renewal = self._session.loop.loop.call_later(delay, self._renew, lease_seconds)

    def _renew(self, lease_seconds: float) -> None:
        with lock:
            self._renewal = None
            self._held = {number: owner for number, owner in self._held.items() if owner() is not None}
            if self._held and self._session.lives:
                self._session.send(pb.Coordinate(renew_leases=pb.RenewLeases(leases=list(self._held))))
                self._schedule_renewal(lease_seconds)

    def end(self, error: BaseException) -> None:
        """Fail all requests, since the session ends."""
        with lock:
            requests, self._requests = self._requests, {}
            for request in requests.values():
                request.resolve(None, error)
            self._held.clear()
            if self._renewal is not None:
                self._renewal.cancel()
                self._renewal = None
