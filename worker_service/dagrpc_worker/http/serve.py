"""Puts the worker's HTTP port together: its routes, its access rules, its settings."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Protocol

from dagrpc import config
from dagrpc._http.address import http_address
from dagrpc._http.port import HttpPort
from dagrpc._http.tls import tls_context

if TYPE_CHECKING:
    from aiohttp import web

    from dagrpc._http.prometheus import CollectionTime
    from dagrpc._loop.ticks import Ticks
    from dagrpc._peer.traffic import Traffic
    from dagrpc._rpc.call_statistics import CallStatistics
    from dagrpc_worker.options import WorkerOptions
    from dagrpc_worker.shell.monitoring.worker_metrics import Metrics
    from dagrpc_worker.shell.worker_record import WorkerRecord

logger = logging.getLogger("dagrpc.worker")

_BUILT_IN = ("distributed.http.", "dagrpc.http.")
"""Modules that distributed's default settings name; their routes are always there."""


class ObservedWorker(Protocol):
    """The parts of a worker that its HTTP port shows."""

    @property
    def options(self) -> WorkerOptions:
        """The options that the worker was started with."""

    @property
    def record(self) -> WorkerRecord:
        """The facts about the worker."""

    @property
    def facade(self) -> Any:
        """The `Worker` object of plugins and user code."""

    @property
    def call_statistics(self) -> CallStatistics:
        """Counts of the gRPC calls that the worker has answered."""

    @property
    def ticks(self) -> Ticks:
        """Measures how late the worker's event loop is."""

    @property
    def traffic(self) -> Traffic:
        """Counts of the messages from and to the scheduler."""

    def metrics(self) -> Metrics:
        """Return the sampler of the worker's metrics."""


class WorkerHttp:
    """The HTTP port of a worker."""

    def __init__(self, worker: ObservedWorker) -> None:
        self._worker = worker
        self._port = HttpPort("Worker", self._application, tls_context())
        self._prefix = ""
        self._collection_time: CollectionTime | None = None

    def start(self, address: str | int | None, host: str, prefix: str = "") -> None:
        """Listen; pages are made when the first request comes in.

        Parameters
        ----------
        address : str, int or None
            Where to listen; None: any free port.
        host : str
            Host if the address names none.
        prefix : str
            Path in front of all pages.

        Raises
        ------
        ValueError, OSError
            If the address cannot be used.
        """
        self._prefix = prefix
        self._port.bind(http_address(address, host))

    @property
    def number(self) -> int:
        """The port that it listens on; 0 while it does not."""
        return self._port.number

    async def _application(self) -> web.Application:
        # These import aiohttp and prometheus_client, which take longer than a worker's start.
        from aiohttp import web

        from dagrpc._auth.access import Access
        from dagrpc._http.application import json_response, make_application
        from dagrpc._http.http_access import HttpAccess
        from dagrpc._http.prometheus import CollectionTime, metrics_route
        from dagrpc_worker.http.metrics import WorkerMetrics

        worker = self._worker
        self._collection_time = CollectionTime()
        sample, record = worker.metrics().sample, worker.record
        metrics = WorkerMetrics(
            sample,
            lambda: record.nthreads,
            record.memory_limit,
            worker.ticks,
            self._collection_time,
            worker.call_statistics,
            worker.traffic,
            str(config.get("dashboard.prometheus.namespace")),
        )

        async def health(request: web.Request) -> web.Response:
            return web.Response(text="ok")

        async def identity(request: web.Request) -> web.Response:
            return json_response(
                {
                    "type": "Worker",
                    "id": record.name,
                    "address": record.address,
                    "scheduler": record.scheduler_address,
                    "nthreads": record.nthreads,
                    "memory_limit": record.memory_limit,
                    "metrics": sample(),
                }
            )

        routes = [web.get("/health", health), web.get("/json/identity.json", identity), metrics_route(metrics)]
        modules = [name for name in config.get("worker.http.routes") or () if not name.startswith(_BUILT_IN)]
        access = HttpAccess(Access(record.credentials), config.get("http.allowed-hosts") or ())
        return make_application(access, routes, self._prefix, modules, worker.facade if modules else None)

    async def close(self) -> None:
        """Stop listening and end open requests."""
        await self._port.close()
        if self._collection_time is not None:
            self._collection_time.close()


def start_http(worker: ObservedWorker, cleanup: AsyncExitStack) -> dict[str, int]:
    """Serve HTTP for a worker, if its options say so, until the cleanup; return the port by the service's name."""
    options = worker.options
    if not (config.get("http.enabled") if options.dashboard is None else options.dashboard):
        return {}
    http = WorkerHttp(worker)
    http.start(options.dashboard_address, options.host, options.http_prefix)
    cleanup.push_async_callback(http.close)
    return {"dashboard": http.number}
