"""A queue that threads fill and an event loop empties."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class WakeUpQueue(Generic[Item]):
    """Items from any thread for one event loop, which is woken once for all items that come before it looks.

    Parameters
    ----------
    loop : AbstractEventLoop
        The loop that takes the items.
    on_wake : callable
        Called on the loop; calls `drain`, or `rearm` and then takes from `items`.
    """

    __slots__ = ("_loop", "_on_wake", "_woken", "items")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_wake: Callable[[], object]) -> None:
        self._loop = loop
        self._on_wake = on_wake
        self._woken = False
        self.items: deque[Item] = deque()
        """Items that wait, oldest first."""

    def put(self, item: Item) -> bool:
        """Append an item; return whether the loop will take it, that is, whether the loop is open. From any thread."""
        # `rearm` lowers the flag before the loop looks at the items, so an item that finds the flag up is seen.
        self.items.append(item)
        if not self._woken:
            self._woken = True
            try:
                self._loop.call_soon_threadsafe(self._on_wake)
            except RuntimeError:
                self._woken = False
                return False
        return True

    def rearm(self) -> None:
        """Let the next item wake the loop again. Called before the loop looks at the items."""
        self._woken = False

    def drain(self) -> Iterator[Item]:
        """Yield all items, and the items that come meanwhile."""
        self._woken = False
        items = self.items
        while items:
            yield items.popleft()
