"""Ready tasks that wait on the scheduler, in order of priority."""

from __future__ import annotations

import heapq
from collections import deque
from operator import attrgetter
from typing import Final, TypeAlias

from dagrpc_scheduler.core.model import QUEUED, TaskState

_Place: TypeAlias = tuple[tuple[float, float], float]
"""Rank and order of a task."""
_Entry: TypeAlias = tuple[_Place, int, TaskState]
"""A task in the heap, with a number that tells entries of equal priority apart."""

_PLACE: Final = attrgetter("rank", "order")
_SLACK: Final = 64
"""How many stale entries are not worth a clean-up."""


class TaskQueue:
    """A priority queue of the tasks in state queued.

    Tasks mostly come in the order of their priorities. Those form a run, which costs nothing to keep in order however
    long it is, and next to no memory; only the others go to a heap. Of equal priorities, the first one to come is the
    first one to leave: what is in the heap came when the run had got further than that, so that no task in the run has
    its priority and came after it.

    A task that leaves the queue by another way than `pop` leaves its entry behind. Such an entry is recognised by
    the task's state, and dropped when it is met or when there are too many of them. A task that comes back meanwhile
    has two valid entries; whichever is met first counts.
    """

    __slots__ = ("_furthest", "_heap", "_run", "_stamp", "size")

    def __init__(self) -> None:
        """Make an empty queue."""
        self._run: deque[TaskState] = deque()
        self._furthest: _Place = ((0.0, 0.0), 0.0)
        """The place of the last task that came to the run since the queue was empty."""
        self._heap: list[_Entry] = []
        self._stamp = 0
        self.size = 0
        """How many tasks are in the queue."""

    def push(self, task: TaskState) -> None:
        """Add a task that becomes queued."""
        place = (task.rank, task.order)
        if not self.size:
            # Whatever is left there has left the queue, and must not come back at its old place.
            self._run.clear()
            self._heap.clear()
            self._furthest = place
        self.size += 1
        if place >= self._furthest:
            self._furthest = place
            self._run.append(task)
        else:
            self._stamp += 1
            heapq.heappush(self._heap, (place, self._stamp, task))

    def first(self) -> TaskState | None:
        """Return the task that is next, without taking it."""
        run, heap = self._run, self._heap
        while run and run[0].state != QUEUED:
            run.popleft()
        while heap and heap[0][2].state != QUEUED:
            heapq.heappop(heap)
        if not run:
            return heap[0][2] if heap else None
        if heap and heap[0][0] < _PLACE(run[0]):
            return heap[0][2]
        return run[0]

    def left(self, task: TaskState) -> None:
        """Take note that a task left the queue, or is leaving it."""
        self.size -= 1
        if len(self._run) + len(self._heap) > 2 * self.size + _SLACK:
            self._clean_up()

    def tasks(self) -> list[TaskState]:
        """Return the tasks in the queue, in order."""
        late = [entry[2] for entry in sorted(self._heap)]
        tasks = [task for task in (*self._run, *late) if task.state == QUEUED]
        return list(dict.fromkeys(sorted(tasks, key=_PLACE)))

    def _clean_up(self) -> None:
        self._run = deque(task for task in self._run if task.state == QUEUED)
        self._heap = [entry for entry in self._heap if entry[2].state == QUEUED]
        heapq.heapify(self._heap)
