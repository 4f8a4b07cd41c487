"""Workers that were removed and come back: what they bring is used where it is still the right thing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dagrpc_scheduler.core.assignment import use_result
from dagrpc_scheduler.core.cluster import Departed, WorkerState
from dagrpc_scheduler.core.model import ACTIVE, MEMORY, TaskState
from dagrpc_scheduler.core.replica_table import add_holder
from dagrpc_scheduler.core.state import SchedulerState

REMEMBERED_SECONDS: Final = 600.0
"""How long it is remembered what a worker had."""
_REMEMBERED: Final = 64
"""Of how many workers."""


def remember(state: SchedulerState, worker: WorkerState) -> None:
    """Remember what a worker has that is being removed, for it may come back."""
    state.remembered.pop(worker.identity, None)
    state.remembered[worker.identity] = Departed(worker, state.now)
    if len(state.remembered) > _REMEMBERED:
        del state.remembered[next(iter(state.remembered))]


def forget_departed(state: SchedulerState) -> None:
    """Do not remember for longer than a worker may be expected to come back."""
    while state.remembered:
        identity, departed = next(iter(state.remembered.items()))
        if state.now - departed.when < REMEMBERED_SECONDS:
            return
        del state.remembered[identity]


def take_back(state: SchedulerState, worker: WorkerState, held: Sequence[tuple[str, int, int]]) -> None:
    """Use what a worker holds that comes back, and have it drop what is of no use.

    A result is of use if somebody needs it, and if it is one of the very task that has its key now.
    """
    departed = state.remembered.pop(worker.identity, None)
    for key, nbytes, run_id in held:
        task = state.tasks.get(key)
        if task is None or departed is None or not (task in state.announced or _is_of(departed, task, run_id)):
            state.free(worker, key)
        elif task.state == MEMORY:
            add_holder(state, task, worker)
        elif task.state in ACTIVE:
            use_result(state, task, worker, nbytes)
        else:
            state.free(worker, key)


def _is_of(departed: Departed, task: TaskState, run_id: int) -> bool:
    """Tell whether a result is one of this task. Actors are given up, and what others have of them are proxies."""
    return (task in departed.results or departed.runs.get(task) == run_id) and not task.options.actor
