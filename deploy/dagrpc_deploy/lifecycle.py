"""The life of a cluster: it starts once and closes once, however many callers ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from dagrpc._common.server_status import Status

_PATIENCE = 10.0
_PATIENCE_AFTER_FAILURE = 5.0


class Lifecycle:
    """The state of a cluster, whatever has become of its workers. `start` and `close` do the work.

    All methods run on dagrpc's event loop.
    """

    def __init__(self, owner: str, start: Callable[[], Awaitable[None]], close: Callable[[], Awaitable[None]]) -> None:
        self._owner = owner
        self._start, self._close = start, close
        self.status = Status.created
        self.patience = _PATIENCE
        """Seconds that servers get to close before they are killed."""
        self._lock = asyncio.Lock()
        self._starter: asyncio.Task[Any] | None = None

    @property
    def runs(self) -> bool:
        """Whether the cluster has started and does not close."""
        return self.status is Status.running

    @property
    def is_over(self) -> bool:
        """Whether the cluster closes, has closed, or has failed to start."""
        return self.status in (Status.closing, Status.closed, Status.failed)

    async def begin(self) -> None:
        """Start the cluster, or wait for the start that is under way; raise RuntimeError if a start has failed."""
        async with self._lock:
            if self.status is Status.created:
                self._starter = asyncio.current_task()
                await self._begin_once()
            elif self.status is Status.failed:
                raise RuntimeError(f"{self._owner} has failed, and is not started again: make another one")

    async def _begin_once(self) -> None:
        self.status = Status.starting
        try:
            await self._start()
        except BaseException:
            self.patience = _PATIENCE_AFTER_FAILURE
            await self._close()
            self.status = Status.failed
            raise
        self.status = Status.running

    async def end(self, patience: float | None = None) -> None:
        """Close the cluster; a start that is under way is cancelled."""
        if self._starter is not None and self.status is Status.starting:
            self._starter.cancel()
        async with self._lock:
            if self.status in (Status.closing, Status.closed):
                return
            self.status = Status.closing
            self.patience = _PATIENCE if patience is None else patience
        await self._close()
        self.status = Status.closed
