"""Copies of results are made and dropped as somebody has planned, without losing any result."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from dagrpc_scheduler.core.events import ReplicasPlanned
from dagrpc_scheduler.core.instructions import AcquireReplicas, RemoveReplicas
from dagrpc_scheduler.core.model import RUNNING, TaskState, WorkerState
from dagrpc_scheduler.core.replica_table import can_drop, can_gain, location, remove_replica, tell_readers
from dagrpc_scheduler.core.state import SchedulerState

DOUBT: Final = 60.0
"""Seconds for which it may be that a worker which says that another one lacks a result had asked before that got it
anew."""


def replicas_planned(state: SchedulerState, event: ReplicasPlanned) -> None:
    """Have workers fetch copies, and drop copies that are of no use."""
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
    """Have a worker drop copies.

    They do not count from here on, so that nobody relies on them and the next to be dropped is not the last one. The
    worker may refuse: if a task there needs the copy, it says so, and the copy counts again.
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
    # The oldest come first. To look at a few each time is enough.
    for old, when in list(islice(recent.items(), 3)):
        if when > state.now - DOUBT:
            return
        del recent[old]


def freed_recently(state: SchedulerState, worker: WorkerState, key: str) -> bool:
    """Tell whether a worker was told to drop a result, so lately that others may not know that it has it again."""
    return worker.recent_frees.get(key, float("-inf")) > state.now - DOUBT


def ask_whether_held(state: SchedulerState, task: TaskState, worker: WorkerState) -> None:
    """Have a worker say so if it does not hold a result."""
    worker.free_batch = None
    state.instructions.append(AcquireReplicas(worker.address, [(task.key, max(task.nbytes, 0), worker.addresses)]))
