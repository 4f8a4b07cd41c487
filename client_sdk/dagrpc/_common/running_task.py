"""Which task runs here: what a worker tells the SDK of the code that it calls.

The worker puts what runs into a context variable, which holds in threads and coroutines alike; functions that are for
use inside tasks look there. So neither has to import the other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Protocol


class Running(Protocol):
    """Code of a user's that a worker runs: a task, or a function that was sent to the worker."""

    at_end: Callable[[], object] | None
    """What is to be called, in the same thread, when it has ended and before anybody is told."""

    @property
    def worker(self) -> Any:
        """The worker."""

    def secede(self) -> bool:
        """Leave the pool of threads. Return whether that was news."""

    def rejoin(self) -> None:
        """Wait for a place in the pool that it left."""


current: ContextVar[Running | None] = ContextVar("dagrpc_running", default=None)
"""What the calling code is part of."""


def submitter() -> str:
    """Return the key, as on the wire, of the task that the calling code is part of; empty if it is part of none."""
    running = current.get()
    return getattr(running, "key", "") if running is not None else ""


def at_end(function: Callable[[], object]) -> bool:
    """Have a function called when what the calling code is part of has ended; return whether it is part of anything."""
    running = current.get()
    if running is not None:
        running.at_end = function
    return running is not None


_process_worker: list[Any] = []


def own_process(worker: Any) -> None:
    """Note that this process is a worker's own: what code of it is not part of a task is the worker's, too."""
    _process_worker[:] = [worker]


def is_workers_own() -> bool:
    """Tell whether this process is a worker's own."""
    return bool(_process_worker)


def any_worker() -> Any:
    """Return the worker that the calling code belongs to, None if it belongs to none."""
    running = current.get()
    if running is not None:
        return running.worker
    return _process_worker[0] if _process_worker else None


@contextlib.contextmanager
def stepped_aside() -> Iterator[None]:
    """Leave a task's place in its pool to others within a block, which is to wait for them. Elsewhere do nothing."""
    running = current.get()
    left = running is not None and running.secede()
    try:
        yield
    finally:
        if left and running is not None:
            running.rejoin()
