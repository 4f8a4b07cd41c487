"""Transitions to processing. The caller has stored the chosen worker in `processing_on`."""

from __future__ import annotations

from dagrpc_scheduler.core.assignment import assign
from dagrpc_scheduler.core.model import PROCESSING, TaskState
from dagrpc_scheduler.core.state import SchedulerState


def waiting_to_processing(state: SchedulerState, task: TaskState) -> None:
    """A ready task is assigned to a worker."""
    assert task.processing_on is not None
    task.state = PROCESSING
    assign(state, task, task.processing_on)


def queued_to_processing(state: SchedulerState, task: TaskState) -> None:
    """A queued task is assigned to a worker with a free slot."""
    assert task.processing_on is not None
    task.state = PROCESSING
    state.queue.remove(task)
    assign(state, task, task.processing_on)
