"""All leases, their limits, and which of them have ended."""

from __future__ import annotations

from dataclasses import dataclass

from dagrpc_scheduler.leases.lease import Lease


@dataclass(slots=True, frozen=True)
class LeaseLimits:
    """Bounds of leases."""

    ttl: float = 60.0
    """Seconds that a lease lives after its last call, unless the call says otherwise."""
    longest_ttl: float = 86_400.0
    leases: int = 10_000
    """Number of leases at a time."""
    tasks: int = 100_000
    """Number of tasks that a lease holds."""
    waiting: int = 1_000
    """Number of calls of a lease that wait at a time."""


class LimitExceeded(Exception):
    """A limit of leases is reached; the message names its setting."""


class LeaseBook:
    """Leases by name."""

    def __init__(self, limits: LeaseLimits) -> None:
        """Make a book without leases."""
        self.limits = limits
        self.leases: dict[str, Lease] = {}

    def open(self, name: str, ttl: float, now: float) -> Lease:
        """Return a new lease; `ttl` 0: the default."""
        if len(self.leases) >= self.limits.leases:
            raise LimitExceeded(f"there are {len(self.leases)} leases, the limit (scheduler.leases.limit)")
        lease = self.leases[name] = Lease(name, self._bounded(ttl or self.limits.ttl), now)
        return lease

    def renew(self, lease: Lease, ttl: float, now: float) -> None:
        """Let a lease live on; `ttl` 0: for as long as before."""
        if ttl:
            lease.ttl = self._bounded(ttl)
        lease.expires = now + lease.ttl

    def check_room(self, lease: Lease, tasks: int) -> None:
        """Raise `LimitExceeded` if a lease cannot hold more tasks."""
        if len(lease.tasks) + tasks > self.limits.tasks:
            raise LimitExceeded(f"a lease holds up to {self.limits.tasks} tasks (scheduler.leases.tasks)")

    def begin_call(self, lease: Lease) -> None:
        """Note that a call waits for changes of a lease."""
        if lease.calls >= self.limits.waiting:
            raise LimitExceeded(f"{lease.calls} calls of the lease wait, the limit (scheduler.leases.waiting)")
        lease.calls += 1

    def end_call(self, lease: Lease, now: float) -> None:
        """Note that a call no longer waits."""
        lease.calls -= 1
        self.renew(lease, 0.0, now)

    def end(self, name: str) -> None:
        """Forget a lease."""
        self.leases.pop(name, None)

    def expired(self, now: float) -> list[Lease]:
        """Return the leases whose time is over."""
        return [lease for lease in self.leases.values() if not lease.calls and lease.expires <= now]

    def _bounded(self, ttl: float) -> float:
        return min(max(ttl, 1.0), self.limits.longest_ttl)
