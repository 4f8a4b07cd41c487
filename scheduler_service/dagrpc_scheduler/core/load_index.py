"""Workers ordered by load, at O(log n) for each task that is placed."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final, TypeAlias

from dagrpc_scheduler.core.model import WorkerState

Entry: TypeAlias = tuple[float, int, WorkerState]
"""A worker's load, a stamp that orders entries of equal load, and the worker."""

SATURATED: Final = 0.0
"""A worker with this load or more has no free thread."""
SLOTS_TAKEN: Final = 1.0
"""A worker with this fullness or more gets only short tasks from the queue."""
FULL: Final = 2.0
"""A worker with this fullness or more gets nothing from the queue."""

_SLACK: Final = 64
"""Number of stale entries that are tolerated before a clean-up."""


def wait_of(worker: WorkerState, now: float) -> float:
    """Return the seconds until the worker is expected to have a free thread.

    The expected durations may be wrong: when all threads have been busy with the same tasks for longer than expected,
    the wait is estimated to be as long as the time that has passed.
    """
    if len(worker.processing) - len(worker.long_running) < worker.nthreads:
        return 0.0
    return max(worker.occupancy, now - worker.last_task_start) / worker.nthreads


def is_overdue(worker: WorkerState, now: float, patience: float) -> bool:
    """Tell whether a worker without a free thread was expected to have one at least `patience` seconds ago."""
    elapsed = now - worker.last_task_start
    return elapsed > patience and elapsed * worker.nthreads > worker.occupancy


def load_of(worker: WorkerState, now: float) -> float:
    """Return the load of a worker.

    Workers with a free thread come first, ordered by their share of busy threads; the others are ordered by the
    seconds for which they are busy.
    """
    count = len(worker.processing) - len(worker.long_running)
    if count < worker.nthreads:
        return count / worker.nthreads - 1.0
    return max(worker.occupancy, now - worker.last_task_start) / worker.nthreads


def fullness_of(worker: WorkerState, now: float, lookahead_seconds: float) -> float:
    """Return how few free slots for queued tasks a worker has.

    Workers with a free thread come first; then workers with a free slot for any task, workers that take short tasks
    only, and workers that take none, each ordered by the seconds for which they are busy. An overdue worker takes
    none: the tasks wait in the queue, from where any other worker can take them.
    """
    count = len(worker.processing) - len(worker.long_running)
    nthreads = worker.nthreads
    slots = worker.slots
    if count < nthreads and count < slots:
        return count / nthreads - 1.0
    occupancy = worker.occupancy / nthreads
    within = occupancy / (1.0 + occupancy)
    if count >= nthreads and is_overdue(worker, now, lookahead_seconds):
        return FULL + within
    if count < slots:
        return within
    if count <= worker.low_water_mark and occupancy < lookahead_seconds:
        return SLOTS_TAKEN + within
    return FULL + within


class LoadIndex:
    """A heap of workers by load that is brought up to date when it is queried.

    Each worker has one valid entry, whose load is at most the real load: a worker whose load rose needs no update
    until it comes up as the least loaded one. A worker whose load fell must be added to `lowered`. Among equal loads,
    the oldest entry comes first, so that the workers of an idle cluster are used in turn.
    """

    __slots__ = ("_entries", "_heap", "_measure", "_stamp", "lowered")

    def __init__(self, measure: Callable[[WorkerState, float], float]) -> None:
        """Make an empty index; `measure` returns a worker's load at a time and must never fall by itself."""
        self._measure = measure
        self._heap: list[Entry] = []
        self._entries: dict[WorkerState, Entry] = {}
        self._stamp = 0
        self.lowered: dict[WorkerState, None] = {}
        """Workers whose load may be below that of their entries."""

    def __len__(self) -> int:
        """Return the number of workers."""
        return len(self._entries)

    def __contains__(self, worker: WorkerState) -> bool:
        """Tell whether a worker is in the index."""
        return worker in self._entries

    def add(self, worker: WorkerState, now: float) -> None:
        """Add a worker."""
        self._push(worker, self._measure(worker, now))

    def discard(self, worker: WorkerState) -> None:
        """Remove a worker if it is in the index."""
        self._entries.pop(worker, None)

    def least(self, now: float) -> Entry | None:
        """Return the entry of the least loaded worker."""
        if self.lowered:
            self._push_lowered(now)
        heap, entries = self._heap, self._entries
        while heap:
            entry = heap[0]
            worker = entry[2]
            if entries.get(worker) is not entry:
                heapq.heappop(heap)
                continue
            load = self._measure(worker, now)
            if load <= entry[0]:
                return entry
            self._stamp += 1
            entry = entries[worker] = (load, self._stamp, worker)
            heapq.heapreplace(heap, entry)
        return None

    def least_but(self, avoided: WorkerState | None, now: float) -> Entry | None:
        """Return the entry of the least loaded worker other than `avoided`; that of `avoided` if it is alone."""
        entry = self.least(now)
        if entry is None or entry[2] is not avoided:
            return entry
        self.discard(avoided)
        other = self.least(now)
        self.add(avoided, now)
        return other or entry

    def known_load(self, worker: WorkerState) -> float:
        """Return the load in a worker's entry, for invariant checks."""
        return self._entries[worker][0]

    def _push(self, worker: WorkerState, load: float) -> None:
        self._stamp += 1
        entry = self._entries[worker] = (load, self._stamp, worker)
        heapq.heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._entries) + _SLACK:
            self._heap = list(self._entries.values())
            heapq.heapify(self._heap)

    def _push_lowered(self, now: float) -> None:
        entries = self._entries
        for worker in self.lowered:
            entry = entries.get(worker)
            if entry is not None:
                load = self._measure(worker, now)
                # A new entry even for an equal load: the worker that was used last comes after its equals.
                if load <= entry[0]:
                    self._push(worker, load)
        self.lowered = {}
