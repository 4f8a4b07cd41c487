"""The end of a scheduler: how its parts ask for it, and how they learn of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Shutdown:
    """Tells whether a scheduler closes, and lets any part of it start that."""

    def __init__(self, close: Callable[[str, bool], Coroutine[Any, Any, None]]) -> None:
        self.begun = False
        """Whether the scheduler is closing or has closed."""
        self.finished = asyncio.Event()
        """Set once the scheduler has closed."""
        self._close = close
        self._task: asyncio.Task[None] | None = None

    def soon(self, reason: str, may_return: bool = False) -> None:
        """Start closing without waiting for the end; `may_return` if another scheduler may take this one's place."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._close(reason, may_return))
