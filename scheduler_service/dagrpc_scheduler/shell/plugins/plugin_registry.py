"""The plugins of workers and nannies: kept as clients sent them, and handed to all that are here or join later."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TypeVar

from google.protobuf.message import Message

from dagrpc._common.time_limits import PLUGIN_SETUP_LIMIT
from dagrpc._rpc.channels import ChannelPool
from dagrpc.exceptions import NotReadyError, UnknownPluginError
from dagrpc.v1 import common_pb2, scheduler_service_pb2
from dagrpc.v1 import plugin_service_pb2 as pb
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers, WorkerConnection
from dagrpc_scheduler.shell.workers.ask_workers import ask_workers

HOST_SERVICE = pb.DESCRIPTOR.services_by_name["PluginHostService"]

WORKER, NANNY = pb.PLUGIN_KIND_WORKER, pb.PLUGIN_KIND_NANNY

SetUpOrTornDown = TypeVar("SetUpOrTornDown", pb.SetUpPluginResponse, pb.TearDownPluginResponse)


class PluginRegistry:
    """The registered plugins of workers and nannies. The scheduler does not unpickle them."""

    def __init__(self, peers: ConnectedPeers, control_channels: ChannelPool) -> None:
        self._peers = peers
        self._channels = control_channels
        self._kept: dict[int, dict[str, pb.NamedPlugin]] = {WORKER: {}, NANNY: {}}
        # Later than the revisions of any scheduler before this one: nannies may outlive their scheduler.
        self.revision = int(time.time() * 1_000_000)
        """Grows with each change."""

    def __contains__(self, kind_and_name: tuple[int, str]) -> bool:
        kind, name = kind_and_name
        return name in self._kept[kind]

    async def register(self, kind: int, name: str, plugin: common_pb2.Payload) -> list[scheduler_service_pb2.RunResult]:
        """Keep a plugin, have it set up, and return the results."""
        self.revision += 1
        named = pb.NamedPlugin(name=name, revision=self.revision, plugin=plugin)
        # Workers that join later set plugins up in the order of registration.
        self._kept[kind].pop(name, None)
        self._kept[kind][name] = named
        request = pb.SetUpPluginRequest(plugin=named)
        return await self._tell_all(kind, "SetUpPlugin", request, pb.SetUpPluginResponse)

    async def unregister(self, kind: int, name: str) -> list[scheduler_service_pb2.RunResult]:
        """Forget a plugin, have it torn down, and return the results.

        Raises `UnknownPluginError` if there is no such plugin.
        """
        if name not in self._kept[kind]:
            what = "nanny" if kind == NANNY else "worker"
            raise UnknownPluginError(f"The {what} plugin {name} does not exist")
        self.revision += 1
        del self._kept[kind][name]
        request = pb.TearDownPluginRequest(name=name)
        return await self._tell_all(kind, "TearDownPlugin", request, pb.TearDownPluginResponse)

    def missing(self, kind: int, known: Mapping[str, int]) -> Iterator[pb.SyncPluginsResponse]:
        """Yield the plugins that a process lacks, given the revisions of those that it has."""
        kept = self._kept[kind]
        yield pb.SyncPluginsResponse(names=kept, revision=self.revision, nanny_plugins=bool(self._kept[NANNY]))
        for name, plugin in list(kept.items()):
            if known.get(name, 0) < plugin.revision:
                yield pb.SyncPluginsResponse(plugin=plugin)

    async def complete(self, connection: WorkerConnection) -> None:
        """Make a joining worker set up the plugins that were registered since it asked for plugins.

        Raises `NotReadyError` if the worker cannot be called.
        """
        address = connection.hello.address
        while _runs_plugins(connection) and connection.plugins_revision != self.revision:
            revision = self.revision
            client = self._channels.client(address, HOST_SERVICE, f"worker {address}")
            try:
                await client.call(
                    "AdoptPlugins", pb.AdoptPluginsRequest(), pb.AdoptPluginsResponse, timeout=PLUGIN_SETUP_LIMIT
                )
            except (OSError, TimeoutError) as error:
                raise NotReadyError(f"Worker {address} cannot be told of its plugins: {error}") from None
            connection.plugins_revision = revision

    async def _tell_all(
        self, kind: int, method: str, request: Message, response_type: type[SetUpOrTornDown]
    ) -> list[scheduler_service_pb2.RunResult]:
        """Call a method of all processes that run plugins of a kind; return the results of those still here."""
        targets = _targets(kind, self._peers.workers)
        requests = dict.fromkeys(targets.values(), request)
        answers = await ask_workers(
            self._channels,
            HOST_SERVICE,
            method,
            requests,
            response_type,
            timeout=PLUGIN_SETUP_LIMIT,
            who="nanny" if kind == NANNY else "worker",
        )
        results = []
        for address, target in targets.items():
            answer = answers.found.get(target)
            if answer is not None:
                answer.result.worker = address
                results.append(answer.result)
            elif address in self._peers.workers:
                results.append(scheduler_service_pb2.RunResult(worker=address, unreachable=answers.failures[target]))
        return results


def _targets(kind: int, workers: Mapping[str, WorkerConnection]) -> dict[str, str]:
    """Return the addresses to call, by worker address."""
    able = {address: worker for address, worker in workers.items() if _runs_plugins(worker)}
    if kind == NANNY:
        return {address: worker.nanny for address, worker in able.items() if worker.nanny}
    return {address: address for address in able}


def _runs_plugins(worker: WorkerConnection) -> bool:
    """Tell whether a worker has ever asked for plugins; one in another language may not."""
    return worker.hello.plugins_revision != 0
