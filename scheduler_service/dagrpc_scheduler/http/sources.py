"""The scheduler's parts that HTTP handlers read, and figures that are made of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dagrpc._auth.access import Access
from dagrpc._loop.ticks import Ticks
from dagrpc._rpc.call_statistics import CallStatistics
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.servicers.cluster_log_service import ClusterLogServicer
from dagrpc_scheduler.servicers.diagnostics_service import DiagnosticsServicer
from dagrpc_scheduler.servicers.task_service import TaskServicer
from dagrpc_scheduler.shell.coordination.coordination_shell import CoordinationShell
from dagrpc_scheduler.shell.coordination.shuffle_shell import ShuffleShell
from dagrpc_scheduler.shell.coordination.topic_shell import EventLog
from dagrpc_scheduler.shell.identity import Identity
from dagrpc_scheduler.shell.memory import worker_memory
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers
from dagrpc_scheduler.shell.user_views.memory_state import MemoryState
from dagrpc_scheduler.shell.workers.retire_workers import Retirement
from dagrpc_scheduler.shell.workers.scaling import Scaling


@dataclass(slots=True)
class SchedulerSources:
    """The parts of a scheduler that HTTP handlers read. On the scheduler's event loop only."""

    identity: Identity
    core: SchedulerCore
    peers: ConnectedPeers
    scaling: Scaling
    access: Access
    """The rules by which callers are let in."""
    diagnostics: DiagnosticsServicer
    logs: ClusterLogServicer
    events: EventLog
    coordination: CoordinationShell
    shuffles: ShuffleShell
    calls: CallStatistics
    ticks: Ticks
    tasks: TaskServicer
    retirement: Retirement
    scheduler: Callable[[], Any]
    """Returns the `Scheduler`, which users' routes are given."""

    def now(self) -> float:
        """Return the time in seconds since the epoch."""
        return time.time()

    def desired_workers(self) -> int:
        """Return how many workers the tasks at hand could use."""
        return self.scaling.adaptive_target()

    def cluster_memory(self) -> MemoryState:
        """Return what the memory of all workers is used for."""
        return MemoryState.sum(self.memory_of(address) for address in self.peers.workers)

    def memory_of(self, address: str) -> MemoryState:
        """Return what one worker's memory is used for."""
        return worker_memory.memory_of(self.peers, self.core.state.workers[address])
