"""Watches how much memory a nanny's worker process uses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dagrpc import config
from dagrpc._memory.process_memory import used_memory

_LOOKS = 5
"""So often in a row there must be too much: what was just freed may not have been given back yet."""


async def watch(limit: int, pid: Callable[[], int], exceeded: Callable[[int, int], None]) -> None:
    """Tell when a process uses too much, until cancelled.

    Parameters
    ----------
    limit : int
        Its memory limit, of which `worker.memory.terminate` is the part that it may use. 0: any amount.
    pid : callable
        Returns its number, 0 while there is none.
    exceeded : callable
        Told the bytes in use and the limit.

    Raises
    ------
    ValueError
        If the setting is impossible.
    """
    most = most_allowed(limit)
    if not most:
        return
    interval = config.get_seconds("worker.memory.monitor-interval") or 0.1
    looks = 0
    while True:
        await asyncio.sleep(interval)
        try:
            used = used_memory(number) if (number := pid()) else 0
        except OSError:
            # It has just ended.
            used = 0
        looks = looks + 1 if used > most else 0
        if looks == _LOOKS:
            exceeded(used, limit)


def most_allowed(limit: int) -> int:
    """Return from how many bytes on a process is killed; 0: never.

    Raises
    ------
    ValueError
        If the setting is neither false nor a fraction.
    """
    part = config.get("worker.memory.terminate")
    if not limit or part in (None, False):
        return 0
    if isinstance(part, bool) or not isinstance(part, (int, float)) or not 0 <= part <= 1:
        raise ValueError(f"worker.memory.terminate is {part!r}; it must be a fraction from 0 to 1, or false")
    return int(limit * part)
