"""The common part of all primitives: the time, waiting requests, answers, and the results that values hold."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeAlias

from dagrpc_scheduler.coordination.operations import Answer, Outcome, Value
from dagrpc_scheduler.core.events import ClientAdded, ClientRemoved, KeysReleased, KeysWanted

_STIMULUS = "coordination"
_FEW = 64


class Request:
    """A client's operation that will be answered.

    `number` identifies the request among those of its client; `deadline` is when its wait ends; None: never.
    """

    __slots__ = ("client", "deadline", "number", "place")

    def __init__(self, client: str, number: int, deadline: float | None) -> None:
        self.client = client
        self.number = number
        self.deadline = deadline
        self.place: Waitable | None = None
        """The object at which the request waits; None: it does not wait."""

    @property
    def lease(self) -> tuple[str, int]:
        """Identifies the lease that the request acquires."""
        return self.client, self.number


Line: TypeAlias = "OrderedDict[Request, None]"
"""Requests in order of arrival."""


class Waitable(Protocol):
    """An object at which requests wait."""

    def leave(self, request: Request) -> None:
        """Remove a waiting request without an answer."""


class WaitQueue:
    """Keeps the waiting requests of all primitives, and collects their answers.

    `lease_timeout` is the number of seconds that a lease is held without renewal; None: as long as its client is there.
    """

    def __init__(self, lease_timeout: float | None) -> None:
        self.lease_timeout = lease_timeout
        self.now = 0.0
        self.outcomes: list[Outcome] = []
        self._waiting: dict[str, dict[int, Request]] = {}
        """Waiting requests by client and number."""
        self._deadlines: list[tuple[float, int, Request]] = []
        """A heap. Requests that no longer wait stay in it until their deadline, or until there are too many of them."""
        self._timed = 0
        """Number of waiting requests with a deadline."""
        self._sequence = 0
        self._held: dict[str, dict[str, int]] = {}
        """By holder and key: how many values refer to the key."""
        self._unacknowledged: dict[str, dict[int, list[tuple[str, Sequence[str]]]]] = {}
        """By client and request: holders and keys of answers whose futures the client does not hold yet."""

    # --- answers -------------------------------------------------------------------------------------------------

    def answer(
        self,
        request: Request,
        done: bool = True,
        *,
        number: int = 0,
        values: Sequence[Value] = (),
        lease_seconds: float = 0.0,
        names: Sequence[str] = (),
        result: Any = None,
    ) -> None:
        """Answer a request, which no longer waits."""
        if request.place is not None:
            self._forget(request)
        self.outcomes.append(
            Answer(request.client, request.number, done, number, values, lease_seconds, names=names, result=result)
        )

    def refuse(self, request: Request, refusal: str, message: str, names: Sequence[str] = ()) -> None:
        """Answer that an operation is invalid."""
        if request.place is not None:
            self._forget(request)
        self.outcomes.append(
            Answer(request.client, request.number, False, refusal=refusal, message=message, names=names)
        )

    # --- waiting -------------------------------------------------------------------------------------------------

    def may_wait(self, request: Request) -> bool:
        """Tell whether a request may wait; if its time is up, answer that it did not succeed."""
        if request.deadline is not None and request.deadline <= self.now:
            self.answer(request, False)
            return False
        return True

    def wait(self, request: Request, place: Waitable) -> None:
        """Record that a request waits at an object."""
        request.place = place
        self._waiting.setdefault(request.client, {})[request.number] = request
        if request.deadline is not None:
            self._timed += 1
            self._sequence += 1
            heapq.heappush(self._deadlines, (request.deadline, self._sequence, request))
            if len(self._deadlines) > _FEW + 2 * self._timed:
                self._deadlines = [entry for entry in self._deadlines if entry[2].place is not None]
                heapq.heapify(self._deadlines)

    def _forget(self, request: Request) -> None:
        request.place = None
        if request.deadline is not None:
            self._timed -= 1
        waiting = self._waiting[request.client]
        del waiting[request.number]
        if not waiting:
            del self._waiting[request.client]

    def cancel(self, client: str, number: int) -> None:
        """Cancel a waiting request and answer that it did not succeed. Requests that do not wait are left alone."""
        request = self._waiting.get(client, {}).get(number)
        if request is not None:
            self._leave(request)
            self.answer(request, False)

    def _leave(self, request: Request) -> None:
        place = request.place
        assert place is not None
        self._forget(request)
        place.leave(request)

    def cancel_all(self, client: str) -> None:
        """Cancel all waiting requests of a client without an answer."""
        # The latest request comes first: what it had received goes to the next one, which must not be the same
        # client's.
        for request in reversed(list(self._waiting.get(client, {}).values())):
            # A request that left may have caused an answer to this one.
            if request.place is not None:
                self._leave(request)

    def time_out(self) -> None:
        """Answer the requests whose time is up."""
        while self._deadlines and self._deadlines[0][0] <= self.now:
            request = heapq.heappop(self._deadlines)[2]
            if request.place is not None:
                self._leave(request)
                self.answer(request, False)

    def next_deadline(self) -> float | None:
        """Return when `time_out` must be called, or a little earlier; None: never."""
        while self._deadlines and self._deadlines[0][2].place is None:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    # --- held results --------------------------------------------------------------------------------------------

    def hold_keys(self, holder: str, keys: Iterable[str]) -> None:
        """Hold the results of keys in the name of a holder, which the core sees as a client."""
        held = self._held.get(holder)
        if held is None:
            held = self._held[holder] = {}
            self.outcomes.append(ClientAdded(holder))
        keys = list(keys)
        for key in keys:
            held[key] = held.get(key, 0) + 1
        # Keys that are held already are repeated: they may have been cancelled, and name new tasks now.
        self.outcomes.append(KeysWanted(holder, keys, _STIMULUS))

    def release_keys(self, holder: str, keys: Iterable[str]) -> None:
        """Undo `hold_keys`."""
        held = self._held[holder]
        released = []
        for key in keys:
            held[key] -= 1
            if not held[key]:
                del held[key]
                released.append(key)
        if not held:
            del self._held[holder]
            self.outcomes.append(ClientRemoved(holder, _STIMULUS))
        elif released:
            self.outcomes.append(KeysReleased(holder, released, _STIMULUS))

    def hold_until_acknowledged(self, request: Request, holder: str, values: Sequence[Value]) -> None:
        """Hold the results that an answer refers to until its client holds them itself."""
        keys = [key for value in values for key in value.keys]
        if keys:
            self._unacknowledged.setdefault(request.client, {}).setdefault(request.number, []).append((holder, keys))

    def acknowledge(self, client: str, number: int) -> None:
        """Release the results of an answer whose futures the client holds itself."""
        answers = self._unacknowledged.get(client, {})
        if number in answers:
            held = answers.pop(number)
            if not answers:
                del self._unacknowledged[client]
            for holder, keys in held:
                self.release_keys(holder, keys)

    def acknowledge_all(self, client: str) -> None:
        """Release the results of all answers to a client that is gone."""
        for held in self._unacknowledged.pop(client, {}).values():
            for holder, keys in held:
                self.release_keys(holder, keys)

    # --- for tests -----------------------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether no request waits and no result is held."""
        return not (self._waiting or self._held or self._unacknowledged or self._timed)
