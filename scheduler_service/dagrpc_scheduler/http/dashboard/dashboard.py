"""Puts the dashboard together: its feeds and its routes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from dagrpc_scheduler.http.dashboard.cluster_tables import ClusterTables
from dagrpc_scheduler.http.dashboard.details import DashboardDetails
from dagrpc_scheduler.http.dashboard.feeds import Reader, Table, quick
from dagrpc_scheduler.http.dashboard.log_readers import EventReader, LogReader
from dagrpc_scheduler.http.dashboard.pages import DashboardPages
from dagrpc_scheduler.http.dashboard.recent_tasks import RecentReader, RecentTasks
from dagrpc_scheduler.http.dashboard.scanned_tables import ScannedTables
from dagrpc_scheduler.http.dashboard.scheduler_table import SchedulerTable
from dagrpc_scheduler.http.dashboard.stream import DashboardStream

if TYPE_CHECKING:
    from aiohttp import web

    from dagrpc_scheduler.http.memory_history import MemoryHistory
    from dagrpc_scheduler.http.sources import SchedulerSources


class Dashboard:
    """The dashboard of a scheduler.

    Parameters
    ----------
    sources : SchedulerSources
        The scheduler's parts that it shows.
    memory : MemoryHistory
        The use of memory until now.
    """

    def __init__(self, sources: SchedulerSources, memory: MemoryHistory) -> None:
        self._sources = sources
        self._memory = memory

    def routes(self) -> list[web.RouteDef]:
        """Return the paths and their handlers."""
        stream = DashboardStream(self._feeds())
        return [*DashboardPages().routes(), *stream.routes(), *DashboardDetails(self._sources, self._memory).routes()]

    def _feeds(self) -> dict[str, Callable[[], Reader]]:
        """Return what makes a reader for a viewer, by the name of the feed."""
        sources = self._sources
        cluster, scanned, recent = ClusterTables(sources), ScannedTables(sources), RecentTasks(sources)
        return {
            "summary": quick(cluster.summary).reader,
            "workers": quick(cluster.workers).reader,
            "prefixes": quick(cluster.prefixes).reader,
            "groups": quick(cluster.groups).reader,
            "clients": quick(cluster.clients).reader,
            "graph": Table(scanned.graph).reader,
            "holdings": Table(scanned.holdings).reader,
            "errors": Table(scanned.errors).reader,
            "scheduler": Table(SchedulerTable(sources).rows).reader,
            "tasks": partial(RecentReader, recent, recent.tasks),
            "transfers": partial(RecentReader, recent, recent.transfers),
            "events": partial(EventReader, sources.events),
            "logs": LogReader,
        }
