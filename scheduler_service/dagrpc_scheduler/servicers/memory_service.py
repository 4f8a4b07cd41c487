"""MemoryService: where copies of results are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import memory_service_pb2 as pb
from dagrpc_scheduler.shell.memory import replication

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

SERVICE = pb.DESCRIPTOR.services_by_name["MemoryService"]
_MOST_BRANCHES = 1_000


class MemoryServicer:
    """Has copies made and dropped; each method is the rpc of its name.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service

    async def ControlMemoryManager(self, request: pb.ControlMemoryManagerRequest) -> pb.ControlMemoryManagerResponse:
        manager = self._service.memory_manager
        match request.action:
            case pb.MEMORY_MANAGER_ACTION_UNSPECIFIED:
                pass
            case pb.MEMORY_MANAGER_ACTION_START:
                manager.start()
            case pb.MEMORY_MANAGER_ACTION_STOP:
                manager.stop()
            case pb.MEMORY_MANAGER_ACTION_RUN_ONCE:
                manager.run_once()
            case unknown:
                raise InvalidRequestError(f"`action` is {unknown}, which is none that this scheduler knows")
        return pb.ControlMemoryManagerResponse(running=manager.running)

    async def Replicate(self, request: pb.ReplicateRequest) -> pb.ReplicateResponse:
        workers = self._service.resolve_workers(request.workers)
        branching = min(request.branching_factor or 2, _MOST_BRANCHES)
        missing = await replication.replicate(self._service, request.keys, request.copies, workers, branching=branching)
        return pb.ReplicateResponse(missing=missing)

    async def Rebalance(self, request: pb.RebalanceRequest) -> pb.RebalanceResponse:
        workers = self._service.resolve_workers(request.workers)
        failed = await replication.rebalance(self._service, list(request.keys) or None, workers)
        return pb.RebalanceResponse(failed=failed)
