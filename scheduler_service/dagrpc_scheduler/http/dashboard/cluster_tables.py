"""Tables about the cluster as a whole, its workers and its clients."""

from __future__ import annotations

from typing import Any, Final

from dagrpc_scheduler.core import views
from dagrpc_scheduler.core.model import StateName
from dagrpc_scheduler.http.cluster_counts import counts
from dagrpc_scheduler.http.dashboard.feeds import Rows
from dagrpc_scheduler.http.sources import SchedulerSources

STATES: Final[tuple[StateName, ...]] = ("memory", "processing", "queued", "waiting", "no-worker", "erred", "released")
"""The order of the counts in rows of prefixes and groups."""


class ClusterTables:
    """Makes rows from the scheduler's state. On the scheduler's event loop only."""

    def __init__(self, sources: SchedulerSources) -> None:
        self._sources = sources

    def summary(self) -> Rows:
        """Return figures by name."""
        sources, core = self._sources, self._sources.core
        memory = sources.cluster_memory()
        infos = views.workers(core)
        cpu = sum(connection.metrics.get("cpu", 0.0) for connection in sources.peers.workers.values())
        return {
            **counts(core, len(sources.peers.clients), sources.desired_workers()),
            "occupancy": round(views.total_occupancy(core), 3),
            "cpu": round(cpu, 1),
            "memory_limit": sum(info.memory_limit for info in infos),
            "managed": memory.managed,
            "unmanaged_old": memory.unmanaged_old,
            "unmanaged_recent": memory.unmanaged_recent,
            "spilled": memory.spilled,
        }

    def workers(self) -> Rows:
        """Return a row for each worker, by address."""
        rows: dict[str, Any] = {}
        for info in views.workers(self._sources.core):
            connection = self._sources.peers.workers.get(info.address)
            metrics = connection.metrics if connection is not None else {}
            memory = self._sources.memory_of(info.address)
            rows[info.address] = {
                "name": info.name,
                "host": info.host,
                "status": info.status,
                "nthreads": info.nthreads,
                "cpu": round(metrics.get("cpu", 0.0), 1),
                "memory": memory.process,
                "limit": info.memory_limit,
                "managed": memory.managed,
                "unmanaged_old": memory.unmanaged_old,
                "unmanaged_recent": memory.unmanaged_recent,
                "spilled": memory.spilled,
                "occupancy": round(info.occupancy, 3),
                "processing": info.processing,
                "executing": int(metrics.get("executing", 0)),
                "in_memory": info.in_memory,
                "incoming": int(metrics.get("transfers_incoming", 0)),
                "outgoing": int(metrics.get("transfers_outgoing", 0)),
                "fds": int(metrics.get("num_fds", 0)),
                "lag": round(metrics.get("loop_lag_seconds", 0.0), 3),
            }
        return rows

    def prefixes(self) -> Rows:
        """Return the numbers of tasks by prefix, in the order of `STATES`, and the average seconds of a task."""
        durations = views.durations(self._sources.core)
        return {
            name: {"counts": [states[state] for state in STATES], "seconds": durations.get(name, -1.0)}
            for name, states in views.prefix_counts(self._sources.core).items()
        }

    def groups(self) -> Rows:
        """Return prefix, numbers of tasks, average seconds and average bytes of each group."""
        return {
            group.name: {
                "prefix": group.prefix,
                "size": group.size,
                "counts": [group.counts[state] for state in STATES],
                "seconds": group.seconds,
                "nbytes": group.nbytes,
            }
            for group in views.groups(self._sources.core)
        }

    def clients(self) -> Rows:
        """Return what each client wants, and how its session is."""
        peers, core = self._sources.peers, self._sources.core
        rows: dict[str, Any] = {}
        for name in views.clients(core):
            wanted = views.wanted_states(core, name)
            peer, session = peers.client_sessions.get(name), peers.clients.get(name)
            rows[name] = {
                "kind": "away" if peer is not None and peer.away else "connected" if peer is not None else "internal",
                "wants": sum(wanted.values()),
                "counts": [wanted.get(state, 0) for state in STATES],
                "queued": session.queued if session is not None else 0,
            }
        return rows
