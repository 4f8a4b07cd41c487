"""Several locks taken at once.

A request stands in the lines of all its locks from the moment that it comes, so requests are served in order and
cannot block each other for ever. It is granted as soon as it is the first in enough of the lines; it keeps those, as
the holder, and leaves the others.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeAlias

from dagrpc_scheduler.coordination.operations import AcquireLocks, ReleaseLocks
from dagrpc_scheduler.coordination.wait_queue import Request, WaitQueue


class LockRequest:
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
        self._all.leave_lines(self)


_Line: TypeAlias = "OrderedDict[LockRequest, None]"


class MultiLocks:
    """All locks that are taken several at once."""

    def __init__(self, wait_queue: WaitQueue) -> None:
        self._wait_queue = wait_queue
        self._lines: dict[str, _Line] = {}
        """By name. The first holds the lock if it is granted."""
        self._granted: dict[str, dict[int, LockRequest]] = {}
        """By client, by the number of the request."""

    # --- operations ----------------------------------------------------------------------------------------------

    def acquire(self, request: Request, operation: AcquireLocks) -> None:
        """Grant locks, now or later."""
        lock_request = LockRequest(self, request, dict.fromkeys(operation.names), operation.count)
        for name in lock_request.names:
            self._lines.setdefault(name, OrderedDict())[lock_request] = None
        if self._is_due(lock_request):
            self._grant_due([lock_request])
        elif self._wait_queue.may_wait(request):
            self._wait_queue.wait(request, lock_request)
        else:
            self.leave_lines(lock_request)

    def release(self, request: Request, operation: ReleaseLocks) -> None:
        """Take locks back."""
        lock_request = self._granted.get(request.client, {}).get(operation.lease)
        self._wait_queue.answer(request, lock_request is not None)
        if lock_request is not None:
            self._release(lock_request)

    def client_gone(self, client: str) -> None:
        """Take back what a client holds."""
        for lock_request in list(self._granted.get(client, {}).values()):
            self._release(lock_request)

    # --- lines ---------------------------------------------------------------------------------------------------

    def _first(self, name: str) -> LockRequest:
        return next(iter(self._lines[name]))

    def _is_due(self, lock_request: LockRequest) -> bool:
        return sum(self._first(name) is lock_request for name in lock_request.names) >= lock_request.count

    def _leave(self, lock_request: LockRequest, name: str) -> LockRequest | None:
        """Have a request leave a line. Return whose turn it is then, if it was its turn before."""
        line = self._lines[name]
        was_first = next(iter(line)) is lock_request
        del line[lock_request]
        del lock_request.names[name]
        if not line:
            del self._lines[name]
            return None
        return self._first(name) if was_first else None

    def _grant_due(self, candidates: list[LockRequest]) -> None:
        """Grant the requests whose turn it is."""
        while candidates:
            lock_request = candidates.pop(0)
            if lock_request.granted or not self._is_due(lock_request):
                continue
            lock_request.granted = True
            request = lock_request.request
            self._granted.setdefault(request.client, {})[request.number] = lock_request
            self._wait_queue.answer(request)
            kept = [name for name in lock_request.names if self._first(name) is lock_request][: lock_request.count]
            for name in [name for name in lock_request.names if name not in kept]:
                following = self._leave(lock_request, name)
                if following is not None:
                    candidates.append(following)

    def leave_lines(self, lock_request: LockRequest) -> None:
        """Have a request, or what came of it, leave all lines."""
        following = [self._leave(lock_request, name) for name in list(lock_request.names)]
        self._grant_due([other for other in following if other is not None])

    def _release(self, lock_request: LockRequest) -> None:
        of_client = self._granted[lock_request.request.client]
        del of_client[lock_request.request.number]
        if not of_client:
            del self._granted[lock_request.request.client]
        self.leave_lines(lock_request)

    @property
    def lines(self) -> dict[str, _Line]:
        """The lines by name, for whoever looks from outside."""
        return self._lines
