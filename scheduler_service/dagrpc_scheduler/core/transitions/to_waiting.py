"""Transitions to waiting."""

from __future__ import annotations

from dagrpc_scheduler.core.assignment import cancel_run
from dagrpc_scheduler.core.model import ERRED, MEMORY, QUEUED, RELEASED, WAITING, TaskState, is_needed
from dagrpc_scheduler.core.refcounts import cancel_lost_data
from dagrpc_scheduler.core.state import SchedulerState


def released_to_waiting(state: SchedulerState, task: TaskState) -> None:
    """Somebody needs the task: its dependencies are computed first."""
    if not is_needed(task):
        return
    if task.work is None and task not in state.pending_scatters:
        cancel_lost_data(state, task, f"the data of {task.key!r} is lost, and it cannot be computed again")
        return
    task.state = WAITING
    task.ready_at = 0.0
    missing = 0
    for dependency in task.dependencies:
        dependency.waiters += 1
        if dependency.state != MEMORY:
            missing += 1
            if dependency.state == RELEASED:
                state.recommendations.append((dependency, WAITING))
            elif dependency.state == ERRED and dependency.error is not None:
                task.error = dependency.error
    task.missing = missing
    if task.error is not None:
        state.recommend(task, ERRED)
    elif not missing and task.work is not None:
        state.ready.append(task)


def assigned_to_waiting(state: SchedulerState, task: TaskState) -> None:
    """The task was taken from its worker, or a dependency was lost."""
    cancel_run(state, task)
    _wait_again(state, task)


def parked_to_waiting(state: SchedulerState, task: TaskState) -> None:
    """A dependency was lost, or workers changed so that the task may be placed now."""
    queued = task.state == QUEUED
    _wait_again(state, task)
    if queued:
        state.queue.remove(task)
    else:
        del state.unrunnable[task]


def _wait_again(state: SchedulerState, task: TaskState) -> None:
    task.state = WAITING
    missing = 0
    for dependency in task.dependencies:
        if dependency.state != MEMORY:
            missing += 1
    task.missing = missing
    if missing:
        task.ready_at = 0.0
    else:
        state.ready.append(task)
