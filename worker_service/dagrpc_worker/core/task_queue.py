"""A priority queue of tasks. A task leaves it without a search."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Generic, Protocol, TypeVar

_SMALL = 64
"""Below this length, stale entries are not worth removing."""


class Queued(Protocol):
    """The attributes of a task that a queue uses."""

    priority: tuple[float, ...]
    ticket: int


T = TypeVar("T", bound=Queued)


class TaskQueue(Generic[T]):
    """Tasks in order of priority, then of age.

    An entry is valid while the task has the entry's ticket. A task that gets another ticket, or none, has left all
    queues. A stale entry is removed when it reaches the head, or when stale entries are the majority.
    """

    __slots__ = ("_entries", "_limit")

    def __init__(self) -> None:
        """Create an empty queue."""
        self._entries: list[tuple[tuple[float, ...], int, T]] = []
        self._limit = _SMALL

    def push(self, task: T) -> None:
        """Add a task under its present priority and ticket."""
        entries = self._entries
        heappush(entries, (task.priority, task.ticket, task))
        if len(entries) > self._limit:
            entries[:] = [entry for entry in entries if entry[2].ticket == entry[1]]
            heapify(entries)
            # Twice the number of valid entries, so that the cost of a push stays constant.
            self._limit = max(_SMALL, 2 * len(entries))

    def peek(self) -> T | None:
        """Return the most urgent task; None if the queue is empty."""
        entries = self._entries
        while entries:
            _, ticket, task = entries[0]
            if task.ticket == ticket:
                return task
            heappop(entries)
        return None

    def pop(self) -> None:
        """Remove the task that `peek` has just returned."""
        heappop(self._entries)

    def __contains__(self, task: T) -> bool:
        """Return whether a task is queued. Slow; for validation."""
        return any(entry[2] is task and entry[1] == task.ticket for entry in self._entries)

    def __len__(self) -> int:
        """Return the number of entries, including stale ones."""
        return len(self._entries)
