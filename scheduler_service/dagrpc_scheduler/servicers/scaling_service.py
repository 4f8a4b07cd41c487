"""ScalingService: the questions of cluster managers."""

from __future__ import annotations

import math

from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import scaling_service_pb2 as pb
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers
from dagrpc_scheduler.shell.workers.scaling import Scaling


class ScalingServicer:
    """Says how many workers the work needs; each method is the rpc of its name."""

    def __init__(self, scaling: Scaling, peers: ConnectedPeers) -> None:
        self._scaling = scaling
        self._peers = peers

    async def GetTargetSize(self, request: pb.GetTargetSizeRequest) -> pb.GetTargetSizeResponse:
        seconds = _checked(request.target_duration_seconds, "target_duration_seconds")
        target = self._scaling.adaptive_target(seconds or None)
        return pb.GetTargetSizeResponse(workers=min(target, 2**32 - 1))

    async def ChooseWorkersToClose(self, request: pb.ChooseWorkersToCloseRequest) -> pb.ChooseWorkersToCloseResponse:
        chosen = self._scaling.workers_to_close(
            n=request.count if request.HasField("count") else None,
            minimum=request.minimum,
            memory_ratio=_checked(request.memory_ratio, "memory_ratio") or None,
            groups=dict(request.groups),
        )
        connected = self._peers.workers
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
