"""Futures that are done, for whoever takes them: any number of threads and tasks of event loops."""

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
    """What is done and was not taken, and how much there is in all. Whoever waits hears when nothing is left."""

    def __init__(self) -> None:
        self.count = 0
        """How many were put in or are to come, and were not taken."""
        self._ready: deque[T] = deque()
        # Within the lock of `KeyTable`, never the other way round. Finalizers may come here again.
        self._changed = threading.Condition()
        self._sleepers: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def expect(self, count: int) -> None:
        """Take note that so many are to come."""
        with self._changed:
            self.count += count

    def put(self, item: T) -> None:
        """Put in one that is done."""
        with self._changed:
            self._ready.append(item)
            self._changed.notify()
            self._wake_sleepers()

    def clear(self) -> None:
        """Take all out, those included that are to come."""
        with self._changed:
            self._ready.clear()
            self.count = 0
            self._wake_all()

    def empty(self) -> bool:
        """Return whether none is ready."""
        return not self._ready

    def get(self) -> T:
        """Take one that is ready.

        Raises
        ------
        queue.Empty
            If none is.
        """
        item = self.poll()
        if item is None:
            raise queue.Empty
        return item

    def poll(self) -> T | None:
        """Take one that is ready; None if none is."""
        with self._changed:
            if not self._ready:
                return None
            self.count -= 1
            item = self._ready.popleft()
            if not self.count:
                # Others may wait for this one, too.
                self._wake_all()
            return item

    def take(self, deadline: Deadline) -> T | None:
        """Take the next one, and wait for it; None if there are none any more."""
        with self._changed:
            while True:
                item = self.poll()
                if item is not None or self.count <= 0:
                    return item
                left = deadline.left()
                if not self._changed.wait(None if left is None else min(left, threading.TIMEOUT_MAX)) and not left:
                    raise deadline.error(f"{self.count} futures were not done")

    async def take_async(self, deadline: Deadline) -> T | None:
        """Do the same on an event loop."""
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
            # A loop that is closed has nobody waiting.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_set, waiter)


def _set(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
