"""What all primitives share: the time, the answers, who waits, and which results are held."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias

from dagrpc_scheduler.coordination.operations import Answer, Outcome, Value
from dagrpc_scheduler.core.events import ClientAdded, ClientRemoved, KeysReleased, KeysWanted

_STIMULUS = "coordination"
_FEW = 64


class Request:
    """An operation that was asked for.

    Parameters
    ----------
    client : str
        By whom.
    number : int
        Its name among the client's requests.
    deadline : float or None
        Until when it may wait; None: for ever.
    """

    __slots__ = ("client", "deadline", "number", "place")

    def __init__(self, client: str, number: int, deadline: float | None) -> None:
        self.client = client
        self.number = number
        self.deadline = deadline
        self.place: Waitable | None = None
        """Where it waits; None if it does not."""

    @property
    def lease(self) -> tuple[str, int]:
        """Name of what the request acquires."""
        return self.client, self.number


Line: TypeAlias = "OrderedDict[Request, None]"
"""Requests in the order in which they came."""


class Waitable(Protocol):
    """Something that requests wait at."""

    def leave(self, request: Request) -> None:
        """Have a request wait no longer, without an answer."""


class WaitQueue:
    """Takes requests and gives answers.

    Parameters
    ----------
    lease_timeout : float or None
        How long a lease holds unless it is renewed; None: as long as its client.
    """

    def __init__(self, lease_timeout: float | None) -> None:
        self.lease_timeout = lease_timeout
        self.now = 0.0
        self.outcomes: list[Outcome] = []
        self._waiting: dict[str, dict[int, Request]] = {}
        """By client, by number."""
        self._deadlines: list[tuple[float, int, Request]] = []
        """A heap. A request that waits no longer stays in it until its time has come, or there are too many such."""
        self._timed = 0
        """How many requests with a deadline wait."""
        self._sequence = 0
        self._held: dict[str, dict[str, int]] = {}
        """By holder, by key: how many values want it."""
        self._unacknowledged: dict[str, dict[int, list[tuple[str, Sequence[str]]]]] = {}
        """By client, by request: holders and keys of an answer whose futures the client does not hold yet."""

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
    ) -> None:
        """Answer a request; it waits no longer."""
        if request.place is not None:
            self._forget(request)
        self.outcomes.append(Answer(request.client, request.number, done, number, values, lease_seconds, names=names))

    def refuse(self, request: Request, refusal: str, message: str, names: Sequence[str] = ()) -> None:
        """Answer that an operation makes no sense."""
        if request.place is not None:
            self._forget(request)
        self.outcomes.append(
            Answer(request.client, request.number, False, refusal=refusal, message=message, names=names)
        )

    # --- waiting -------------------------------------------------------------------------------------------------

    def may_wait(self, request: Request) -> bool:
        """Return whether a request may wait; otherwise it is answered: not done."""
        if request.deadline is not None and request.deadline <= self.now:
            self.answer(request, False)
            return False
        return True

    def wait(self, request: Request, place: Waitable) -> None:
        """Note that a request waits."""
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
        """Have a request wait no longer, and answer it: not done. One that was answered is left alone."""
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
        """Have no request of a client wait any longer."""
        # The last first: what one had been given goes to the next, and that must not be the client's.
        for request in reversed(list(self._waiting.get(client, {}).values())):
            # Another's leaving may have had it answered.
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
        """Return when `time_out` has something to do, or a little earlier; None means never."""
        while self._deadlines and self._deadlines[0][2].place is None:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    # --- results that are held -----------------------------------------------------------------------------------

    def hold_keys(self, holder: str, keys: Iterable[str]) -> None:
        """Have results held, in the name of a holder that is like a client to the core."""
        held = self._held.get(holder)
        if held is None:
            held = self._held[holder] = {}
            self.outcomes.append(ClientAdded(holder))
        keys = list(keys)
        for key in keys:
            held[key] = held.get(key, 0) + 1
        # Also what it holds already: that may have been cancelled, and be another task now.
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
        """Keep the results that the values of an answer refer to held until its client holds them itself."""
        keys = [key for value in values for key in value.keys]
        if keys:
            self._unacknowledged.setdefault(request.client, {}).setdefault(request.number, []).append((holder, keys))

    def acknowledge(self, client: str, number: int) -> None:
        """Note that a client holds the futures of an answer itself."""
        answers = self._unacknowledged.get(client, {})
        if number in answers:
            held = answers.pop(number)
            if not answers:
                del self._unacknowledged[client]
            for holder, keys in held:
                self.release_keys(holder, keys)

    def acknowledge_all(self, client: str) -> None:
        """Note that a client will hold nothing any more."""
        for held in self._unacknowledged.pop(client, {}).values():
            for holder, keys in held:
                self.release_keys(holder, keys)

    # --- for tests -----------------------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether nobody waits and nothing is held."""
        return not (self._waiting or self._held or self._unacknowledged or self._timed)
