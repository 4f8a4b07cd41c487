"""ShuffleCoordinationService: workers take part in shuffles."""

from __future__ import annotations

from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import shuffle_service_pb2 as pb
from dagrpc_scheduler.shell.coordination.shuffle_shell import ShuffleShell


class ShuffleServicer:
    """Coordinates shuffles; each method is the rpc of its name."""

    def __init__(self, shuffles: ShuffleShell) -> None:
        self._shuffles = shuffles

    async def JoinShuffle(self, request: pb.JoinShuffleRequest) -> pb.JoinShuffleResponse:
        if not (request.shuffle_id and request.barrier and request.task and request.worker):
            raise InvalidRequestError("a worker that joins a shuffle names it, its barrier, the task and itself")
        return self._shuffles.join(request)

    async def PassBarrier(self, request: pb.PassBarrierRequest) -> pb.PassBarrierResponse:
        return self._shuffles.pass_barrier(request)

    async def RestartShuffle(self, request: pb.RestartShuffleRequest) -> pb.RestartShuffleResponse:
        await self._shuffles.restart(request)
        return pb.RestartShuffleResponse()
