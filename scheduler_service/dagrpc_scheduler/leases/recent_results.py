"""Small results that came with the reports of their tasks, kept for a while so that leases need not read them again."""

from __future__ import annotations

from collections import deque

from dagrpc_scheduler.leases.lease import LeasedTask


class RecentResults:
    """The latest results that leased tasks keep, up to a number of bytes in all.

    Parameters
    ----------
    limit : int
        That number of bytes.
    """

    __slots__ = ("_kept", "_limit", "_total")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: deque[tuple[LeasedTask, int]] = deque()
        self._total = 0

    def keep(self, task: LeasedTask, result: tuple[str, bytes]) -> None:
        """Let a task keep its result, until later results need the room."""
        task.inline = result
        size = len(result[1]) + _OVERHEAD
        self._kept.append((task, size))
        self._total += size
        while self._total > self._limit:
            oldest, size = self._kept.popleft()
            oldest.inline = None
            self._total -= size


_OVERHEAD = 500
"""Bytes that an entry takes beside its result, with the task that it may be the last to hold."""
