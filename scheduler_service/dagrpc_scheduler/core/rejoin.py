"""Workers that were removed and come back: what they bring is used where it is still the right thing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dagrpc_scheduler.core.assignment import use_result
from dagrpc_scheduler.core.model import ACTIVE, MEMORY, RemovedWorker, TaskState, WorkerState
from dagrpc_scheduler.core.replica_table import add_replica
from dagrpc_scheduler.core.state import SchedulerState

REMEMBERED_SECONDS: Final = 600.0
"""How long it is remembered what a worker had."""
_REMEMBERED: Final = 64
"""Of how many workers."""


def remember_removed(state: SchedulerState, worker: WorkerState) -> None:
    """Remember what a worker has that is being removed, for it may come back."""
    state.removed_workers.pop(worker.identity, None)
    state.removed_workers[worker.identity] = RemovedWorker(worker, state.now)
    if len(state.removed_workers) > _REMEMBERED:
        del state.removed_workers[next(iter(state.removed_workers))]


def forget_removed(state: SchedulerState) -> None:
    """Do not remember for longer than a worker may be expected to come back."""
    while state.removed_workers:
        identity, removed = next(iter(state.removed_workers.items()))
        if state.now - removed.when < REMEMBERED_SECONDS:
            return
        del state.removed_workers[identity]


def take_back(state: SchedulerState, worker: WorkerState, held: Sequence[tuple[str, int, int]]) -> None:
    """Use what a worker holds that comes back, and have it drop what is of no use.

    A result is of use if somebody needs it, and if it is one of the very task that has its key now.
    """
    removed = state.removed_workers.pop(worker.identity, None)
    for key, nbytes, run_id in held:
        task = state.tasks.get(key)
        if task is None or removed is None or not (task in state.pending_scatters or _is_of(removed, task, run_id)):
            state.free(worker, key)
        elif task.state == MEMORY:
            add_replica(state, task, worker)
        elif task.state in ACTIVE:
            use_result(state, task, worker, nbytes)
        else:
            state.free(worker, key)


def _is_of(removed: RemovedWorker, task: TaskState, run_id: int) -> bool:
    """Tell whether a result is one of this task. Actors are given up, and what others have of them are proxies."""
    return (task in removed.results or removed.runs.get(task) == run_id) and not task.options.actor
