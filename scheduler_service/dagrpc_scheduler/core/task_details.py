"""Copies of the facts about single tasks beyond their state: their work and their errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.core.model import ErredTask, StateName


@dataclass(slots=True)
class TaskWork:
    """Everything needed to run a task elsewhere."""

    key: str
    state: StateName
    dependencies: tuple[str, ...]
    work: Any
    """The work as the client submitted it, opaque; None: the task is scattered data."""
    shared: tuple[tuple[bytes, bytes], ...]
    """Digest and content of the shared blobs that `work` refers to, in its order."""
    failure: Any
    """Why the task failed; None: it did not."""
    origin_key: str
    """Key of the task that failed first; empty: the task did not fail."""


def task_work(core: SchedulerCore, key: str, failed_first: bool = False) -> TaskWork | None:
    """Return everything needed to run a task; None: the task is unknown.

    With `failed_first`, the answer is about the task that failed first if the task failed because of another one.
    """
    known = core.state.tasks
    task = known.get(key)
    if task is None:
        return None
    if failed_first and task.error is not None:
        task = known.get(task.error.origin_key, task)
    values = core.state.shared_blobs.values
    error = task.error
    return TaskWork(
        key=task.key,
        state=task.state,
        dependencies=tuple([dependency.key for dependency in task.dependencies]),
        work=task.work,
        shared=tuple([(digest, values[digest].value) for digest in task.shared]),
        failure=error.failure if error is not None else None,
        origin_key=error.origin_key if error is not None else "",
    )


def erred_history(core: SchedulerCore) -> list[ErredTask]:
    """Return the tasks that failed themselves lately, the latest first, whatever has become of them since."""
    return list(reversed(core.state.erred))


def failure_of(core: SchedulerCore, key: str) -> tuple[Any, str] | None:
    """Return why a task failed and the key of the task that failed first; None: it did not fail."""
    task = core.state.tasks.get(key)
    return (task.error.failure, task.error.origin_key) if task is not None and task.error is not None else None
