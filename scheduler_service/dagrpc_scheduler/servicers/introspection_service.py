"""IntrospectionService: versions, stories and state dumps of the scheduler and its workers."""

from __future__ import annotations

import asyncio
import json
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from dagrpc._common.versions import host_facts, package_versions
from dagrpc._rpc.channels import ChannelPool
from dagrpc.v1 import introspection_service_pb2 as pb
from dagrpc_scheduler.core import views
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.servicers.state_dump import StateDump
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers
from dagrpc_scheduler.shell.workers.ask_workers import Answers, ask_workers

R = TypeVar("R", bound=Message)

_SERVICE = pb.DESCRIPTOR.services_by_name["IntrospectionService"]
"""Workers serve it, too."""
_TIMEOUT = 30.0
"""Seconds that a worker has for its answer."""
_PIECE = 1 << 20
"""Bytes of a document in one message."""


class IntrospectionServicer:
    """Describes the scheduler and its workers; each method is the rpc of its name."""

    def __init__(
        self, core: SchedulerCore, peers: ConnectedPeers, control_channels: ChannelPool, state_dump: StateDump
    ) -> None:
        self._core = core
        self._peers = peers
        self._channels = control_channels
        self._state_dump = state_dump

    async def GetVersions(self, request: pb.GetVersionsRequest) -> pb.GetVersionsResponse:
        own = pb.ProcessVersions(host=host_facts(), packages=package_versions(request.packages))
        response = pb.GetVersionsResponse(own=own)
        if request.with_workers:
            question = pb.GetVersionsRequest(packages=request.packages)
            answers = await self._ask("GetVersions", question, pb.GetVersionsResponse)
            for address, answer in answers.found.items():
                response.workers[address].CopyFrom(answer.own)
            response.unreachable.update(answers.failures)
        return response

    async def GetStory(self, request: pb.GetStoryRequest) -> pb.GetStoryResponse:
        found = views.story(self._core, list(request.keys_or_stimuli))
        response = pb.GetStoryResponse(
            transitions=[
                pb.Transition(
                    key=entry.key,
                    start=entry.start,
                    finish=entry.finish,
                    stimulus=entry.stimulus,
                    time=entry.time,
                    worker=entry.worker,
                    source="scheduler",
                )
                for entry in found
            ]
        )
        if request.with_workers:
            question = pb.GetStoryRequest(keys_or_stimuli=request.keys_or_stimuli)
            answers = await self._ask("GetStory", question, pb.GetStoryResponse)
            for answer in answers.found.values():
                response.transitions.extend(answer.transitions)
            response.unreachable.update(answers.failures)
        return response

    async def DumpState(self, request: pb.DumpStateRequest, context: Any) -> None:
        # The state is described in one step, so that it fits together, and encoded off the loop.
        facts = self._state_dump.describe()
        data = await asyncio.to_thread(lambda: json.dumps(facts, default=str).encode())
        for start in range(0, len(data), _PIECE):
            piece = pb.DumpStateResponse(source="scheduler", data=data[start : start + _PIECE])
            await context.write(piece.SerializeToString())
        if request.with_workers:
            for address in list(self._peers.workers):
                await self._pass_on(address, context)

    async def _pass_on(self, address: str, context: Any) -> None:
        """Pass on the dump of a worker."""
        client = self._channels.client(address, _SERVICE, f"worker {address}")
        call = client.open_download("DumpState", pb.DumpStateRequest())
        try:
            while (data := await asyncio.wait_for(call.read(), _TIMEOUT)) is not grpc.aio.EOF:
                await context.write(data)
        except (grpc.aio.AioRpcError, TimeoutError) as error:
            why = error.details() if isinstance(error, grpc.aio.AioRpcError) else f"no answer within {_TIMEOUT:g} s"
            await context.write(pb.DumpStateResponse(source=address, unreachable=why or "gone").SerializeToString())
        finally:
            call.cancel()

    async def _ask(self, method: str, request: Message, response_type: type[R]) -> Answers[R]:
        """Call a method of all workers."""
        requests = dict.fromkeys(list(self._peers.workers), request)
        return await ask_workers(self._channels, _SERVICE, method, requests, response_type, timeout=_TIMEOUT)
