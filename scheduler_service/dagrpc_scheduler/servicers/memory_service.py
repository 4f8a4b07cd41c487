"""MemoryService: copies of results, and the active memory manager."""

from __future__ import annotations

from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import memory_service_pb2 as pb
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.shell.memory.active_memory_manager import MemoryManagerHost
from dagrpc_scheduler.shell.memory.replication import Replication
from dagrpc_scheduler.shell.workers.named_workers import named_workers

_MOST_BRANCHES = 1_000


class MemoryServicer:
    """Makes, moves and drops copies of results; each method is the rpc of its name."""

    def __init__(self, core: SchedulerCore, replication: Replication, memory_manager_host: MemoryManagerHost) -> None:
        self._core = core
        self._replication = replication
        self._memory_manager_host = memory_manager_host

    async def ControlMemoryManager(self, request: pb.ControlMemoryManagerRequest) -> pb.ControlMemoryManagerResponse:
        manager = self._memory_manager_host.registered()
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
                raise InvalidRequestError(f"`action` is {unknown}, which this scheduler does not know")
        return pb.ControlMemoryManagerResponse(running=manager.running)

    async def Replicate(self, request: pb.ReplicateRequest) -> pb.ReplicateResponse:
        workers = named_workers(self._core, request.workers)
        branching = min(request.branching_factor or 2, _MOST_BRANCHES)
        missing = await self._replication.replicate(request.keys, request.copies, workers, branching=branching)
        return pb.ReplicateResponse(missing=missing)

    async def Rebalance(self, request: pb.RebalanceRequest) -> pb.RebalanceResponse:
        workers = named_workers(self._core, request.workers)
        failed = await self._replication.rebalance(list(request.keys) or None, workers)
        return pb.RebalanceResponse(failed=failed)
