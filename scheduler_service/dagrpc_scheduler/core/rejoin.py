"""Workers that reconnect after they were removed: results that are still valid are used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dagrpc_scheduler.core.assignment import use_result
from dagrpc_scheduler.core.model import ACTIVE, MEMORY, RemovedWorker, TaskState, WorkerState
from dagrpc_scheduler.core.replica_table import add_replica
from dagrpc_scheduler.core.state import SchedulerState

REMEMBERED_SECONDS: Final = 600.0
"""Seconds for which the facts about a removed worker are kept."""
_REMEMBERED: Final = 64
"""Number of removed workers that are kept."""


def remember_removed(state: SchedulerState, worker: WorkerState) -> None:
    """Keep the results and runs of a worker that is being removed, which may reconnect."""
    state.removed_workers.pop(worker.identity, None)
    state.removed_workers[worker.identity] = RemovedWorker(worker, state.now)
    if len(state.removed_workers) > _REMEMBERED:
        del state.removed_workers[next(iter(state.removed_workers))]


def forget_removed(state: SchedulerState) -> None:
    """Drop the facts about workers that were removed long ago."""
    while state.removed_workers:
        identity, removed = next(iter(state.removed_workers.items()))
        if state.now - removed.when < REMEMBERED_SECONDS:
            return
        del state.removed_workers[identity]


def reclaim_results(state: SchedulerState, worker: WorkerState, held: Sequence[tuple[str, int, int]]) -> None:
    """Use the valid results of a reconnecting worker, and free the others.

    A result is valid if it belongs to the very task that has its key now, and useful if that task is needed.
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
    """Tell whether a result belongs to this task. Actors are given up, and other holders only have proxies of them."""
    return (task in removed.results or removed.runs.get(task) == run_id) and not task.options.actor
