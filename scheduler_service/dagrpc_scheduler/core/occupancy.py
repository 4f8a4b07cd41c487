"""Estimates of how long tasks take and how large their results are, learned by prefix."""

from __future__ import annotations

from dagrpc_scheduler.core.config import CoreConfig
from dagrpc_scheduler.core.model import TaskPrefix, TaskState, WorkerState


def observe_duration(prefix: TaskPrefix, seconds: float, config: CoreConfig) -> None:
    """Update the average duration with a run of `seconds`."""
    # A clock that was set back yields a negative duration.
    seconds = max(seconds, 0.0)
    if prefix.duration < 0:
        prefix.duration = seconds
    else:
        prefix.duration += config.duration_weight * (seconds - prefix.duration)


def observe_size(prefix: TaskPrefix, nbytes: int, config: CoreConfig) -> None:
    """Update the average size with a result of `nbytes`."""
    if prefix.nbytes < 0:
        prefix.nbytes = float(nbytes)
    else:
        prefix.nbytes += config.duration_weight * (nbytes - prefix.nbytes)


def expected_cost(task: TaskState, worker: WorkerState, config: CoreConfig) -> float:
    """Return the seconds that the task will occupy the worker, transfers of its dependencies included."""
    seconds = task.group.prefix.duration
    if seconds < 0:
        seconds = config.unknown_task_duration
    if task.dependencies:
        held = worker.has_what
        missing = 0
        for dependency in task.dependencies:
            if dependency not in held:
                missing += size_of(dependency, config)
        if missing:
            seconds += missing / config.bandwidth
    return seconds


def size_of(task: TaskState, config: CoreConfig) -> int:
    """Return the size of a task's result in bytes; an unknown size counts as `CoreConfig.default_data_size`."""
    return task.nbytes if task.nbytes >= 0 else config.default_data_size
