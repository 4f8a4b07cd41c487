"""A priority queue of tasks from which tasks leave without being looked for."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagrpc_worker.core.model import TaskState

_SMALL = 64
"""Below this length stale entries are not worth removing."""


class TaskQueue:
    """Tasks in order of priority, then of age.

    An entry is valid as long as the task still has the entry's ticket; a task that is given another ticket, or none,
    has left every queue that it was in. Stale entries are removed when they come up, or when they are the majority.
    """

    __slots__ = ("_entries", "_limit")

    def __init__(self) -> None:
        """Start empty."""
        self._entries: list[tuple[tuple[float, ...], int, TaskState]] = []
        self._limit = _SMALL

    def push(self, task: TaskState) -> None:
        """Add a task under its present priority and ticket."""
        entries = self._entries
        heappush(entries, (task.priority, task.ticket, task))
        if len(entries) > self._limit:
            entries[:] = [entry for entry in entries if entry[2].ticket == entry[1]]
            heapify(entries)
            # Twice the survivors, so that the cost per push stays constant.
            self._limit = max(_SMALL, 2 * len(entries))

    def peek(self) -> TaskState | None:
        """Tell the most urgent task, if there is one."""
        entries = self._entries
        while entries:
            _, ticket, task = entries[0]
            if task.ticket == ticket:
                return task
            heappop(entries)
        return None

    def pop(self) -> None:
        """Remove what `peek` told last."""
        heappop(self._entries)

    def __contains__(self, task: TaskState) -> bool:
        """Tell whether a task is queued. Slow; for validation."""
        return any(entry[2] is task and entry[1] == task.ticket for entry in self._entries)

    def __len__(self) -> int:
        """Tell how many entries there are, stale ones included."""
        return len(self._entries)
