"""What code that runs inside a task can learn and do: its task, its worker, leaving its pool of threads."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dagrpc._common import running_task

if TYPE_CHECKING:
    from dagrpc_worker.execute.interrupts import Interruption
    from dagrpc_worker.execute.runner import Job, TaskRunner

logger = logging.getLogger("dagrpc.worker")


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
    thread: int = 0
    """The thread that runs it."""
    coroutine: Any = None
    """What runs, if it is a coroutine."""
    cancelled: bool = False
    """Whether it was to be taken back when a thread had begun with it."""
    loaded: float = 0.0
    """When its arguments were there, if that is recorded; 0: not known, or not yet."""
    open: bool = False
    """Whether its function is being called: see `interrupts`."""
    interruption: Interruption | None = None
    """Why it is to be broken off, if it is."""
    escape: Callable[[], object] | None = None
    """What breaks it off, if that is not an exception in its thread."""
    at_end: Callable[[], object] | None = None
    """What is to be called when its function has ended, and before that is told."""

    @property
    def ended(self) -> bool:
        """Whether it does not run any more."""
        return self.runner.context(self.job) is not self

    @property
    def key(self) -> str:
        """The task's key as on the wire."""
        return self.job.key

    @property
    def worker(self) -> Any:
        """The worker that runs the task."""
        return self.runner.owner

    def secede(self) -> bool:
        """Leave the pool of threads. Return whether the task was in it."""
        return self.runner.secede(self)

    def rejoin(self) -> None:
        """Wait for a place in the pool that the task left."""
        self.runner.rejoin(self)

    def call_at_end(self) -> None:
        """Call what is to be called at the end."""
        assert self.at_end is not None
        try:
            self.at_end()
        except Exception:
            logger.exception("What was to be done at the end of %s failed", self.key)


current = running_task.current


def get_context() -> TaskContext:
    """Return the context of the task that the caller is part of.

    Raises
    ------
    ValueError
        If the caller is not part of a task.
    """
    context = current.get()
    if not isinstance(context, TaskContext):
        raise ValueError("This works inside a task only: no task runs in this thread")
    return context


def secede() -> None:
    """Leave the pool of threads: another task may run in this one's place. Does nothing the second time.

    Raises
    ------
    ValueError
        If the caller is not part of a task, or not in the thread that the task runs in.
    """
    get_context().secede()


def rejoin() -> None:
    """Wait for a place in the pool that the task left. Does nothing if it did not leave.

    Raises
    ------
    ValueError
        If the caller is not part of a task, or not in the thread that the task runs in.
    """
    get_context().rejoin()
