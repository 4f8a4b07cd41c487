"""The plugins of a worker: there before its first task, told of transitions, gone when it closes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import grpc

from dagrpc._process.preloading import Preloads
from dagrpc._rpc.channels import ServiceClient, open_channel, wait_ready
from dagrpc._rpc.grpc_options import CONTROL_CHANNEL
from dagrpc.exceptions import CommClosedError, NotReadyError
from dagrpc.plugins.base import plugin_name
from dagrpc.v1 import plugin_service_pb2 as pb
from dagrpc.v1 import worker_session_pb2
from dagrpc_worker.core.instructions import Instruction
from dagrpc_worker.core.machine import WorkerCore
from dagrpc_worker.execute.task_recorder import Recorder
from dagrpc_worker.servicers.plugin_host_service import PluginHostServicer
from dagrpc_worker.shell.plugins.plugin_host import HOST_SERVICE, PLUGIN_SERVICE, SETUP_LIMIT, PluginHost
from dagrpc_worker.shell.plugins.transition_watch import TransitionWatch
from dagrpc_worker.shell.session.translate_out import RunReport
from dagrpc_worker.shell.session.worker_info import introduce

if TYPE_CHECKING:
    from dagrpc_worker.shell.service import WorkerService

logger = logging.getLogger("dagrpc.worker")

_NANNY_TIMEOUT = 30.0


class WorkerPlugins(PluginHost):
    """The plugins of a worker.

    Parameters
    ----------
    worker : WorkerService
        The worker.
    """

    def __init__(self, worker: WorkerService) -> None:
        super().__init__(pb.PLUGIN_KIND_WORKER, logger)
        self._worker = worker
        self.watch: TransitionWatch | None = None
        """Tells them of transitions; None before the worker has been put together."""
        self._preloads = Preloads("worker", worker.options.preload, worker.options.preload_argv)
        self.first: Sequence[Any] = list(worker.options.plugins)
        """Those that it was made with."""

    @property
    def owner(self) -> Any:
        """The worker as its tasks know it."""
        # It knows the service.
        from dagrpc_worker.shell.facade.worker import Worker

        return Worker.of(self._worker)

    def changed(self) -> None:
        """Take note that plugins have come or gone."""
        if self.watch is not None:
            self.watch.choose(self.plugins.values())

    def before(self, orders: Sequence[Instruction]) -> Sequence[Instruction | RunReport]:
        """Tell of transitions before what follows from them is carried out. Return that, and what there is to it."""
        return orders if self.watch is None or not self.watch.busy else self.watch.tell(orders)

    def servicer(self) -> PluginHostServicer:
        """Return what answers the scheduler."""
        return PluginHostServicer(self, lambda: self._worker.address, self._adopt)

    async def begin(self, core: WorkerCore, recorder: Recorder) -> None:
        """Run what the operator wants to be run first, and set up the plugins that the worker was made with.

        Raises
        ------
        ValueError
            If a preload fails.
        BaseException
            Whatever the setup of one raises.
        """
        self.watch = TransitionWatch(core, recorder, logger)
        await self._preloads.start(self.owner)
        for plugin in self.first:
            await self.add(plugin_name(plugin), plugin)

    async def close(self) -> None:
        """Tear all down."""
        await super().close()
        await self._preloads.close()

    async def introduce(self, channel: grpc.aio.Channel) -> worker_session_pb2.WorkerHello:
        """Set up what the scheduler has, before the first task can come; then say who this is."""
        await self._sync(channel)
        hello = introduce(self._worker)
        hello.plugins_revision = self.revision
        return hello

    async def _adopt(self, _: str) -> bool:
        """Set up what came while the worker was about to join."""
        channel = self._worker.scheduler_channel
        if channel is None:
            raise NotReadyError("the worker has yet to find its scheduler")
        await self._sync(channel)
        return False

    async def _sync(self, channel: grpc.aio.Channel) -> None:
        peer = f"scheduler {self._worker.scheduler_address}"
        await self.sync(ServiceClient(channel, PLUGIN_SERVICE, peer), self._nanny_first)

    async def _nanny_first(self, answer: pb.SyncPluginsResponse) -> None:
        """Have the nanny set up its own, which the worker's may depend on: they install software, for instance."""
        nanny = self._worker.nanny
        if not (nanny and answer.nanny_plugins):
            return
        channel = open_channel(nanny, CONTROL_CHANNEL, self._worker.credentials)
        try:
            # It may begin to serve a moment after it has started its worker.
            await wait_ready(channel, nanny, _NANNY_TIMEOUT, self._worker.credentials)
            client = ServiceClient(channel, HOST_SERVICE, f"nanny {nanny}")
            request = pb.AdoptPluginsRequest(scheduler=self._worker.scheduler_address)
            response = await client.call("AdoptPlugins", request, pb.AdoptPluginsResponse, timeout=SETUP_LIMIT)
            if response.restarting:
                # Another process takes over; this one is about to be told to end.
                await asyncio.sleep(_NANNY_TIMEOUT)
                raise CommClosedError(f"The nanny at {nanny} did not restart its worker")
        finally:
            await channel.close()
