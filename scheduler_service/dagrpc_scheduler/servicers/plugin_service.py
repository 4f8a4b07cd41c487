"""PluginService: clients register plugins, workers and nannies fetch them."""

from __future__ import annotations

from typing import Any

from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import plugin_service_pb2 as pb
from dagrpc_scheduler.shell.plugins.plugin_registry import NANNY, WORKER, PluginRegistry
from dagrpc_scheduler.shell.plugins.scheduler_plugins import SchedulerPlugins


class PluginServicer:
    """Registers and hands out plugins; each method is the rpc of its name."""

    def __init__(self, registry: PluginRegistry, scheduler_plugins: SchedulerPlugins) -> None:
        self._registry = registry
        self._scheduler_plugins = scheduler_plugins

    async def RegisterPlugin(self, request: pb.RegisterPluginRequest) -> pb.RegisterPluginResponse:
        if not request.name:
            raise InvalidRequestError("a plugin needs a name")
        if request.kind == pb.PLUGIN_KIND_SCHEDULER:
            results = await self._scheduler_plugins.register(request.name, request.plugin, request.idempotent)
            return pb.RegisterPluginResponse(results=results)
        _check(request.kind)
        if request.idempotent and (request.kind, request.name) in self._registry:
            return pb.RegisterPluginResponse()
        results = await self._registry.register(request.kind, request.name, request.plugin)
        return pb.RegisterPluginResponse(results=results)

    async def UnregisterPlugin(self, request: pb.UnregisterPluginRequest) -> pb.UnregisterPluginResponse:
        if request.kind == pb.PLUGIN_KIND_SCHEDULER:
            self._scheduler_plugins.unregister(request.name)
            return pb.UnregisterPluginResponse()
        _check(request.kind)
        results = await self._registry.unregister(request.kind, request.name)
        return pb.UnregisterPluginResponse(results=results)

    async def SyncPlugins(self, request: pb.SyncPluginsRequest, context: Any) -> None:
        _check(request.kind)
        for message in self._registry.missing(request.kind, request.known):
            await context.write(message.SerializeToString())


def _check(kind: int) -> None:
    if kind not in (WORKER, NANNY):
        raise InvalidRequestError("a plugin is for workers, for nannies or for the scheduler")
