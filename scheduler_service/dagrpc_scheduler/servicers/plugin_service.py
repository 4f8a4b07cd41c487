"""PluginService: clients register plugins, workers and nannies ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import plugin_service_pb2 as pb
from dagrpc_scheduler.shell.plugins.plugin_registry import NANNY, WORKER

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

SERVICE = pb.DESCRIPTOR.services_by_name["PluginService"]


class PluginServicer:
    """What there is to do with plugins; each method is the rpc of its name.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service

    async def RegisterPlugin(self, request: pb.RegisterPluginRequest) -> pb.RegisterPluginResponse:
        registry = self._service.plugin_registry
        if not request.name:
            raise InvalidRequestError("a plugin needs a name")
        if request.kind == pb.PLUGIN_KIND_SCHEDULER:
            results = await self._service.scheduler_plugins.register(request.name, request.plugin, request.idempotent)
            return pb.RegisterPluginResponse(results=results)
        _check(request.kind)
        if request.idempotent and (request.kind, request.name) in registry:
            return pb.RegisterPluginResponse()
        results = await registry.register(request.kind, request.name, request.plugin)
        return pb.RegisterPluginResponse(results=results)

    async def UnregisterPlugin(self, request: pb.UnregisterPluginRequest) -> pb.UnregisterPluginResponse:
        if request.kind == pb.PLUGIN_KIND_SCHEDULER:
            self._service.scheduler_plugins.unregister(request.name)
            return pb.UnregisterPluginResponse()
        _check(request.kind)
        results = await self._service.plugin_registry.unregister(request.kind, request.name)
        return pb.UnregisterPluginResponse(results=results)

    async def SyncPlugins(self, request: pb.SyncPluginsRequest, context: Any) -> None:
        _check(request.kind)
        for message in self._service.plugin_registry.missing(request.kind, request.known):
            await context.write(message.SerializeToString())


def _check(kind: int) -> None:
    if kind not in (WORKER, NANNY):
        raise InvalidRequestError("a plugin is for workers, for nannies or for the scheduler")
