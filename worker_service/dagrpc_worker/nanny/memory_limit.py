"""Watches the memory of a nanny's worker process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dagrpc import config
from dagrpc._memory.process_memory import used_memory

_LOOKS = 5
"""Number of measurements in a row above the limit before the process is killed: freed memory may be returned late."""


async def watch(limit: int, pid: Callable[[], int], exceeded: Callable[[int, int], None]) -> None:
    """Call `exceeded` whenever a process uses too much memory, until cancelled.

    Parameters
    ----------
    limit : int
        The memory limit in bytes, of which the process may use the fraction `worker.memory.terminate`. 0: no limit.
    pid : callable
        Returns the process id; 0 while there is no process.
    exceeded : callable
        Takes the bytes in use and the limit.

    Raises
    ------
    ValueError
        If the setting has an impossible value.
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
            # The process has just ended.
            used = 0
        looks = looks + 1 if used > most else 0
        if looks == _LOOKS:
            exceeded(used, limit)


def most_allowed(limit: int) -> int:
    """Return the number of bytes above which a process is killed; 0: never.

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
