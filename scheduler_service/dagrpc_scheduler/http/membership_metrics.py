"""Prometheus metrics of what happens to workers: how they end, are started again, and pause."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from dagrpc._http.prometheus import Families
from dagrpc_scheduler.shell.sessions.worker_counts import WorkerCounts


class MembershipMetrics:
    """A collector of `prometheus_client`. Its figures are read on the scheduler's event loop.

    Parameters
    ----------
    counts : WorkerCounts
        The counts to show.
    namespace : str
        First part of all names.
    """

    def __init__(self, counts: WorkerCounts, namespace: str) -> None:
        self._counts = counts
        self._families = Families(f"{namespace}_scheduler_")

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics as they are now."""
        families, counts = self._families, self._counts
        yield families.counters("worker_exits", "Workers that have ended, by cause.", "cause", counts.exits)
        yield families.counters("nanny_restarts", "Workers that nannies started again.", "reason", counts.restarts)
        yield families.counter("worker_pauses", "How often workers have paused for lack of memory.", counts.pauses)
