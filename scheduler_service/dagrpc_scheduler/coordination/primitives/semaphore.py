"""Semaphores, and locks, which are semaphores with one lease."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TypeAlias

from dagrpc_scheduler.coordination.operations import (
    INCONSISTENT,
    UNKNOWN,
    AcquireLease,
    CloseSemaphore,
    CountLeases,
    RegisterSemaphore,
    ReleaseLease,
)
from dagrpc_scheduler.coordination.primitive import Primitive, handles
from dagrpc_scheduler.coordination.wait_queue import Line, Request, WaitQueue

LeaseName: TypeAlias = tuple[str, int]
"""The client and the number of the request that acquired the lease."""
_WAIT_WEIGHT = 0.5
"""Weight of the latest wait in a semaphore's average."""


class Semaphore:
    """One semaphore."""

    __slots__ = (
        "_all",
        "acquired",
        "average_wait",
        "leases",
        "line",
        "max_leases",
        "name",
        "released",
        "transient",
        "waiting_since",
    )

    def __init__(self, all_semaphores: Semaphores, name: str, max_leases: int, transient: bool) -> None:
        self._all = all_semaphores
        self.name = name
        self.max_leases = max_leases
        self.transient = transient
        """Whether the semaphore is dropped when nobody uses it, as locks are."""
        self.leases: dict[LeaseName, None] = {}
        self.line: Line = OrderedDict()
        self.waiting_since: dict[Request, float] = {}
        """When each request of `line` came."""
        self.acquired = 0
        """Number of leases that were granted."""
        self.released = 0
        """Number of leases that have ended."""
        self.average_wait = 0.0
        """Moving average of the seconds from request to lease."""

    def granted(self, request: Request, now: float) -> None:
        """Count a lease, and how long its request waited."""
        wait = now - self.waiting_since.pop(request, now)
        self.average_wait += _WAIT_WEIGHT * (wait - self.average_wait) if self.acquired else wait
        self.acquired += 1

    def leave(self, request: Request) -> None:
        """Remove a waiting request."""
        del self.line[request]
        self.waiting_since.pop(request, None)
        self._all.tidy(self)


