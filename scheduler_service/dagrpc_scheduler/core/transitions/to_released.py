"""Tasks are not to be computed any more, or have lost their result, or forget that they failed."""

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
    """Nobody needs the task: do not compute it."""
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
    """Nobody needs the result: have it dropped. Or nobody holds it: have it computed again."""
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
    """Have a lost result computed again, and those who counted on it wait."""
    for dependent in task.dependents or ():
        if dependent.state == WAITING:
            dependent.missing += 1
        elif dependent.state in ACTIVE:
            state.recommend(dependent, WAITING)
    if task.work is None:
        cancel_lost_data(state, task, f"the data of {task.key!r} is lost, and it cannot be computed again")
        return
    for client in task.wanted_by:
        state.instructions.append(ReportLost(client.name, task.key))
    state.recommend(task, WAITING)


def erred_to_released(state: SchedulerState, task: TaskState) -> None:
    """A client asked for another try, of this task or of one that made it fail: its error was taken away."""
    if task.error is not None:
        # It was to be released because nobody needs it, and failed before that.
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
