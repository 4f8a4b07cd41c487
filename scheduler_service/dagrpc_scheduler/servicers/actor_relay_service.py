"""Calls of actors through the scheduler, for clients that cannot reach the workers. The calls pass through unread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc

from dagrpc._rpc import status
from dagrpc._rpc.channels import identity
from dagrpc._rpc.request_streams import WrittenStream
from dagrpc._rpc.server import read_all
from dagrpc.exceptions import CommClosedError, InvalidRequestError, NotReadyError, UnknownWorkerError
from dagrpc.v1 import actor_service_pb2 as pb

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

SERVICE = pb.DESCRIPTOR.services_by_name["ActorRelayService"]
_METHOD = f"/{pb.DESCRIPTOR.services_by_name['ActorService'].full_name}/CallActor"


class ActorRelayServicer:
    """The methods of ActorRelayService, by the names of the contract.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service

    async def RelayActorCalls(self, _: Any, context: Any) -> None:
        """Pass a session on to the worker that the first message names."""
        first = await context.read()
        if first is grpc.aio.EOF or first.WhichOneof("part") != "worker":
            raise InvalidRequestError("the first message of a relayed session must name the worker")
        worker = first.worker
        if worker not in self._service.sessions.workers:
            raise UnknownWorkerError(f"No worker at {worker}")
        channel = self._service.control_channels.get(worker)
        function = channel.stream_stream(_METHOD, request_serializer=identity, response_deserializer=identity)
        call = WrittenStream(function())
        there = asyncio.create_task(_send_on(context, call))
        back = asyncio.create_task(_send_back(call, context))
        try:
            await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
            if not back.done():
                # The caller has said all. What it waits for comes yet.
                there.result()
                await back
            back.result()
        except grpc.aio.AioRpcError as error:
            failure = status.from_rpc_error(error, f"worker {worker}")
            raise NotReadyError(str(failure)) if isinstance(failure, CommClosedError) else failure from None
        except asyncio.InvalidStateError:
            raise NotReadyError(f"worker {worker} ended the session") from None
        finally:
            call.cancel()
            for task in (there, back):
                task.cancel()
            await asyncio.gather(there, back, return_exceptions=True)


async def _send_on(context: Any, call: Any) -> None:
    async for piece in read_all(context):
        await call.write(piece.message)
    await call.done_writing()


async def _send_back(call: Any, context: Any) -> None:
    async for message in read_all(call):
        await context.write(pb.RelayActorCallsResponse(message=message).SerializeToString())
