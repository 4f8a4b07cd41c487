"""Waits for workers, for clients and cluster managers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from dagrpc._client.waiting import Deadline
from dagrpc.exceptions import WorkerStartTimeoutError

_POLL_SECONDS = 0.05


async def poll_workers(count: Callable[[], Awaitable[int]], n_workers: int, deadline: Deadline) -> None:
    """Ask for the number of workers until it is large enough; raise `WorkerStartTimeoutError` at the deadline."""
    while (found := await count()) < n_workers:
        left = deadline.left()
        if left is not None and left <= 0:
            raise WorkerStartTimeoutError(found, n_workers, deadline.timeout or 0.0)
        await asyncio.sleep(_POLL_SECONDS if left is None else min(_POLL_SECONDS, left))
