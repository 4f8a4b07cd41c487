"""A budget of bytes that threads and coroutines share."""

from __future__ import annotations

import threading
from concurrent.futures import Future


class ByteBudget:
    """Counts the bytes in use, and makes others wait while there are too many.

    While the budget is not exhausted, one more holder may exceed it, so that an object larger than the whole budget can
    pass alone.

    Parameters
    ----------
    limit : int
        Number of bytes from which on others wait.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._lock = threading.Lock()
        self._waiting: list[Future[None]] = []

    @property
    def exhausted(self) -> bool:
        """Whether the bytes in use have reached the limit."""
        return self.used >= self.limit

    def take(self, nbytes: int) -> None:
        """Add bytes to those in use."""
        with self._lock:
            self.used += nbytes

    def give(self, nbytes: int) -> None:
        """Remove bytes from those in use."""
        with self._lock:
            self.used -= nbytes
            woken = self._waiting if self.used < self.limit else []
            if woken:
                self._waiting = []
        for future in woken:
            future.set_result(None)

    def room(self) -> Future[None] | None:
        """Return a future that is done when the budget may have room again; None if it has room now."""
        with self._lock:
            if self.used < self.limit:
                return None
            future: Future[None] = Future()
            # The future cannot be cancelled: a coroutine that stops waiting must not make `give` fail.
            future.set_running_or_notify_cancel()
            self._waiting.append(future)
            return future
