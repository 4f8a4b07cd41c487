"""What code that runs inside a task can learn and do: its task, its worker, leaving its pool of threads."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagrpc_worker.execute.runner import Job, TaskRunner


@dataclass(slots=True)
class TaskContext:
    """The task that the calling code is part of."""

    job: Job
    runner: TaskRunner
    started: float
    """When its function started, in seconds since the epoch."""
    on_loop: bool = False
    """Whether it is a coroutine and so occupies no thread."""
    seceded: bool = False
    """Whether it has left its pool at some time."""

    @property
    def key(self) -> str:
        """The task's key as on the wire."""
        return self.job.key

    @property
    def worker(self) -> Any:
        """The worker that runs the task."""
        return self.runner.owner


# A context variable holds in threads and coroutines alike.
current: ContextVar[TaskContext | None] = ContextVar("dagrpc_task", default=None)


def get_context() -> TaskContext:
    """Return the context of the task that the caller is part of.

    Raises
    ------
    ValueError
        If the caller is not part of a task.
    """
    context = current.get()
    if context is None:
        raise ValueError("This works inside a task only: no task runs in this thread")
    return context


def secede() -> None:
    """Leave the pool of threads: another task may run in this one's place. Does nothing the second time.

    Raises
    ------
    ValueError
        If the caller is not part of a task, or not in the thread that the task runs in.
    """
    context = get_context()
    context.runner.secede(context)


def rejoin() -> None:
    """Wait for a place in the pool that the task left. Does nothing if it did not leave.

    Raises
    ------
    ValueError
        If the caller is not part of a task, or not in the thread that the task runs in.
    """
    context = get_context()
    context.runner.rejoin(context)
