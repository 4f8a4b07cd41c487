"""Prometheus metrics of semaphores, of work stealing and of shuffles."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import Metric

from dagrpc._http.prometheus import Families, bounded, top
from dagrpc_scheduler.coordination.primitives.semaphore import Semaphore
from dagrpc_scheduler.core import views
from dagrpc_scheduler.http.sources import SchedulerSources

MOST_SEMAPHORES = 50
"""How many semaphores have labels of their own; the least used ones are added up."""


class CoordinationMetrics:
    """A collector of `prometheus_client`. Its figures are read on the scheduler's event loop.

    Parameters
    ----------
    sources : SchedulerSources
        The scheduler's parts that the figures come from.
    namespace : str
        First part of all names.
    """

    def __init__(self, sources: SchedulerSources, namespace: str) -> None:
        self._sources = sources
        self._scheduler = Families(f"{namespace}_scheduler_")
        self._semaphore = Families(f"{namespace}_semaphore_")
        self._stealing = Families(f"{namespace}_stealing_")

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics as they are now."""
        yield from self._steals()
        yield from self._shuffles()
        yield from self._semaphores()

    def _steals(self) -> Iterator[Metric]:
        found = views.stealing(self._sources.core)
        yield self._stealing.counter("request_count", "Tasks that workers were asked to give back.", found["requested"])
        yield self._stealing.counter(
            "request_cost", "Expected seconds of the tasks that were asked back.", found["requested_seconds"]
        )
        own = self._scheduler
        yield own.counter("steal_requests", "Tasks that workers were asked to give back.", found["requested"])
        yield own.counter("steal_confirmed", "Tasks that workers gave back.", found["confirmed"])
        yield own.counter("steal_refused", "Tasks that had started or ended before.", found["refused"])

    def _shuffles(self) -> Iterator[Metric]:
        own, shuffles = self._scheduler, self._sources.shuffles
        counts = shuffles.counts
        yield own.gauge("shuffles", "Shuffles that are under way.", len(shuffles.runs))
        yield own.counter("shuffle_runs", "Runs of shuffles that have begun, restarts included.", counts.runs)
        restarts = {"worker_left": counts.lost_worker, "inconsistent": counts.inconsistent}
        yield own.counters("shuffle_restarts", "Runs that ended early and began again.", "reason", restarts)
        yield own.counter("shuffle_failures", "Shuffles that were given up after many restarts.", counts.failed)

    def _semaphores(self) -> Iterator[Metric]:
        semaphores = self._sources.coordination.semaphores()
        used = {semaphore.name: semaphore.acquired for semaphore in semaphores}
        kept = top(used, MOST_SEMAPHORES)

        def by_name(value: Callable[[Semaphore], float]) -> dict[str, float]:
            return bounded({each.name: value(each) for each in semaphores}, kept)

        family = self._semaphore
        yield family.gauges("max_leases", "Leases that may be held at once.", "name", by_name(lambda s: s.max_leases))
        yield family.gauges("active_leases", "Leases that are held.", "name", by_name(lambda s: len(s.leases)))
        yield family.gauges("pending_leases", "Requests that wait for a lease.", "name", by_name(lambda s: len(s.line)))
        yield family.counters("acquire", "Leases that were granted.", "name", by_name(lambda s: s.acquired))
        yield family.counters("release", "Leases that have ended.", "name", by_name(lambda s: s.released))
        waits = {each.name: each.average_wait for each in semaphores if each.name in kept}
        yield family.gauges(
            "average_pending_lease_time_s", "Moving average of the seconds from request to lease.", "name", waits
        )
