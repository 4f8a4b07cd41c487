"""ActorRelayService: calls of actors through the scheduler, for clients that cannot reach the workers.

The calls pass through undecoded.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from dagrpc._rpc import error_status
from dagrpc._rpc.channels import ChannelPool, identity
from dagrpc._rpc.request_streams import WrittenStream
from dagrpc._rpc.server import read_all
from dagrpc.exceptions import CommClosedError, InvalidRequestError, NotReadyError, UnknownWorkerError
from dagrpc.v1 import actor_service_pb2 as pb
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers

_METHOD = f"/{pb.DESCRIPTOR.services_by_name['ActorService'].full_name}/CallActor"


class ActorRelayServicer:
    """The methods of ActorRelayService, by the names of the contract."""

    def __init__(self, peers: ConnectedPeers, control_channels: ChannelPool) -> None:
        self._peers = peers
        self._channels = control_channels

    async def RelayActorCalls(self, _: Any, context: Any) -> None:
        """Pass a stream of calls on to the worker that the first message names."""
        first = await context.read()
        if first is grpc.aio.EOF or first.WhichOneof("part") != "worker":
            raise InvalidRequestError("the first message of a relayed session must name the worker")
        worker = first.worker
        if worker not in self._peers.workers:
            raise UnknownWorkerError(f"No worker at {worker}")
        channel = self._channels.get(worker)
        function = channel.stream_stream(_METHOD, request_serializer=identity, response_deserializer=identity)
        call = WrittenStream(function())
        requests = asyncio.create_task(_pass_on_requests(context, call))
        responses = asyncio.create_task(_pass_on_responses(call, context))
        try:
            await asyncio.wait((requests, responses), return_when=asyncio.FIRST_COMPLETED)
            if not responses.done():
                # The caller has sent all its calls; answers are still to come.
                requests.result()
                await responses
            responses.result()
        except grpc.aio.AioRpcError as error:
            failure = error_status.from_rpc_error(error, f"worker {worker}")
            raise NotReadyError(str(failure)) if isinstance(failure, CommClosedError) else failure from None
        except asyncio.InvalidStateError:
            raise NotReadyError(f"worker {worker} ended the session") from None
        finally:
            call.cancel()
            for task in (requests, responses):
                task.cancel()
            await asyncio.gather(requests, responses, return_exceptions=True)


async def _pass_on_requests(context: Any, call: Any) -> None:
    async for piece in read_all(context):
        await call.write(piece.message)
    await call.done_writing()


async def _pass_on_responses(call: Any, context: Any) -> None:
    async for message in read_all(call):
        await context.write(pb.RelayActorCallsResponse(message=message).SerializeToString())
