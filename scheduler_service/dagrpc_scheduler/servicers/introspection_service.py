"""IntrospectionService: what the scheduler knows, and what happened; and what its workers say of themselves."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from google.protobuf.message import Message

from dagrpc._common.versions import host_facts, package_versions
from dagrpc._rpc.channels import ServiceClient
from dagrpc.exceptions import DagrpcError
from dagrpc.v1 import introspection_service_pb2 as pb
from dagrpc_scheduler.core import views
from dagrpc_scheduler.servicers.state_dump import describe

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

M = TypeVar("M", bound=Message)

SERVICE = pb.DESCRIPTOR.services_by_name["IntrospectionService"]

_DEADLINE = 30.0
"""Seconds for a worker to answer."""
_PIECE = 1 << 20
"""Bytes of a document in one message."""


class IntrospectionServicer:
    """Tells of the scheduler and its workers; each method is the rpc of its name.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service

    async def GetVersions(self, request: pb.GetVersionsRequest) -> pb.GetVersionsResponse:
        own = pb.ProcessVersions(host=host_facts(), packages=package_versions(request.packages))
        response = pb.GetVersionsResponse(own=own)
        if request.with_workers:
            question = pb.GetVersionsRequest(packages=request.packages)
            answers, unreachable = await self._ask("GetVersions", question, pb.GetVersionsResponse)
            for address, answer in answers.items():
                response.workers[address].CopyFrom(answer.own)
            response.unreachable.update(unreachable)
        return response

    async def GetStory(self, request: pb.GetStoryRequest) -> pb.GetStoryResponse:
        found = views.story(self._service.core, list(request.keys_or_stimuli))
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
            answers, unreachable = await self._ask("GetStory", question, pb.GetStoryResponse)
            for answer in answers.values():
                response.transitions.extend(answer.transitions)
            response.unreachable.update(unreachable)
        return response

    async def DumpState(self, request: pb.DumpStateRequest, context: Any) -> None:
        # Made at once, so that it is one moment's; written elsewhere.
        facts = describe(self._service)
        data = await asyncio.to_thread(lambda: json.dumps(facts, default=str).encode())
        for start in range(0, len(data), _PIECE):
            piece = pb.DumpStateResponse(source="scheduler", data=data[start : start + _PIECE])
            await context.write(piece.SerializeToString())
        if request.with_workers:
            for address in list(self._service.sessions.workers):
                await self._pass_on(address, context)

    async def _pass_on(self, address: str, context: Any) -> None:
        """Have a worker tell, and pass on what it says."""
        call = self._client(address).open_download("DumpState", pb.DumpStateRequest())
        try:
            while (data := await asyncio.wait_for(call.read(), _DEADLINE)) is not grpc.aio.EOF:
                await context.write(data)
        except (grpc.aio.AioRpcError, TimeoutError) as error:
            why = error.details() if isinstance(error, grpc.aio.AioRpcError) else f"no answer within {_DEADLINE:g} s"
            await context.write(pb.DumpStateResponse(source=address, unreachable=why or "gone").SerializeToString())
        finally:
            call.cancel()

    def _client(self, address: str) -> ServiceClient:
        return self._service.control_channels.client(address, SERVICE, f"worker {address}")

    async def _ask(self, method: str, request: Message, answer: type[M]) -> tuple[dict[str, M], dict[str, str]]:
        """Ask all workers at once. Return the answers, and why there is none."""

        async def one(address: str) -> M | str:
            try:
                return await self._client(address).call(method, request, answer, timeout=_DEADLINE)
            except (DagrpcError, OSError, TimeoutError) as error:
                return str(error)

        addresses = list(self._service.sessions.workers)
        found = dict(zip(addresses, await asyncio.gather(*map(one, addresses)), strict=True))
        answers = {address: each for address, each in found.items() if not isinstance(each, str)}
        return answers, {address: each for address, each in found.items() if isinstance(each, str)}
