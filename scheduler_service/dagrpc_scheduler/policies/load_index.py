"""Workers in the order of how much they have to do, at O(log n) for each task that is placed."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from dagrpc_scheduler.core.cluster import WorkerState

Entry: TypeAlias = "tuple[float, int, WorkerState]"
"""A worker's load, a number that tells entries of equal load apart, and the worker."""

SATURATED: Final = 0.0
"""The load from which on a worker has no free thread."""
SLOTS_TAKEN: Final = 1.0
"""The fullness from which on a worker has all the tasks that it is given whatever they are."""
FULL: Final = 2.0
"""The fullness from which on a worker is given nothing from the queue."""

_SLACK: Final = 64
"""How many stale entries are not worth a clean-up."""


def wait_of(worker: WorkerState, now: float) -> float:
    """Return the seconds after which the worker is expected to have a free thread.

    What its tasks were expected to take may be wrong: if all threads have been busy with the same tasks for longer
    than that, they will be for as long again, for all that anyone can tell.
    """
    if len(worker.processing) - len(worker.long_running) < worker.nthreads:
        return 0.0
    return max(worker.occupancy, now - worker.last_task_start) / worker.nthreads


def is_overdue(worker: WorkerState, now: float, patience: float) -> bool:
    """Tell whether a worker without a free thread should have had one by now, `patience` seconds ago at least."""
    elapsed = now - worker.last_task_start
    return elapsed > patience and elapsed * worker.nthreads > worker.occupancy


def load_of(worker: WorkerState, now: float) -> float:
    """Return how loaded a worker is.

    Workers with a free thread come first, by the share of threads that are busy; then the others, by the seconds for
    which they are busy.
    """
    count = len(worker.processing) - len(worker.long_running)
    if count < worker.nthreads:
        return count / worker.nthreads - 1.0
    return max(worker.occupancy, now - worker.last_task_start) / worker.nthreads


def fullness_of(worker: WorkerState, now: float, lookahead_seconds: float) -> float:
    """Return how little room a worker has for queued tasks.

    Workers with a free thread come first; then those that take another task of any kind, those that take short ones,
    and those that take none, each by how long they are busy. What would stand behind a task that goes on and on waits
    in the queue instead, from where anyone can take it.
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
    """A heap of workers by load that is put in order when it is asked.

    Each worker has one valid entry, whose load is at most the real one: a worker that got more to do needs no attention
    until it comes up as the least loaded one. One that got less to do must be put into `lowered`. Among equals, the one
    whose entry is oldest comes first, so that an idle cluster is used in turn.
    """

    __slots__ = ("_entries", "_heap", "_measure", "_stamp", "lowered")

    def __init__(self, measure: Callable[[WorkerState, float], float]) -> None:
        """Make an index without workers; `measure` tells a worker's load at a time. It never falls by itself."""
        self._measure = measure
        self._heap: list[Entry] = []
        self._entries: dict[WorkerState, Entry] = {}
        self._stamp = 0
        self.lowered: dict[WorkerState, None] = {}
        """Workers that may have less to do than their entries say."""

    def __contains__(self, worker: WorkerState) -> bool:
        """Tell whether a worker is in the index."""
        return worker in self._entries

    def add(self, worker: WorkerState, now: float) -> None:
        """Add a worker."""
        self._push(worker, self._measure(worker, now))

    def discard(self, worker: WorkerState) -> None:
        """Take a worker out, if it is in."""
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
        """Return the entry of the least loaded worker other than `avoided`, or of that one if there is no other."""
        entry = self.least(now)
        if entry is None or entry[2] is not avoided:
            return entry
        self.discard(avoided)
        other = self.least(now)
        self.add(avoided, now)
        return other or entry

    def known_load(self, worker: WorkerState) -> float:
        """Return the load in a worker's entry, for checks."""
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
                # Also if it is the same: what has just been used is not used again before the others.
                if load <= entry[0]:
                    self._push(worker, load)
        self.lowered = {}
