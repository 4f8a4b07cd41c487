"""Queued tasks in order of priority."""

from __future__ import annotations

import heapq
from collections import deque
from operator import attrgetter
from typing import Final, TypeAlias

from dagrpc_scheduler.core.model import QUEUED, TaskState

_Position: TypeAlias = tuple[tuple[float, float], float]
"""A task's rank and its order among tasks of that rank."""
_Entry: TypeAlias = tuple[_Position, int, TaskState]
"""A task in the heap, with a stamp that orders entries of equal priority."""

_POSITION: Final = attrgetter("rank", "order")
_SLACK: Final = 64
"""Number of stale entries that are tolerated before a clean-up."""


class TaskQueue:
    """A priority queue of the tasks in state queued.

    Tasks mostly arrive in order of priority. These form a run, which stays sorted at no cost and takes next to no
    memory however long it is; only the other tasks go to a heap. Tasks of equal priority leave in order of arrival: a
    task goes to the heap only if the run already contains a task of a later priority, so that no task in the run has
    its priority and arrived after it.

    A task that leaves other than as the first one leaves a stale entry behind. Stale entries are recognised by the
    state of their task, and dropped when they reach the front or when there are too many. A task that returns
    meanwhile has two valid entries, of which the first counts.
    """

    __slots__ = ("_furthest", "_heap", "_run", "_stamp", "size")

    def __init__(self) -> None:
        """Make an empty queue."""
        self._run: deque[TaskState] = deque()
        self._furthest: _Position = ((0.0, 0.0), 0.0)
        """Position of the last task that was added to the run since the queue was empty."""
        self._heap: list[_Entry] = []
        self._stamp = 0
        self.size = 0
        """Number of tasks in the queue."""

    def add(self, task: TaskState) -> None:
        """Add a task that becomes queued."""
        position = (task.rank, task.order)
        if not self.size:
            # Stale entries must not become valid at their old position.
            self._run.clear()
            self._heap.clear()
            self._furthest = position
        self.size += 1
        if position >= self._furthest:
            self._furthest = position
            self._run.append(task)
        else:
            self._stamp += 1
            heapq.heappush(self._heap, (position, self._stamp, task))

    def first(self) -> TaskState | None:
        """Return the next task without removing it."""
        run, heap = self._run, self._heap
        while run and run[0].state != QUEUED:
            run.popleft()
        while heap and heap[0][2].state != QUEUED:
            heapq.heappop(heap)
        if not run:
            return heap[0][2] if heap else None
        if heap and heap[0][0] < _POSITION(run[0]):
            return heap[0][2]
        return run[0]

    def remove(self, task: TaskState) -> None:
        """Remove a task whose state changes, or has just changed, to another one."""
        self.size -= 1
        if len(self._run) + len(self._heap) > 2 * self.size + _SLACK:
            self._clean_up()

    def tasks(self) -> list[TaskState]:
        """Return the tasks in the queue, in order."""
        late = [entry[2] for entry in sorted(self._heap)]
        tasks = [task for task in (*self._run, *late) if task.state == QUEUED]
        return list(dict.fromkeys(sorted(tasks, key=_POSITION)))

    def _clean_up(self) -> None:
        self._run = deque(task for task in self._run if task.state == QUEUED)
        self._heap = [entry for entry in self._heap if entry[2].state == QUEUED]
        heapq.heapify(self._heap)
