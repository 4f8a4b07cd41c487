"""Puts the scheduler's HTTP port together: its routes, its access rules, its settings."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from dagrpc import config
from dagrpc._http.address import http_address, path_prefix
from dagrpc._http.port import HttpPort
from dagrpc._http.tls import tls_context
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc_scheduler.http.memory_history import MemoryHistory
from dagrpc_scheduler.http.sources import SchedulerSources

if TYPE_CHECKING:
    from aiohttp import web

    from dagrpc._http.prometheus import CollectionTime

DEFAULT_PORT = 8787
DEFAULT_ADDRESS = f":{DEFAULT_PORT}"
_BUILT_IN = ("distributed.http.", "dagrpc.http.")
"""Modules that distributed's default settings name; their routes are always there."""


class SchedulerHttp:
    """The HTTP port of a scheduler.

    Parameters
    ----------
    sources : SchedulerSources
        The scheduler's parts that the pages show.
    prefix : str
        Path in front of all pages.
    """

    def __init__(self, sources: SchedulerSources, prefix: str = "") -> None:
        self._sources = sources
        self._prefix = path_prefix(prefix)
        self._port = HttpPort("Scheduler", self._application, tls_context())
        self._collection_time: CollectionTime | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._memory = MemoryHistory(sources)

    def start(self, address: str | int | None, host: str) -> None:
        """Listen; pages are made when the first request comes in.

        Parameters
        ----------
        address : str, int or None
            The address to listen at; None or the default: as configured.
        host : str
            Host if the address names none.

        Raises
        ------
        ValueError, OSError
            If the address cannot be used.
        """
        configured = config.get("scheduler.dashboard.address")
        wanted = configured if address in (None, DEFAULT_ADDRESS) else address
        self._port.bind(http_address(wanted, host, DEFAULT_PORT))
        spawn(self._memory.run(), self._tasks)
        self._sources.identity.services["dashboard"] = self._port.number
        self._sources.identity.http_prefix = self._prefix

    @property
    def number(self) -> int:
        """The port that it listens on; 0 while it does not."""
        return self._port.number

    async def _application(self) -> web.Application:
        # These import aiohttp and prometheus_client, which take longer than a scheduler's start.
        from dagrpc._http.application import make_application
        from dagrpc._http.http_access import HttpAccess
        from dagrpc._http.prometheus import CollectionTime, metrics_route
        from dagrpc_scheduler.http.api_routes import ApiRoutes
        from dagrpc_scheduler.http.coordination_metrics import CoordinationMetrics
        from dagrpc_scheduler.http.dashboard.dashboard import Dashboard
        from dagrpc_scheduler.http.fair_share_metrics import FairShareMetrics
        from dagrpc_scheduler.http.info_pages import InfoPages
        from dagrpc_scheduler.http.json_routes import JsonRoutes
        from dagrpc_scheduler.http.membership_metrics import MembershipMetrics
        from dagrpc_scheduler.http.metrics import SchedulerMetrics
        from dagrpc_scheduler.http.prefix_metrics import PrefixMetrics
        from dagrpc_scheduler.http.worker_proxy import WorkerProxy

        sources = self._sources
        self._collection_time = CollectionTime()
        namespace = str(config.get("dashboard.prometheus.namespace"))
        routes = [
            *JsonRoutes(sources).routes(),
            *ApiRoutes(sources).routes(),
            *WorkerProxy(sources).routes(),
            *InfoPages(sources).routes(),
            *Dashboard(sources, self._memory).routes(),
            metrics_route(
                SchedulerMetrics(sources, self._collection_time, namespace),
                PrefixMetrics(sources.core, namespace),
                CoordinationMetrics(sources, namespace),
                MembershipMetrics(sources.peers.worker_counts, namespace),
                FairShareMetrics(sources.core, namespace, bool(config.get("dashboard.prometheus.by-client"))),
            ),
        ]
        if config.get("scheduler.http.tasks"):
            from dagrpc_scheduler.http.task_routes import TaskRoutes

            routes += TaskRoutes(sources.tasks).routes()
        modules = [name for name in config.get("scheduler.http.routes") or () if not name.startswith(_BUILT_IN)]
        access = HttpAccess(sources.access, config.get("http.allowed-hosts") or ())
        return make_application(access, routes, self._prefix, modules, sources.scheduler() if modules else None)

    async def close(self) -> None:
        """Stop listening and end open requests."""
        await self._port.close()
        await cancel_all(self._tasks)
        if self._collection_time is not None:
            self._collection_time.close()
