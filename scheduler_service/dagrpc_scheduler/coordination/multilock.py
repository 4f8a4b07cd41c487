"""Several locks taken at once.

A request stands in the lines of all its locks from the moment that it comes, so requests are served in order and
cannot block each other for ever. It is granted as soon as it is the first in enough of the lines; it keeps those, as
the holder, and leaves the others.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeAlias

from dagrpc_scheduler.coordination.operations import AcquireLocks, ReleaseLocks
from dagrpc_scheduler.coordination.wait_queue import Desk, Request


class Hold:
    """A request for several locks, or what came of it."""

    __slots__ = ("_all", "count", "granted", "names", "request")

    def __init__(self, all_locks: MultiLocks, request: Request, names: dict[str, None], count: int) -> None:
        self._all = all_locks
        self.request = request
        self.names = names
        """The locks whose lines it stands in."""
        self.count = count
        """How many are enough."""
        self.granted = False

    def leave(self, request: Request) -> None:
        """Have the request wait no longer."""
        self._all.give_up(self)


_Line: TypeAlias = "OrderedDict[Hold, None]"


class MultiLocks:
    """All locks that are taken several at once."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lines: dict[str, _Line] = {}
        """By name. The first holds the lock if it is granted."""
        self._granted: dict[str, dict[int, Hold]] = {}
        """By client, by the number of the request."""

    # --- operations ----------------------------------------------------------------------------------------------

    def acquire(self, request: Request, operation: AcquireLocks) -> None:
        """Grant locks, now or later."""
        hold = Hold(self, request, dict.fromkeys(operation.names), operation.count)
        for name in hold.names:
            self._lines.setdefault(name, OrderedDict())[hold] = None
        if self._is_due(hold):
            self._settle([hold])
        elif self._desk.may_wait(request):
            self._desk.wait(request, hold)
        else:
            self.give_up(hold)

    def release(self, request: Request, operation: ReleaseLocks) -> None:
        """Take locks back."""
        hold = self._granted.get(request.client, {}).get(operation.lease)
        self._desk.answer(request, hold is not None)
        if hold is not None:
            self._release(hold)

    def client_gone(self, client: str) -> None:
        """Take back what a client holds."""
        for hold in list(self._granted.get(client, {}).values()):
            self._release(hold)

    # --- lines ---------------------------------------------------------------------------------------------------

    def _first(self, name: str) -> Hold:
        return next(iter(self._lines[name]))

    def _is_due(self, hold: Hold) -> bool:
        return sum(self._first(name) is hold for name in hold.names) >= hold.count

    def _leave(self, hold: Hold, name: str) -> Hold | None:
        """Have a request leave a line. Return whose turn it is then, if it was its turn before."""
        line = self._lines[name]
        was_first = next(iter(line)) is hold
        del line[hold]
        del hold.names[name]
        if not line:
            del self._lines[name]
            return None
        return self._first(name) if was_first else None

    def _settle(self, candidates: list[Hold]) -> None:
        """Grant the requests whose turn it is."""
        while candidates:
            hold = candidates.pop(0)
            if hold.granted or not self._is_due(hold):
                continue
            hold.granted = True
            request = hold.request
            self._granted.setdefault(request.client, {})[request.number] = hold
            self._desk.answer(request)
            kept = [name for name in hold.names if self._first(name) is hold][: hold.count]
            for name in [name for name in hold.names if name not in kept]:
                following = self._leave(hold, name)
                if following is not None:
                    candidates.append(following)

    def give_up(self, hold: Hold) -> None:
        """Have a request, or what came of it, leave all lines."""
        following = [self._leave(hold, name) for name in list(hold.names)]
        self._settle([other for other in following if other is not None])

    def _release(self, hold: Hold) -> None:
        of_client = self._granted[hold.request.client]
        del of_client[hold.request.number]
        if not of_client:
            del self._granted[hold.request.client]
        self.give_up(hold)

    @property
    def lines(self) -> dict[str, _Line]:
        """The lines by name, for whoever looks from outside."""
        return self._lines
