"""PluginHostService: sets up and tears down plugins of a worker or a nanny for the scheduler."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from dagrpc._codec.calls import encode_exception
from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import plugin_service_pb2 as pb
from dagrpc.v1 import scheduler_service_pb2
from dagrpc_worker.shell.plugins.plugin_host import PluginHost


class PluginHostServicer:
    """The methods of PluginHostService, by the names of the contract.

    Parameters
    ----------
    address : callable
        Returns the worker's address.
    adopt : callable
        Sets up the missing plugins; takes the scheduler's address, returns whether the worker is restarted.
    after_setup : callable
        Called with a plugin that was set up.
    """

    def __init__(
        self,
        host: PluginHost,
        address: Callable[[], str],
        adopt: Callable[[str], Awaitable[bool]],
        after_setup: Callable[[Any], Awaitable[None]] | None = None,
    ) -> None:
        self._host = host
        self._address = address
        self._adopt = adopt
        self._after_setup = after_setup

    async def SetUpPlugin(self, request: pb.SetUpPluginRequest) -> pb.SetUpPluginResponse:
        """Set a plugin up."""
        if not request.plugin.name:
            raise InvalidRequestError("a plugin needs a name")
        return pb.SetUpPluginResponse(result=await self._outcome(self._set_up(request.plugin)))

    async def _set_up(self, plugin: pb.NamedPlugin) -> None:
        decoded = await self._host.receive(plugin)
        if decoded is not None and self._after_setup is not None:
            await self._after_setup(decoded)

    async def TearDownPlugin(self, request: pb.TearDownPluginRequest) -> pb.TearDownPluginResponse:
        """Tear a plugin down."""
        return pb.TearDownPluginResponse(result=await self._outcome(self._host.remove(request.name)))

    async def AdoptPlugins(self, request: pb.AdoptPluginsRequest) -> pb.AdoptPluginsResponse:
        """Set up the plugins of the scheduler that are missing here."""
        return pb.AdoptPluginsResponse(restarting=await self._adopt(request.scheduler))

    async def _outcome(self, work: Awaitable[object]) -> scheduler_service_pb2.RunResult:
        result = scheduler_service_pb2.RunResult(worker=self._address())
        try:
            await work
        except asyncio.CancelledError:
            raise
        # SystemExit too: the exception of a plugin is sent as the answer.
        except BaseException as error:
            self._host.log_failure(error)
            result.exception.CopyFrom(encode_exception(error))
        return result
