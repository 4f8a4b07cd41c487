"""The running task as the code inside it sees it: its key, its worker, and leaving its pool of threads."""

from __future__ import annotations

import logging
from _thread import allocate_lock
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from dagrpc._common import running_task
from dagrpc_worker.core.instructions import Execute

logger = logging.getLogger("dagrpc.worker")


class Interruption:
    """The request to stop a running task; see `interrupts` for how it reaches the task's thread.

    Parameters
    ----------
    limit : float
        The task's timeout in seconds; 0: the task was cancelled.
    """

    __slots__ = ("finished", "limit", "sent")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.sent = False
        """Whether the exception was raised in the task while it ran, even if the task caught it."""
        # No `Event`: an exception inside one of its methods would leave it locked for ever.
        self.finished = allocate_lock()
        """Locked until the sender has finished."""
        self.finished.acquire()


class ContextRunner(Protocol):
    """The part of the runner that a task's context uses."""

    owner: Any

    def context(self, task: Execute) -> TaskContext | None:
        """Return the context of a running task; None if it does not run."""

    def secede(self, context: TaskContext) -> bool:
        """Let a task's thread leave its pool. Return whether the thread was in the pool."""

    def rejoin(self, context: TaskContext) -> None:
        """Let a task's thread return into its pool."""


@dataclass(slots=True)
class TaskContext:
    """The task that the calling code is part of."""

    task: Execute
    runner: ContextRunner
    started: float
    """When the task started, in seconds since the epoch."""
    pool: Any = None
    """The pool whose thread runs the task. The pool's name may stand for another pool by now."""
    on_loop: bool = False
    """Whether the task is a coroutine and so occupies no thread."""
    seceded: bool = False
    """Whether the task has ever left its pool."""
    thread: int = 0
    """The thread that runs the task."""
    coroutine: Any = None
    """The coroutine, if the task is one."""
    cancelled: bool = False
    """Whether the task was cancelled after a thread had begun with it."""
    loaded: float = 0.0
    """When the arguments were loaded; 0: not loaded yet."""
    open: bool = False
    """Whether the task's function is being called: see `interrupts`."""
    interruption: Interruption | None = None
    """The request to stop the task, if there is one."""
    escape: Callable[[], object] | None = None
    """Stops the task's function, where raising an exception in its thread does not."""
    at_end: Callable[[], object] | None = None
    """Called when the task's function has ended, before the end is reported."""

    @property
    def ended(self) -> bool:
        """Whether the task has ended."""
        return self.runner.context(self.task) is not self

    @property
    def key(self) -> str:
        """The task's key as on the wire."""
        return self.task.key

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
        """Call `at_end`; log what it raises."""
        assert self.at_end is not None
        try:
            self.at_end()
        except Exception:
            logger.exception("The function to call at the end of task %s failed", self.key)


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
    """Leave the pool of threads, so that another task runs in this task's place. The second call does nothing.

    Raises
    ------
    ValueError
        If the caller is not part of a task, or not in the thread that the task runs in.
    """
    get_context().secede()


def rejoin() -> None:
    """Wait for a place in the pool that the task left. Does nothing if the task is in its pool.

    Raises
    ------
    ValueError
        If the caller is not part of a task, or not in the thread that the task runs in.
    """
    get_context().rejoin()
