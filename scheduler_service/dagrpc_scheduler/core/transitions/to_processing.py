"""Ready tasks go to the worker that was chosen for them, which the caller has put into `processing_on`."""

from __future__ import annotations

from dagrpc_scheduler.core.assignment import assign
from dagrpc_scheduler.core.model import PROCESSING, TaskState
from dagrpc_scheduler.core.state import SchedulerState


def waiting_to_processing(state: SchedulerState, task: TaskState) -> None:
    """The task is ready and there is a worker for it."""
    assert task.processing_on is not None
    task.state = PROCESSING
    assign(state, task, task.processing_on)


def queued_to_processing(state: SchedulerState, task: TaskState) -> None:
    """It is the task's turn, and a worker has room for it."""
    assert task.processing_on is not None
    task.state = PROCESSING
    state.queue.remove(task)
    assign(state, task, task.processing_on)
