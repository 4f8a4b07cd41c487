"""Transitions to memory. The caller has recorded the holders and the size of the result."""

from __future__ import annotations

from dagrpc_scheduler.core.assignment import unassign
from dagrpc_scheduler.core.instructions import ReportFinished
from dagrpc_scheduler.core.model import MEMORY, NO_WORKER, QUEUED, WAITING, TaskState
from dagrpc_scheduler.core.refcounts import release_dependencies
from dagrpc_scheduler.core.state import SchedulerState


def processing_to_memory(state: SchedulerState, task: TaskState) -> None:
    """A worker ran the task."""
    if task.processing_on is not None:
        unassign(state, task, task.processing_on)
    _has_result(state, task)


def unassigned_to_memory(state: SchedulerState, task: TaskState) -> None:
    """The result appeared: a client uploaded it, or a worker held a replica that was not known."""
    start = task.state
    _has_result(state, task)
    if start == QUEUED:
        state.queue.remove(task)
    elif start == NO_WORKER:
        del state.unrunnable[task]
    elif task.work is None:
        state.pending_scatters.pop(task, None)


def _has_result(state: SchedulerState, task: TaskState) -> None:
    task.state = MEMORY
    task.missing = 0
    if task.dependents:
        ready = state.ready
        for dependent in task.dependents:
            if dependent.state == WAITING:
                dependent.missing -= 1
                if not dependent.missing:
                    ready.append(dependent)
    if task.dependencies:
        release_dependencies(state, task)
    for client in task.wanted_by:
        state.instructions.append(ReportFinished(client.name, task.key, task.type_name, task.nbytes, state.payload))
