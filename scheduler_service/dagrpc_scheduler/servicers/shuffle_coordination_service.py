"""ShuffleCoordinationService as gRPC sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import shuffle_service_pb2 as pb

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService


class ShuffleServicer:
    """What workers ask for.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service

    async def JoinShuffle(self, request: pb.JoinShuffleRequest) -> pb.JoinShuffleResponse:
        """Have a worker take part in a shuffle."""
        if not (request.shuffle_id and request.barrier and request.task and request.worker):
            raise InvalidRequestError("a worker that joins a shuffle names it, its barrier, the task and itself")
        return self._service.shuffles.join(request)

    async def PassBarrier(self, request: pb.PassBarrierRequest) -> pb.PassBarrierResponse:
        """Take note that all sources have been sent."""
        return self._service.shuffles.pass_barrier(request)

    async def RestartShuffle(self, request: pb.RestartShuffleRequest) -> pb.RestartShuffleResponse:
        """Begin a shuffle again."""
        await self._service.shuffles.restart(request)
        return pb.RestartShuffleResponse()
