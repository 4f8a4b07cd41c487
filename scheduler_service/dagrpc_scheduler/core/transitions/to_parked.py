"""Transitions to queued and no-worker, the states of ready tasks that are not assigned."""

from __future__ import annotations

from dagrpc_scheduler.core.model import NO_WORKER, QUEUED, TaskState
from dagrpc_scheduler.core.state import SchedulerState


def waiting_to_queued(state: SchedulerState, task: TaskState) -> None:
    """The task waits in the queue for a free slot."""
    task.state = QUEUED
    state.queue.add(task)


def waiting_to_no_worker(state: SchedulerState, task: TaskState) -> None:
    """No running worker may run the task, which is placed again when workers change."""
    task.state = NO_WORKER
    state.unrunnable[task] = state.now
