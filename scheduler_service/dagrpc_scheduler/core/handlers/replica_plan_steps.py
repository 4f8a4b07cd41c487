"""Replicas are created and dropped according to a plan, without losing any result."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from dagrpc_scheduler.core.events import ReplicasPlanned
from dagrpc_scheduler.core.instructions import AcquireReplicas, RemoveReplicas
from dagrpc_scheduler.core.model import RUNNING, TaskState, WorkerState
from dagrpc_scheduler.core.replica_table import can_drop, can_gain, location, remove_replica, tell_readers
from dagrpc_scheduler.core.state import SchedulerState

RECENT_SECONDS: Final = 60.0
"""Seconds during which a worker that reports a result as missing may have asked the holder before the holder received
the result again."""


def replicas_planned(state: SchedulerState, event: ReplicasPlanned) -> None:
    """Tell workers to fetch the replicas of a plan, and to drop those that are not needed."""
    for address, keys in event.gains.items():
        worker = state.workers.get(address)
        if worker is not None and worker.status == RUNNING:
            _fetch(state, worker, keys)
    for address, keys in event.drops.items():
        worker = state.workers.get(address)
        if worker is not None:
            _drop(state, worker, keys)


def _fetch(state: SchedulerState, worker: WorkerState, keys: Iterable[str]) -> None:
    tasks = [task for key in keys if (task := state.tasks.get(key)) is not None and can_gain(task, worker)]
    if tasks:
        worker.free_batch = None
        state.instructions.append(AcquireReplicas(worker.address, [location(state, task) for task in tasks]))


def _drop(state: SchedulerState, worker: WorkerState, keys: Iterable[str]) -> None:
    """Tell a worker to drop replicas.

    The replicas stop counting at once, so that no task relies on them and the last copy is never dropped. The worker
    may refuse because one of its tasks needs a replica: it reports this, and the replica counts again.
    """
    dropped = []
    for key in keys:
        task = state.tasks.get(key)
        if task is not None and can_drop(task, worker):
            remove_replica(state, task, worker)
            worker.pending_frees[key] = None
            _remember(state, worker, key)
            dropped.append(key)
            if task.waiters:
                tell_readers(state, task)
    if dropped:
        worker.free_batch = None
        state.instructions.append(RemoveReplicas(worker.address, dropped))


def _remember(state: SchedulerState, worker: WorkerState, key: str) -> None:
    recent = worker.recent_frees
    recent.pop(key, None)
    recent[key] = state.now
    # The oldest entries come first, and a few of them are examined each time.
    for old, when in list(islice(recent.items(), 3)):
        if when > state.now - RECENT_SECONDS:
            return
        del recent[old]


def freed_recently(state: SchedulerState, worker: WorkerState, key: str) -> bool:
    """Tell whether a worker was told to drop a result so recently that others may not know that it has the result
    again.
    """
    return worker.recent_frees.get(key, float("-inf")) > state.now - RECENT_SECONDS


def verify_replica(state: SchedulerState, task: TaskState, worker: WorkerState) -> None:
    """Ask a worker to report a result that it does not hold."""
    worker.free_batch = None
    state.instructions.append(AcquireReplicas(worker.address, [(task.key, max(task.nbytes, 0), worker.addresses)]))
