"""The task that the calling code is part of.

The worker sets a context variable, which holds in threads and coroutines; functions for use inside tasks read it. So
neither imports the other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Protocol


class Running(Protocol):
    """User code that a worker runs: a task, or a function that was sent to the worker."""

    at_end: Callable[[], object] | None
    """Functions to call in the same thread when the code has ended, before the end is reported."""

    @property
    def worker(self) -> Any:
        """The worker."""

    def secede(self) -> bool:
        """Leave the pool of threads; return False if the task has left it already."""

    def rejoin(self) -> None:
        """Wait for a place in the pool that the task left."""


current: ContextVar[Running | None] = ContextVar("dagrpc_running", default=None)
"""The user code that the calling code is part of."""


def submitter() -> str:
    """Return the wire key of the task that the calling code is part of; empty outside of tasks."""
    running = current.get()
    return getattr(running, "key", "") if running is not None else ""


def at_end(function: Callable[[], object]) -> bool:
    """Call a function when the surrounding user code has ended; return False outside of user code."""
    running = current.get()
    if running is not None:
        running.at_end = function
    return running is not None


_process_worker: list[Any] = []


def own_process(worker: Any) -> None:
    """Mark this process as a worker's own: code outside of tasks belongs to the worker, too."""
    _process_worker[:] = [worker]


def is_workers_own() -> bool:
    """Return whether this process is a worker's own."""
    return bool(_process_worker)


def any_worker() -> Any:
    """Return the worker to which the calling code belongs, or None."""
    running = current.get()
    if running is not None:
        return running.worker
    return _process_worker[0] if _process_worker else None


@contextlib.contextmanager
def stepped_aside() -> Iterator[None]:
    """Give a task's place in its pool to other tasks while a block waits for them; outside of tasks do nothing."""
    running = current.get()
    left = running is not None and running.secede()
    try:
        yield
    finally:
        if left and running is not None:
            running.rejoin()
