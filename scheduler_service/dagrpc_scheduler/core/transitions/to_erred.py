"""Transitions to erred. The caller has recorded the error on the task; the task's dependents fail with it."""

from __future__ import annotations

from dagrpc_scheduler.core.assignment import cancel_run, unassign
from dagrpc_scheduler.core.instructions import ReportErred
from dagrpc_scheduler.core.model import ACTIVE, ERRED, NO_WORKER, QUEUED, ErredTask, TaskState
from dagrpc_scheduler.core.refcounts import release_dependencies, release_unneeded
from dagrpc_scheduler.core.state import SchedulerState


def processing_to_erred(state: SchedulerState, task: TaskState) -> None:
    """The task failed on its worker."""
    if task.processing_on is not None:
        unassign(state, task, task.processing_on)
    _fail(state, task)
    release_dependencies(state, task)


def unassigned_to_erred(state: SchedulerState, task: TaskState) -> None:
    """A dependency failed, or the scheduler gave the task up."""
    start = task.state
    _fail(state, task)
    if start == QUEUED:
        state.queue.remove(task)
    elif start == NO_WORKER:
        del state.unrunnable[task]
    release_dependencies(state, task)


def memory_to_erred(state: SchedulerState, task: TaskState) -> None:
    """The result is an actor that was lost; recomputing it would lose the actor's state."""
    if not task.who_has:
        _fail(state, task)


def _fail(state: SchedulerState, task: TaskState) -> None:
    error = task.error
    assert error is not None, f"{task!r} fails without a reason"
    if error.origin_key == task.key:
        state.erred.append(ErredTask(task.key, state.now, error.failure))
    task.state = ERRED
    task.missing = 0
    task.avoid = None
    for dependent in task.dependents or ():
        if dependent.state in ACTIVE:
            cancel_run(state, dependent)
            dependent.error = error
            state.recommend(dependent, ERRED)
    for client in task.wanted_by:
        state.instructions.append(ReportErred(client.name, task.key, error.failure, error.origin_key))
    release_unneeded(state, task)
