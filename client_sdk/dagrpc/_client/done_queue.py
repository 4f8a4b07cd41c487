"""A queue of done futures for any number of threads and tasks of event loops."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import deque
from typing import Generic, TypeVar

from dagrpc._client.waiting import Deadline

T = TypeVar("T")


class DoneQueue(Generic[T]):
    """Items that are done and were not taken, with the number of items to come. Waiters wake when none is left."""

    def __init__(self) -> None:
        self.count = 0
        """Items that were put in or are to come, and were not taken."""
        self._ready: deque[T] = deque()
        # Acquired under the lock of `KeyTable`, never the other way round. Reentrant, for finalizers.
        self._changed = threading.Condition()
        self._sleepers: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def expect(self, count: int) -> None:
        """Note that `count` items are to come."""
        with self._changed:
            self.count += count

    def put(self, item: T) -> None:
        """Put in an item that is done."""
        with self._changed:
            self._ready.append(item)
            self._changed.notify()
            self._wake_sleepers()

    def clear(self) -> None:
        """Remove all items, and expect no more."""
        with self._changed:
            self._ready.clear()
            self.count = 0
            self._wake_all()

    def empty(self) -> bool:
        """Return whether no item is ready."""
        return not self._ready

    def get(self) -> T:
        """Take an item that is ready.

        Raises
        ------
        queue.Empty
            If no item is ready.
        """
        item = self.poll()
        if item is None:
            raise queue.Empty
        return item

    def poll(self) -> T | None:
        """Take an item that is ready; None if no item is."""
        with self._changed:
            if not self._ready:
                return None
            self.count -= 1
            item = self._ready.popleft()
            if not self.count:
                # Other waiters may have waited for this last item.
                self._wake_all()
            return item

    def take(self, deadline: Deadline) -> T | None:
        """Wait for the next item and take it; None if no more items come."""
        with self._changed:
            while True:
                item = self.poll()
                if item is not None or self.count <= 0:
                    return item
                left = deadline.left()
                if not self._changed.wait(None if left is None else min(left, threading.TIMEOUT_MAX)) and not left:
                    raise deadline.error(f"{self.count} futures were not done")

    async def take_async(self, deadline: Deadline) -> T | None:
        """Wait for the next item on the running event loop and take it; None if no more items come."""
        loop = asyncio.get_running_loop()
        while True:
            with self._changed:
                item = self.poll()
                if item is not None or self.count <= 0:
                    return item
                waiter = loop.create_future()
                self._sleepers.append((loop, waiter))
            await asyncio.wait((waiter,), timeout=deadline.left())
            if not waiter.done():
                raise deadline.error(f"{self.count} futures were not done")

    def _wake_all(self) -> None:
        self._changed.notify_all()
        self._wake_sleepers()

    def _wake_sleepers(self) -> None:
        sleepers, self._sleepers = self._sleepers, []
        for loop, waiter in sleepers:
            # Nothing waits on a closed loop.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_set, waiter)


def _set(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
