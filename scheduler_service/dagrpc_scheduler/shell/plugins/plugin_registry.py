"""The plugins of workers and nannies: kept as they came, and handed out to all who are there or join later."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import Message

from dagrpc.exceptions import CommClosedError, DagrpcError, NotReadyError, UnknownPluginError
from dagrpc.v1 import common_pb2, scheduler_service_pb2
from dagrpc.v1 import plugin_service_pb2 as pb

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService
    from dagrpc_scheduler.shell.sessions.connected_peers import WorkerConnection

HOST_SERVICE = pb.DESCRIPTOR.services_by_name["PluginHostService"]

WORKER, NANNY = pb.PLUGIN_KIND_WORKER, pb.PLUGIN_KIND_NANNY

SETUP_LIMIT = 3600.0
"""No plugin may take longer to be set up: some install software."""
_AT_ONCE = 64

R = TypeVar("R", bound=Message)


class PluginRegistry:
    """What clients registered for workers and nannies. The scheduler does not look into it.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service
        self._kept: dict[int, dict[str, pb.NamedPlugin]] = {WORKER: {}, NANNY: {}}
        # Later than that of any scheduler before this one: nannies may outlive their scheduler.
        self.revision = int(time.time() * 1_000_000)
        """Grows with each change."""

    def __contains__(self, kind_and_name: tuple[int, str]) -> bool:
        kind, name = kind_and_name
        return name in self._kept[kind]

    async def register(self, kind: int, name: str, plugin: common_pb2.Payload) -> list[scheduler_service_pb2.RunResult]:
        """Keep a plugin and have it set up; return what came of that."""
        self.revision += 1
        named = pb.NamedPlugin(name=name, revision=self.revision, plugin=plugin)
        # Those that join later get them in the order of their registration.
        self._kept[kind].pop(name, None)
        self._kept[kind][name] = named
        request = pb.SetUpPluginRequest(plugin=named)
        return await self._tell_all(kind, "SetUpPlugin", request, pb.SetUpPluginResponse)

    async def unregister(self, kind: int, name: str) -> list[scheduler_service_pb2.RunResult]:
        """Forget a plugin and have it torn down; return what came of that.

        Raises
        ------
        UnknownPluginError
            If there is none.
        """
        if name not in self._kept[kind]:
            what = "nanny" if kind == NANNY else "worker"
            raise UnknownPluginError(f"The {what} plugin {name} does not exist")
        self.revision += 1
        del self._kept[kind][name]
        request = pb.TearDownPluginRequest(name=name)
        return await self._tell_all(kind, "TearDownPlugin", request, pb.TearDownPluginResponse)

    def missing(self, kind: int, known: Mapping[str, int]) -> Iterator[pb.SyncPluginsResponse]:
        """Yield what a process lacks that has plugins of these revisions."""
        kept = self._kept[kind]
        yield pb.SyncPluginsResponse(names=kept, revision=self.revision, nanny_plugins=bool(self._kept[NANNY]))
        for name, plugin in list(kept.items()):
            if known.get(name, 0) < plugin.revision:
                yield pb.SyncPluginsResponse(plugin=plugin)

    async def complete(self, connection: WorkerConnection) -> None:
        """See to it that a worker that is about to join has all that was registered since it asked.

        Raises
        ------
        NotReadyError
            If it cannot be told.
        """
        hello = connection.hello
        while _runs_plugins(connection) and connection.plugins_revision != self.revision:
            revision = self.revision
            client = self._service.control_channels.client(hello.address, HOST_SERVICE, f"worker {hello.address}")
            try:
                await client.call(
                    "AdoptPlugins", pb.AdoptPluginsRequest(), pb.AdoptPluginsResponse, timeout=SETUP_LIMIT
                )
            except (OSError, TimeoutError) as error:
                raise NotReadyError(f"Worker {hello.address} cannot be told of its plugins: {error}") from None
            connection.plugins_revision = revision

    async def _tell_all(
        self, kind: int, method: str, request: Message, response_type: type[R]
    ) -> list[scheduler_service_pb2.RunResult]:
        """Call a method of all who run plugins of a kind."""
        workers = self._service.sessions.workers
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(address: str, target: str) -> scheduler_service_pb2.RunResult | None:
            client = self._service.control_channels.client(target, HOST_SERVICE, target)
            try:
                async with places:
                    response = await client.call(method, request, response_type, timeout=SETUP_LIMIT)
            except (DagrpcError, CommClosedError, TimeoutError) as error:
                if address not in workers:
                    # It has left meanwhile, and has no plugins any more.
                    return None
                return scheduler_service_pb2.RunResult(worker=address, unreachable=str(error))
            result: scheduler_service_pb2.RunResult = response.result  # type: ignore[attr-defined]
            result.worker = address
            return result

        targets = _targets(kind, workers)
        results = await asyncio.gather(*(one(address, target) for address, target in targets.items()))
        return [result for result in results if result is not None]


def _targets(kind: int, workers: Mapping[str, WorkerConnection]) -> dict[str, str]:
    """Return where to call, by the address of the worker."""
    able = {address: worker for address, worker in workers.items() if _runs_plugins(worker)}
    if kind == NANNY:
        return {address: worker.nanny for address, worker in able.items() if worker.nanny}
    return {address: address for address in able}


def _runs_plugins(worker: WorkerConnection) -> bool:
    """Tell whether a worker has ever asked for plugins: one in another language may not."""
    return worker.hello.plugins_revision != 0
