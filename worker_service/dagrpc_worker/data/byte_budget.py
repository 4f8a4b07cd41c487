"""A budget of bytes that threads and coroutines share."""

from __future__ import annotations

import threading
from concurrent.futures import Future


class ByteBudget:
    """Counts bytes that are held, and tells when there are too many.

    Whoever finds room may overdraw it once: a thing larger than the whole budget gets through, alone.

    Parameters
    ----------
    limit : int
        How many bytes may be held before others have to wait.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._lock = threading.Lock()
        self._waiting: list[Future[None]] = []

    @property
    def exhausted(self) -> bool:
        """Whether there is no room."""
        return self.used >= self.limit

    def take(self, nbytes: int) -> None:
        """Hold bytes."""
        with self._lock:
            self.used += nbytes

    def give(self, nbytes: int) -> None:
        """Hold bytes no longer."""
        with self._lock:
            self.used -= nbytes
            woken = self._waiting if self.used < self.limit else []
            if woken:
                self._waiting = []
        for future in woken:
            future.set_result(None)

    def room(self) -> Future[None] | None:
        """Return what is done once there may be room again; None if there is some now."""
        with self._lock:
            if self.used < self.limit:
                return None
            future: Future[None] = Future()
            # It cannot be cancelled: a coroutine that gives up waiting must not make `give` fail.
            future.set_running_or_notify_cancel()
            self._waiting.append(future)
            return future
