"""Transitions to released: a task is no longer needed, lost its result, or is retried after an error."""

from __future__ import annotations

from dagrpc_scheduler.core.assignment import cancel_run
from dagrpc_scheduler.core.instructions import ReportLost, ReportRetried
from dagrpc_scheduler.core.model import (
    ACTIVE,
    FORGOTTEN,
    NO_WORKER,
    QUEUED,
    RELEASED,
    WAITING,
    TaskState,
    is_needed,
)
from dagrpc_scheduler.core.refcounts import cancel_lost_data, release_dependencies, release_unneeded
from dagrpc_scheduler.core.replica_table import free_everywhere
from dagrpc_scheduler.core.state import SchedulerState


def active_to_released(state: SchedulerState, task: TaskState) -> None:
    """Do not compute a task that nobody needs."""
    if is_needed(task):
        return
    start = task.state
    cancel_run(state, task)
    task.state = RELEASED
    task.missing = 0
    task.avoid = None
    task.error = None
    if start == QUEUED:
        state.queue.remove(task)
    elif start == NO_WORKER:
        del state.unrunnable[task]
    elif task.work is None:
        state.pending_scatters.pop(task, None)
    release_dependencies(state, task)
    if not task.dependents:
        state.recommend(task, FORGOTTEN)


def memory_to_released(state: SchedulerState, task: TaskState) -> None:
    """Drop a result that nobody needs, or compute a result again of which no copy is left."""
    needed = is_needed(task)
    if task.who_has:
        if needed:
            return
        free_everywhere(state, task)
    task.state = RELEASED
    if needed:
        _recover(state, task)
    elif not task.dependents:
        state.recommend(task, FORGOTTEN)


def _recover(state: SchedulerState, task: TaskState) -> None:
    """Compute a lost result again; dependents that relied on it wait."""
    for dependent in task.dependents or ():
        if dependent.state == WAITING:
            dependent.missing += 1
            dependent.ready_at = 0.0
        elif dependent.state in ACTIVE:
            state.recommend(dependent, WAITING)
    if task.work is None:
        cancel_lost_data(state, task, f"the data of {task.key!r} is lost, and it cannot be computed again")
        return
    for client in task.wanted_by:
        state.instructions.append(ReportLost(client.name, task.key))
    state.recommend(task, WAITING)


def erred_to_released(state: SchedulerState, task: TaskState) -> None:
    """Retry a task whose error was cleared at a client's request."""
    if task.error is not None:
        # The task failed after its release was recommended because nobody needed it.
        release_unneeded(state, task)
        return
    task.state = RELEASED
    task.retries = task.options.retries
    task.suspicious = 0
    if is_needed(task):
        for client in task.wanted_by:
            state.instructions.append(ReportRetried(client.name, task.key))
        state.recommend(task, WAITING)
    elif not task.dependents:
        state.recommend(task, FORGOTTEN)
