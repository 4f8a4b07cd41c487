"""The scheduler's Prometheus metrics, collected when they are scraped.

Names, types and labels are distributed's where a metric means the same, so that boards and alerts keep working
(docs/monitoring.md lists what differs). Nothing is counted for metrics alone: the figures are those that views and
heartbeats carry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from dagrpc._http.prometheus import MOST_PREFIXES, OTHER, CollectionTime, Ticks, top
from dagrpc_scheduler.core import views
from dagrpc_scheduler.http.cluster_counts import worker_loads
from dagrpc_scheduler.http.sources import SchedulerSources


class SchedulerMetrics:
    """A collector of `prometheus_client` for one scheduler. Its figures are read on the scheduler's event loop.

    Parameters
    ----------
    sources : SchedulerSources
        The scheduler's parts that the figures come from.
    ticks, gc
        Measurements of the process.
    namespace : str
        First part of all names.
    """

    def __init__(self, sources: SchedulerSources, ticks: Ticks, gc: CollectionTime, namespace: str) -> None:
        self._sources = sources
        self._ticks = ticks
        self._gc = gc
        self._prefix = f"{namespace}_scheduler_"

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics as they are now."""
        yield from self._peers()
        yield from self._tasks()
        yield from self._prefixes()
        yield from self._memory()
        yield from self._stealing()
        yield from self._loop()

    def _gauge(self, name: str, text: str, value: float) -> Metric:
        return GaugeMetricFamily(self._prefix + name, text, value=value)

    def _counter(self, name: str, text: str, value: float) -> Metric:
        return CounterMetricFamily(self._prefix + name, text, value=value)

    def _by(self, name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
        family = GaugeMetricFamily(self._prefix + name, text, labels=[label])
        for key, value in values:
            family.add_metric([key], value)
        return family

    def _peers(self) -> Iterator[Metric]:
        sources = self._sources
        joined = sources.peers.counts
        yield self._gauge("clients", "Clients that are connected.", len(sources.peers.clients))
        yield self._counter("client_connections_added", "Clients that have connected.", joined.clients_added)
        yield self._counter("client_connections_removed", "Clients that have left.", joined.clients_removed)
        yield self._gauge("desired_workers", "Workers that the tasks at hand could use.", sources.desired_workers())
        yield self._by("workers", "Workers by state of load.", "state", worker_loads(sources.core).items())
        yield self._counter("workers_added", "Workers that have joined.", joined.workers_added)
        yield self._counter("workers_removed", "Workers that have left or were lost.", joined.workers_removed)

    def _tasks(self) -> Iterator[Metric]:
        core = self._sources.core
        states = {name: count for name, count in views.state_counts(core).items() if name != "forgotten"}
        yield self._by("tasks", "Tasks by state.", "state", states.items())
        yield self._gauge("task_groups", "Task groups.", len(core.state.groups))
        yield self._gauge("occupancy_seconds", "Expected work in seconds of one thread.", views.total_occupancy(core))
        unrunnable = views.unrunnable(core)
        oldest = min(unrunnable.values(), default=None)
        waited = self._sources.now() - oldest if oldest is not None else 0.0
        yield self._gauge("no_worker_wait_seconds", "Longest wait of a task that no worker may run.", waited)

    def _prefixes(self) -> Iterator[Metric]:
        counts = views.prefix_counts(self._sources.core)
        sizes = {name: sum(states.values()) for name, states in counts.items()}
        kept = top(sizes, MOST_PREFIXES)
        by_state = GaugeMetricFamily(
            self._prefix + "prefix_tasks", "Tasks by prefix and state.", labels=["task_prefix_name", "state"]
        )
        sums: dict[tuple[str, str], int] = {}
        for name, states in counts.items():
            for state, count in states.items():
                if count:
                    label = (name if name in kept else OTHER, state)
                    sums[label] = sums.get(label, 0) + count
        for labels, count in sorted(sums.items()):
            by_state.add_metric(list(labels), count)
        yield by_state
        durations = views.durations(self._sources.core)
        known = ((name, seconds) for name, seconds in sorted(durations.items()) if name in kept)
        yield self._by("prefix_duration_seconds", "Average duration of a task.", "task_prefix_name", known)

    def _memory(self) -> Iterator[Metric]:
        memory = self._sources.cluster_memory()
        kinds = {
            "managed": memory.managed,
            "unmanaged_old": memory.unmanaged_old,
            "unmanaged_recent": memory.unmanaged_recent,
            "spilled": memory.spilled,
        }
        yield self._by("memory_bytes", "Memory of all workers by kind.", "type", kinds.items())

    def _stealing(self) -> Iterator[Metric]:
        book = views.stealing(self._sources.core)
        yield self._counter("steal_requests", "Tasks that workers were asked to give back.", book["requested"])
        yield self._counter("steal_confirmed", "Tasks that workers gave back.", book["confirmed"])
        yield self._counter("steal_refused", "Tasks that had started or ended before.", book["refused"])

    def _loop(self) -> Iterator[Metric]:
        ticks = self._ticks
        yield self._counter("tick_count", "Turns of the clock on the event loop.", ticks.count)
        yield self._gauge(
            "tick_duration_maximum_seconds", "Longest turn of the clock since the last scrape.", ticks.take_longest()
        )
        yield self._counter("gc_collection_seconds", "Time spent in garbage collection.", self._gc.seconds)
