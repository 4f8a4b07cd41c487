"""The gRPC server of a worker. It starts before the rest of the worker, since its port is part of the address."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dagrpc._auth.credentials import shown_address, warn_if_open
from dagrpc._common.addresses import is_wildcard, join_address, local_ip, split_address
from dagrpc._rpc import log_service
from dagrpc._rpc.server import Server
from dagrpc._transfer.transfers import WORKER_SERVICE
from dagrpc_worker.core.events import Event
from dagrpc_worker.options import WorkerOptions
from dagrpc_worker.servicers import actor_service, introspection_service, worker_diagnostics_service
from dagrpc_worker.servicers.data_transfers import DataServicer
from dagrpc_worker.servicers.introspection_service import IntrospectionServicer
from dagrpc_worker.servicers.plugin_host_service import PluginHostServicer
from dagrpc_worker.servicers.process_control import ControlServicer
from dagrpc_worker.servicers.shuffle_service import ShuffleServicer
from dagrpc_worker.servicers.worker_service import RAW_REQUESTS, WorkerServicer
from dagrpc_worker.shell.plugins.plugin_host import HOST_SERVICE
from dagrpc_worker.shell.plugins.worker_plugins import WorkerPlugins
from dagrpc_worker.shell.shuffle.shuffle_outbox import SHUFFLE_SERVICE
from dagrpc_worker.shell.shuffle.shuffle_runs import Shuffles
from dagrpc_worker.shell.worker_record import WorkerPort

_GRACE = 0.5
"""Seconds that rpcs under way have to end when the server stops."""


class WorkerServer:
    """Serves the worker's services.

    Parameters
    ----------
    take : callable
        Takes events for the worker's core.
    shuffles : callable
        Returns the worker's shuffles, which do not exist before the server has started.
    """

    def __init__(
        self,
        worker: WorkerPort,
        options: WorkerOptions,
        plugins: WorkerPlugins,
        take: Callable[[Sequence[Event]], None],
        shuffles: Callable[[], Shuffles],
    ) -> None:
        record = worker.record
        self._worker = record
        self._options = options
        self.data = DataServicer(worker.data, take, options.transfer_limit() if record.memory_limit else 0)
        self.diagnostics = worker_diagnostics_service.DiagnosticsServicer()
        self.actors = actor_service.ActorServicer()
        self._control = ControlServicer(worker)
        self._server = Server(
            (*RAW_REQUESTS, *actor_service.RAW_REQUESTS),
            blocked_by="worker.blocked-handlers",
            credentials=record.credentials,
        )
        self.call_statistics = self._server.statistics
        """Counts of the calls that have ended."""
        self._server.add_service(WORKER_SERVICE, WorkerServicer(self.data, self._control))
        self._server.add_service(worker_diagnostics_service.SERVICE, self.diagnostics)
        self._server.add_service(introspection_service.SERVICE, IntrospectionServicer(worker))
        self._server.add_service(log_service.SERVICE, log_service.LogServicer("worker"))
        self._server.add_service(actor_service.SERVICE, self.actors)
        host = PluginHostServicer(plugins, lambda: record.address, plugins.adopt)
        self._server.add_service(HOST_SERVICE, host)
        self._server.add_service(SHUFFLE_SERVICE, ShuffleServicer(shuffles))
        self._started = False

    async def start(self) -> None:
        """Listen, and set the worker's address and, if it has none, its name."""
        options, worker = self._options, self._worker
        port = await self._server.start(options.host, options.port)
        self._started = True
        host = options.host
        if options.contact_address:
            host, contact_port = split_address(options.contact_address)
            port = contact_port or port
        elif is_wildcard(host):
            host = local_ip(split_address(worker.scheduler_address)[0])
        worker.address = shown_address(join_address(host, port), worker.credentials)
        warn_if_open("Worker", worker.address, options.host, worker.credentials)
        worker.name = options.name or worker.address

    async def stop(self) -> None:
        """Stop serving."""
        if self._started:
            await self._server.stop(_GRACE)
        await self._control.close()
