"""Ready tasks that cannot go to a worker now are parked."""

from __future__ import annotations

from dagrpc_scheduler.core.model import NO_WORKER, QUEUED, TaskState
from dagrpc_scheduler.core.state import SchedulerState


def waiting_to_queued(state: SchedulerState, task: TaskState) -> None:
    """No worker has room for the task: the next one that has takes it."""
    task.state = QUEUED
    state.queue.add(task)


def waiting_to_no_worker(state: SchedulerState, task: TaskState) -> None:
    """No worker may run the task: it is placed again when workers change."""
    task.state = NO_WORKER
    state.unrunnable[task] = state.now
