"""The plugins of a worker or a nanny: set up, replaced and torn down, as the scheduler's list or a user demands."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import grpc

from dagrpc._codec import payload as payloads
from dagrpc._codec.unpickling import with_unpickle_lock
from dagrpc._rpc import error_status
from dagrpc._rpc.channels import ServiceClient
from dagrpc.v1 import plugin_service_pb2 as pb

PLUGIN_SERVICE = pb.DESCRIPTOR.services_by_name["PluginService"]
HOST_SERVICE = pb.DESCRIPTOR.services_by_name["PluginHostService"]

SYNC_TIMEOUT = 60.0
"""Seconds that the scheduler has to send the missing plugins, which can be large."""
_TEARDOWN_TIMEOUT = 5.0
"""Seconds that a plugin has for its teardown when the worker or nanny closes."""


class PluginHost:
    """Runs the plugins of one worker or nanny. On the loop."""

    def __init__(
        self,
        kind: pb.PluginKind,
        logger: logging.Logger,
    ) -> None:
        self.plugins: dict[str, Any] = {}
        """The plugins by name, in the order of their setup."""
        self.revision = 0
        """The revision of the scheduler's list at the last synchronization."""
        self._kind = kind
        self._logger = logger
        self._revisions: dict[str, int] = {}
        """Revisions of the plugins that the scheduler sent, by name."""
        self._lock = asyncio.Lock()
        self._executor: ThreadPoolExecutor | None = None

    @property
    def owner(self) -> Any:
        """The worker or the nanny that plugins are called with."""
        raise NotImplementedError

    def changed(self) -> None:
        """Called when plugins were added or removed."""

    # --- the scheduler's plugins ---------------------------------------------------------------------------------

    async def receive(self, plugin: pb.NamedPlugin) -> Any:
        """Set up a plugin that the scheduler sent, and return it; None if it is set up already.

        Raises
        ------
        BaseException
            If the plugin's setup raises it. The plugin stays.
        """
        async with self._lock:
            return await self._receive(plugin)

    async def _receive(self, plugin: pb.NamedPlugin) -> Any:
        if self._revisions.get(plugin.name, 0) >= plugin.revision:
            return None
        decoded = await self._in_thread(with_unpickle_lock, payloads.from_payload, plugin.plugin)
        # Noted first, so that a failing plugin is not set up again and again.
        self._revisions[plugin.name] = plugin.revision
        await self._add(plugin.name, decoded)
        return decoded

    async def sync(
        self,
        scheduler: ServiceClient,
        first: Callable[[pb.SyncPluginsResponse], Awaitable[None]] | None = None,
        timeout: float = SYNC_TIMEOUT,
    ) -> list[Any]:
        """Set up the scheduler's plugins that are missing here, and remove those that the scheduler has removed.

        A plugin that fails is logged, and the process goes on without it.

        Parameters
        ----------
        scheduler : ServiceClient
            Calls the scheduler's `PLUGIN_SERVICE`.
        first : callable, optional
            Called with the scheduler's answer before any plugin is set up.
        timeout : float
            Seconds that the scheduler has for its answer.

        Returns
        -------
        list
            The plugins that were set up.

        Raises
        ------
        OSError, DagrpcError, TimeoutError
            If the scheduler cannot be reached.
        """
        async with self._lock:
            answer, missing = await self._fetch(scheduler, timeout)
            if first is not None:
                await first(answer)
            for name in [name for name in self._revisions if name not in answer.names]:
                await self._logged(self._remove(name), name, "torn down")
            added = [await self._logged(self._receive(plugin), plugin.name, "set up") for plugin in missing]
            self.revision = answer.revision
            return [plugin for plugin in added if plugin is not None]

    async def _fetch(
        self, scheduler: ServiceClient, timeout: float
    ) -> tuple[pb.SyncPluginsResponse, list[pb.NamedPlugin]]:
        request = pb.SyncPluginsRequest(kind=self._kind, known=self._revisions)
        call = scheduler.open_download("SyncPlugins", request)
        answer, missing = pb.SyncPluginsResponse(), []
        try:
            async with asyncio.timeout(timeout):
                async for data in call:
                    message = pb.SyncPluginsResponse.FromString(data)
                    if message.HasField("plugin"):
                        missing.append(message.plugin)
                    else:
                        answer = message
        except grpc.aio.AioRpcError as error:
            raise error_status.from_rpc_error(error, scheduler.peer) from None
        finally:
            call.cancel()
        return answer, missing

    def log_failure(self, error: BaseException) -> None:
        """Log an exception of a plugin, which the scheduler gets as well."""
        self._logger.error("A plugin of %r failed", self.owner, exc_info=error)

    async def _logged(self, work: Awaitable[Any], name: str, what: str) -> Any:
        """Await `work`; log a failure and return None."""
        try:
            return await work
        except asyncio.CancelledError:
            raise
        # SystemExit too: a plugin must not end the process.
        except BaseException:
            self._logger.exception("Plugin %r of %r could not be %s", name, self.owner, what)
            return None

    # --- adding and removing -------------------------------------------------------------------------------------

    async def add(self, name: str, plugin: Any) -> None:
        """Set a plugin up. It replaces a plugin of the same name.

        Raises
        ------
        BaseException
            If the plugin's setup raises it. The plugin stays.
        """
        async with self._lock:
            await self._add(name, plugin)

    async def _add(self, name: str, plugin: Any) -> None:
        former = self.plugins.pop(name, None)
        if former is not None:
            await self._logged(self._call(former, "teardown"), name, "torn down")
        self.plugins[name] = plugin
        self.changed()
        await self._call(plugin, "setup")

    async def remove(self, name: str) -> bool:
        """Tear a plugin down and forget it. Return whether there was one.

        Raises
        ------
        BaseException
            If the plugin's teardown raises it. The plugin is removed nevertheless.
        """
        async with self._lock:
            return await self._remove(name)

    async def _remove(self, name: str) -> bool:
        self._revisions.pop(name, None)
        plugin = self.plugins.pop(name, None)
        if plugin is None:
            return False
        self.changed()
        await self._call(plugin, "teardown")
        return True

    async def close(self) -> None:
        """Tear all plugins down. Each has a few seconds."""
        for name, plugin in list(self.plugins.items()):
            try:
                async with asyncio.timeout(_TEARDOWN_TIMEOUT):
                    await self._logged(self._call(plugin, "teardown"), name, "torn down")
            except TimeoutError:
                self._logger.warning("Plugin %r of %r takes too long for its teardown", name, self.owner)
        self.plugins.clear()
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    async def _call(self, plugin: Any, method: str) -> None:
        function = getattr(plugin, method, None)
        if function is None:
            return
        if inspect.iscoroutinefunction(function):
            await function(self.owner)
            return
        outcome = await self._in_thread(function, self.owner)
        if inspect.isawaitable(outcome):
            await outcome

    async def _in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="dagrpc-plugins")
        context = copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._executor, context.run, function, *args)