class Semaphores(Primitive):
    """All semaphores and leases."""

    def __init__(self, wait_queue: WaitQueue) -> None:
        super().__init__(wait_queue)
        self._by_name: dict[str, Semaphore] = {}
        self._leases: OrderedDict[LeaseName, tuple[Semaphore, float]] = OrderedDict()
        """Semaphore and expiry time by lease, in order of expiry, since all leases last equally long."""
        self._of_client: dict[str, dict[int, None]] = {}

    def _semaphore(self, request: Request, name: str, max_leases: int, transient: bool) -> Semaphore | None:
        """Return a semaphore, created if necessary; None: its maximum differs, and the request is refused."""
        semaphore = self._by_name.get(name)
        if semaphore is None:
            semaphore = self._by_name[name] = Semaphore(self, name, max_leases, transient)
        elif semaphore.max_leases != max_leases:
            message = f"Inconsistent max leases: {max_leases}, expected: {semaphore.max_leases}"
            self._wait_queue.refuse(request, INCONSISTENT, message)
            return None
        if not transient:
            semaphore.transient = False
        return semaphore

    # --- operations ----------------------------------------------------------------------------------------------

    @handles(AcquireLease)
    def acquire(self, request: Request, operation: AcquireLease) -> None:
        """Grant a lease, now or later."""
        name = operation.name
        if operation.registered and not operation.transient and name not in self._by_name:
            self._refuse_unknown(request, name)
            return
        semaphore = self._semaphore(request, name, operation.max_leases, operation.transient)
        if semaphore is None:
            return
        if not semaphore.line and len(semaphore.leases) < semaphore.max_leases:
            self._grant(semaphore, request)
        elif self._wait_queue.may_wait(request):
            semaphore.line[request] = None
            semaphore.waiting_since[request] = self._wait_queue.now
            self._wait_queue.wait(request, semaphore)
        else:
            self.tidy(semaphore)

    @handles(ReleaseLease)
    def release(self, request: Request, operation: ReleaseLease) -> None:
        """Release a lease."""
        lease = (request.client, operation.lease)
        known = lease in self._leases
        self._wait_queue.answer(request, known)
        if known:
            self._end(lease)

    def renew(self, client: str, leases: Iterable[int]) -> None:
        """Renew leases."""
        for number in leases:
            lease = (client, number)
            entry = self._leases.get(lease)
            if entry is not None:
                self._leases[lease] = (entry[0], self._expiry())
                self._leases.move_to_end(lease)

    @handles(RegisterSemaphore)
    def register(self, request: Request, operation: RegisterSemaphore) -> None:
        """Create a semaphore."""
        if self._semaphore(request, operation.name, operation.max_leases, transient=False) is not None:
            self._wait_queue.answer(request)

    @handles(CountLeases)
    def count(self, request: Request, operation: CountLeases) -> None:
        """Answer with the number of leases."""
        semaphore = self._by_name.get(operation.name)
        self._wait_queue.answer(request, number=0 if semaphore is None else len(semaphore.leases))

    @handles(CloseSemaphore)
    def close(self, request: Request, operation: CloseSemaphore) -> None:
        """Remove a semaphore."""
        semaphore = self._by_name.pop(operation.name, None)
        if semaphore is not None:
            line, semaphore.line = semaphore.line, OrderedDict()
            semaphore.waiting_since.clear()
            for waiting in line:
                self._refuse_unknown(waiting, semaphore.name)
            for lease in semaphore.leases:
                self._forget_lease(lease)
        self._wait_queue.answer(request)

    def _refuse_unknown(self, request: Request, name: str) -> None:
        self._wait_queue.refuse(request, UNKNOWN, f"Semaphore or Lock `{name}` not known.")

    # --- leases --------------------------------------------------------------------------------------------------

    def _expiry(self) -> float:
        timeout = self._wait_queue.lease_timeout
        return float("inf") if timeout is None else self._wait_queue.now + timeout

    def _grant(self, semaphore: Semaphore, request: Request) -> None:
        semaphore.granted(request, self._wait_queue.now)
        lease = request.lease
        semaphore.leases[lease] = None
        self._leases[lease] = (semaphore, self._expiry())
        self._of_client.setdefault(request.client, {})[request.number] = None
        self._wait_queue.answer(request, lease_seconds=self._wait_queue.lease_timeout or 0.0)

    def _forget_lease(self, lease: LeaseName) -> None:
        del self._leases[lease]
        client, number = lease
        of_client = self._of_client[client]
        del of_client[number]
        if not of_client:
            del self._of_client[client]

    def _end(self, lease: LeaseName) -> None:
        """End a lease and grant it to the request that has waited longest."""
        semaphore, _ = self._leases[lease]
        self._forget_lease(lease)
        del semaphore.leases[lease]
        semaphore.released += 1
        while semaphore.line and len(semaphore.leases) < semaphore.max_leases:
            request, _ = semaphore.line.popitem(last=False)
            self._grant(semaphore, request)
        self.tidy(semaphore)

    def tidy(self, semaphore: Semaphore) -> None:
        """Drop a lock that nobody uses."""
        unused = semaphore.transient and not semaphore.leases and not semaphore.line
        # The semaphore may have been closed, and its name given to another one.
        if unused and self._by_name.get(semaphore.name) is semaphore:
            del self._by_name[semaphore.name]

    def expire(self) -> None:
        """End the leases that were not renewed in time."""
        while self._leases:
            lease, (_, expiry) = next(iter(self._leases.items()))
            if expiry > self._wait_queue.now:
                return
            self._end(lease)

    def next_expiry(self) -> float | None:
        """Return when `expire` must be called; None: never."""
        if not self._leases or self._wait_queue.lease_timeout is None:
            return None
        return next(iter(self._leases.values()))[1]

    def client_gone(self, client: str) -> None:
        """End the leases of a client that is gone."""
        for number in list(self._of_client.get(client, ())):
            self._end((client, number))

    def state(self, name: str) -> Semaphore | None:
        """Return a semaphore, for inspection."""
        return self._by_name.get(name)

    def named(self) -> list[Semaphore]:
        """Return the semaphores that users have made; locks are not among them."""
        return [semaphore for semaphore in self._by_name.values() if not semaphore.transient]

    @property
    def names(self) -> list[str]:
        """Names of all semaphores."""
        return list(self._by_name)
