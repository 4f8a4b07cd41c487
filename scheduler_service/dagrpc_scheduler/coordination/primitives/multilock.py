"""Several locks acquired at once.

A request joins the lines of all its locks on arrival, so that requests are served in order and cannot deadlock. It is
granted as soon as it is the first in enough of these lines; it then holds the locks of these lines and leaves the
others.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeAlias

from dagrpc_scheduler.coordination.operations import AcquireLocks, ReleaseLocks
from dagrpc_scheduler.coordination.primitive import Primitive, handles
from dagrpc_scheduler.coordination.wait_queue import Request, WaitQueue


class LockRequest:
    """A request for several locks, waiting or granted."""

    __slots__ = ("_all", "count", "granted", "names", "request")

    def __init__(self, all_locks: MultiLocks, request: Request, names: dict[str, None], count: int) -> None:
        self._all = all_locks
        self.request = request
        self.names = names
        """The locks in whose lines the request stands."""
        self.count = count
        """The number of locks that are enough."""
        self.granted = False

    def leave(self, request: Request) -> None:
        """Remove the waiting request."""
        self._all.leave_lines(self)


_Line: TypeAlias = "OrderedDict[LockRequest, None]"


class MultiLocks(Primitive):
    """All locks that are acquired several at once."""

    def __init__(self, wait_queue: WaitQueue) -> None:
        super().__init__(wait_queue)
        self._lines: dict[str, _Line] = {}
        """Lines by name. The first request of a line holds the lock if it is granted."""
        self._granted: dict[str, dict[int, LockRequest]] = {}
        """Granted requests by client and number."""

    # --- operations ----------------------------------------------------------------------------------------------

    @handles(AcquireLocks)
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

    @handles(ReleaseLocks)
    def release(self, request: Request, operation: ReleaseLocks) -> None:
        """Release locks."""
        lock_request = self._granted.get(request.client, {}).get(operation.lease)
        self._wait_queue.answer(request, lock_request is not None)
        if lock_request is not None:
            self._release(lock_request)

    def client_gone(self, client: str) -> None:
        """Release the locks of a client that is gone."""
        for lock_request in list(self._granted.get(client, {}).values()):
            self._release(lock_request)

    # --- lines ---------------------------------------------------------------------------------------------------

    def _first(self, name: str) -> LockRequest:
        return next(iter(self._lines[name]))

    def _is_due(self, lock_request: LockRequest) -> bool:
        return sum(self._first(name) is lock_request for name in lock_request.names) >= lock_request.count

    def _leave(self, lock_request: LockRequest, name: str) -> LockRequest | None:
        """Leave a line; return the request that is first now if `lock_request` was first before."""
        line = self._lines[name]
        was_first = next(iter(line)) is lock_request
        del line[lock_request]
        del lock_request.names[name]
        if not line:
            del self._lines[name]
            return None
        return self._first(name) if was_first else None

    def _grant_due(self, candidates: list[LockRequest]) -> None:
        """Grant the candidates that are first in enough lines."""
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
        """Remove a request from all its lines, whether it is granted or not."""
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
        """The lines by name, for inspection."""
        return self._lines
