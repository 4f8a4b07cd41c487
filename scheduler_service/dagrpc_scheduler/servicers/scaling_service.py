"""ScalingService: what cluster managers ask."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import scaling_service_pb2 as pb
from dagrpc_scheduler.shell.workers import scaling_facts

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

SERVICE = pb.DESCRIPTOR.services_by_name["ScalingService"]


class ScalingServicer:
    """Says how many workers there should be; each method is the rpc of its name.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service

    async def GetTargetSize(self, request: pb.GetTargetSizeRequest) -> pb.GetTargetSizeResponse:
        seconds = _checked(request.target_duration_seconds, "target_duration_seconds")
        target = scaling_facts.adaptive_target(self._service, seconds or None)
        return pb.GetTargetSizeResponse(workers=min(target, 2**32 - 1))

    async def ChooseWorkersToClose(self, request: pb.ChooseWorkersToCloseRequest) -> pb.ChooseWorkersToCloseResponse:
        chosen = scaling_facts.workers_to_close(
            self._service,
            n=request.count if request.HasField("count") else None,
            minimum=request.minimum,
            memory_ratio=_checked(request.memory_ratio, "memory_ratio") or None,
            groups=dict(request.groups),
        )
        connected = self._service.sessions.workers
        return pb.ChooseWorkersToCloseResponse(
            workers=[
                pb.ClosableWorker(address=address, name=connected[address].name)
                for address in chosen
                if address in connected
            ]
        )


def _checked(number: float, what: str) -> float:
    if not math.isfinite(number) or number < 0:
        raise InvalidRequestError(f"`{what}` is {number}; it must be a number of at least 0")
    return number
