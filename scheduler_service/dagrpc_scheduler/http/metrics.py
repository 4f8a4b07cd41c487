"""The scheduler's Prometheus metrics, collected when they are scraped.

Names, types and labels are distributed's where a metric means the same, so that boards and alerts keep working
(docs/monitoring.md lists what differs). Nothing is counted for metrics alone: the figures are those that views and
heartbeats carry.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from dagrpc._http.prometheus import CollectionTime, Families
from dagrpc_scheduler.core import views
from dagrpc_scheduler.http.cluster_counts import worker_loads
from dagrpc_scheduler.http.sources import SchedulerSources


class SchedulerMetrics:
    """A collector of `prometheus_client` for one scheduler. Its figures are read on the scheduler's event loop.

    Parameters
    ----------
    sources : SchedulerSources
        The scheduler's parts that the figures come from.
    gc : CollectionTime
        Measures garbage collection.
    namespace : str
        First part of all names.
    """

    def __init__(self, sources: SchedulerSources, gc: CollectionTime, namespace: str) -> None:
        self._sources = sources
        self._longest = sources.ticks.longest()
        self._gc = gc
        self._families = Families(f"{namespace}_scheduler_")

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics as they are now."""
        yield from self._peers()
        yield from self._tasks()
        yield from self._memory()
        yield from self._losses()
        yield from self._sessions()
        yield from self._families.calls(self._sources.calls)
        yield from self._loop()

    def _peers(self) -> Iterator[Metric]:
        sources = self._sources
        joined = sources.peers.counts
        yield self._families.gauge("clients", "Clients that are connected.", len(sources.peers.clients))
        yield self._families.counter("client_connections_added", "Clients that have connected.", joined.clients_added)
        yield self._families.counter("client_connections_removed", "Clients that have left.", joined.clients_removed)
        yield self._families.gauge(
            "desired_workers", "Workers that the tasks at hand could use.", sources.desired_workers()
        )
        yield self._families.gauges("workers", "Workers by state of load.", "state", worker_loads(sources.core))
        yield self._families.counter("workers_added", "Workers that have joined.", joined.workers_added)
        yield self._families.counter("workers_removed", "Workers that have left or were lost.", joined.workers_removed)

    def _tasks(self) -> Iterator[Metric]:
        core = self._sources.core
        states = {name: count for name, count in views.state_counts(core).items() if name != "forgotten"}
        yield self._families.gauges("tasks", "Tasks by state.", "state", states)
        yield self._families.gauge("task_groups", "Task groups.", len(core.state.groups))
        yield self._families.gauge(
            "occupancy_seconds", "Expected work in seconds of one thread.", views.total_occupancy(core)
        )
        unrunnable = views.unrunnable(core)
        oldest = min(unrunnable.values(), default=None)
        waited = self._sources.now() - oldest if oldest is not None else 0.0
        yield self._families.gauge("no_worker_wait_seconds", "Longest wait of a task that no worker may run.", waited)

    def _memory(self) -> Iterator[Metric]:
        memory = self._sources.cluster_memory()
        kinds = {
            "managed": memory.managed,
            "unmanaged_old": memory.unmanaged_old,
            "unmanaged_recent": memory.unmanaged_recent,
            "spilled": memory.spilled,
        }
        yield self._families.gauges("memory_bytes", "Memory of all workers by kind.", "type", kinds)

    def _losses(self) -> Iterator[Metric]:
        lost = views.losses(self._sources.core)
        yield self._families.counter("tasks_forgotten", "Tasks that were forgotten.", lost["forgotten"])
        yield self._families.counter(
            "tasks_killed", "Tasks that were given up because workers died while they had them.", lost["killed"]
        )
        yield self._families.counter("workers_lost", "Workers that left unexpectedly.", lost["workers"])

    def _sessions(self) -> Iterator[Metric]:
        peers = self._sources.peers
        yield from self._families.traffic({"client": peers.client_traffic, "worker": peers.worker_traffic})
        sessions = {
            "client": list(peers.clients.values()),
            "worker": [worker.session for worker in peers.workers.values()],
        }
        queued = {peer: sum(session.queued for session in found) for peer, found in sessions.items()}
        kept = {peer: sum(session.unacknowledged for session in found) for peer, found in sessions.items()}
        yield self._families.gauges("session_outbox_items", "Items that wait to be sent.", "peer", queued)
        yield self._families.gauges(
            "session_unacknowledged_bytes", "Bytes that were sent and not acknowledged yet.", "peer", kept
        )

    def _loop(self) -> Iterator[Metric]:
        ticks = self._sources.ticks
        yield self._families.counter("tick_count", "Turns of the clock on the event loop.", ticks.count)
        yield self._families.gauge(
            "tick_duration_maximum_seconds", "Longest turn of the clock since the last scrape.", self._longest.take()
        )
        yield self._families.counter("gc_collection_seconds", "Time spent in garbage collection.", self._gc.seconds)
