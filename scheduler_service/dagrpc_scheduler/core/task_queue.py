"""Ready tasks that wait on the scheduler, in order of priority."""

from __future__ import annotations

import heapq
from collections import deque
from typing import TypeAlias

from dagrpc_scheduler.core.model import QUEUED, Priority, TaskState

_Entry: TypeAlias = tuple[Priority, int, TaskState]

_SLACK = 64
"""How many stale entries are not worth a clean-up."""


class TaskQueue:
    """A priority queue of the tasks in state queued.

    Tasks mostly come in the order of their priorities. Those form a run, which costs nothing to keep in order however
    long it is; only the others go to a heap.

    A task that leaves the queue by another way than `pop` leaves its entry behind. Such an entry is recognised by
    the task's state, and dropped when it is met or when there are too many of them. A task that comes back meanwhile
    has two valid entries; whichever is met first counts.
    """

    __slots__ = ("_heap", "_run", "_stamp", "size")

    def __init__(self) -> None:
        """Make an empty queue."""
        self._run: deque[_Entry] = deque()
        self._heap: list[_Entry] = []
        self._stamp = 0
        self.size = 0
        """How many tasks are in the queue."""

    def push(self, task: TaskState) -> None:
        """Add a task that becomes queued."""
        self.size += 1
        self._stamp += 1
        priority = task.priority
        run = self._run
        if not run or priority >= run[-1][0]:
            run.append((priority, self._stamp, task))
        else:
            heapq.heappush(self._heap, (priority, self._stamp, task))

    def first(self) -> TaskState | None:
        """Return the task that is next, without taking it."""
        run, heap = self._run, self._heap
        while run and run[0][2].state != QUEUED:
            run.popleft()
        while heap and heap[0][2].state != QUEUED:
            heapq.heappop(heap)
        if not run:
            return heap[0][2] if heap else None
        if heap and heap[0] < run[0]:
            return heap[0][2]
        return run[0][2]

    def left(self, task: TaskState) -> None:
        """Take note that a task left the queue, or is leaving it."""
        self.size -= 1
        if len(self._run) + len(self._heap) > 2 * self.size + _SLACK:
            self._clean_up()

    def tasks(self) -> list[TaskState]:
        """Return the tasks in the queue, in order."""
        entries = sorted(entry for entry in (*self._run, *self._heap) if entry[2].state == QUEUED)
        return list(dict.fromkeys(entry[2] for entry in entries))

    def _clean_up(self) -> None:
        self._run = deque(entry for entry in self._run if entry[2].state == QUEUED)
        self._heap = [entry for entry in self._heap if entry[2].state == QUEUED]
        heapq.heapify(self._heap)
