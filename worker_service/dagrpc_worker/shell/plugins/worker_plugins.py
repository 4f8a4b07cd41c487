"""Plugins of a worker: set up before its first task, called at transitions, torn down when it closes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from dagrpc._common.time_limits import PLUGIN_SETUP_LIMIT
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
from dagrpc_worker.options import WorkerOptions
from dagrpc_worker.shell.plugins.plugin_host import HOST_SERVICE, PLUGIN_SERVICE, PluginHost
from dagrpc_worker.shell.plugins.transition_watch import TransitionWatch
from dagrpc_worker.shell.session.translate_out import RunReport
from dagrpc_worker.shell.session.worker_info import introduce
from dagrpc_worker.shell.worker_record import WorkerRecord

logger = logging.getLogger("dagrpc.worker")

_NANNY_TIMEOUT = 30.0


class WorkerPlugins(PluginHost):
    """The plugins of a worker.

    Parameters
    ----------
    owner : callable
        Returns the `Worker` that plugins are called with.
    channel : callable
        Returns the connection to the scheduler; None before there is one.
    """

    def __init__(
        self,
        worker: WorkerRecord,
        options: WorkerOptions,
        owner: Callable[[], Any],
        channel: Callable[[], grpc.aio.Channel | None],
    ) -> None:
        super().__init__(pb.PLUGIN_KIND_WORKER, logger)
        self._worker = worker
        self._owner = owner
        self._channel = channel
        self.watch: TransitionWatch | None = None
        """Calls plugins at transitions; None before the worker has started."""
        self._preloads = Preloads("worker", options.preload, options.preload_argv)
        self.first: Sequence[Any] = list(options.plugins)
        """The plugins that the worker was created with."""

    @property
    def owner(self) -> Any:
        """The worker as its tasks know it."""
        return self._owner()

    def changed(self) -> None:
        """Call the present plugins at transitions from now on."""
        if self.watch is not None:
            self.watch.choose(self.plugins.values())

    def before(self, instructions: Sequence[Instruction]) -> Sequence[Instruction | RunReport]:
        """Call plugins at the transitions behind these instructions; return the instructions with further reports."""
        return instructions if self.watch is None or not self.watch.busy else self.watch.tell(instructions)

    async def begin(self, core: WorkerCore, recorder: Recorder) -> None:
        """Run the preloads, and set up the plugins that the worker was created with.

        Raises
        ------
        ValueError
            If a preload fails.
        BaseException
            If the setup of a plugin raises it.
        """
        self.watch = TransitionWatch(core, recorder, logger)
        await self._preloads.start(self.owner)
        for plugin in self.first:
            await self.add(plugin_name(plugin), plugin)

    async def close(self) -> None:
        """Tear all plugins down."""
        await super().close()
        await self._preloads.close()

    async def introduce(self, channel: grpc.aio.Channel) -> worker_session_pb2.WorkerHello:
        """Set up the scheduler's plugins, before the first task can come; return the message that registers."""
        await self._sync(channel)
        hello = introduce(self._worker)
        hello.plugins_revision = self.revision
        return hello

    async def adopt(self, _: str) -> bool:
        """Set up plugins that were registered while the worker was joining. Returns False: no restart follows."""
        channel = self._channel()
        if channel is None:
            raise NotReadyError("the worker is not connected to its scheduler yet")
        await self._sync(channel)
        return False

    async def _sync(self, channel: grpc.aio.Channel) -> None:
        peer = f"scheduler {self._worker.scheduler_address}"
        await self.sync(ServiceClient(channel, PLUGIN_SERVICE, peer), self._nanny_first)

    async def _nanny_first(self, answer: pb.SyncPluginsResponse) -> None:
        """Let the nanny set up its plugins first: worker plugins may need the software that these install."""
        nanny = self._worker.nanny
        if not (nanny and answer.nanny_plugins):
            return
        channel = open_channel(nanny, CONTROL_CHANNEL, self._worker.credentials)
        try:
            # The nanny may begin to serve a moment after it has started its worker.
            await wait_ready(channel, nanny, _NANNY_TIMEOUT, self._worker.credentials)
            client = ServiceClient(channel, HOST_SERVICE, f"nanny {nanny}")
            request = pb.AdoptPluginsRequest(scheduler=self._worker.scheduler_address)
            response = await client.call("AdoptPlugins", request, pb.AdoptPluginsResponse, timeout=PLUGIN_SETUP_LIMIT)
            if response.restarting:
                # The nanny is about to end this process and to start another.
                await asyncio.sleep(_NANNY_TIMEOUT)
                raise CommClosedError(f"The nanny at {nanny} did not restart its worker")
        finally:
            await channel.close()
