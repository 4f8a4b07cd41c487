"""Workers in the order of how much they have to do, at O(log n) for each task that is placed."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from dagrpc_scheduler.core.cluster import WorkerState
    from dagrpc_scheduler.core.config import CoreConfig

_Entry: TypeAlias = "tuple[float, int, WorkerState]"

SATURATED: Final = 0.0
"""The load from which on a worker has no free thread."""
COVERED: Final = 1.0
"""The load from which on a worker has all the tasks that it is given whatever they are."""
FULL: Final = 2.0
"""The load from which on a worker is given nothing from the queue."""

_SLACK: Final = 64
"""How many stale entries are not worth a clean-up."""


def load_of(worker: WorkerState, cover_seconds: float) -> float:
    """Return how loaded a worker is.

    Workers with a free thread come first, by the share of threads that are busy. Then come those that take another
    task of any kind, those that take short ones, and those that take none, each by how long they are busy.
    """
    count = len(worker.processing) - len(worker.long_running)
    nthreads = worker.nthreads
    if count < nthreads and count < worker.slots:
        return count / nthreads - 1.0
    occupancy = worker.occupancy / nthreads
    within = occupancy / (1.0 + occupancy)
    if count < worker.slots:
        return within
    if count <= worker.refill_at and occupancy < cover_seconds:
        return COVERED + within
    return FULL + within


class LoadIndex:
    """A heap of workers by load that is corrected when it is asked.

    Each worker has one valid entry, whose key is at most the worker's load: more load needs no correction until the
    worker comes up as the least loaded one. Less load must be told with `lowered`. Among equals, the worker comes
    first whose entry is oldest, so that an idle cluster is used in turn.
    """

    __slots__ = ("_cover_seconds", "_heap", "_lowered", "_size", "_stamp")

    def __init__(self, config: CoreConfig) -> None:
        """Make an index without workers."""
        self._cover_seconds = config.cover_seconds
        self._heap: list[_Entry] = []
        self._lowered: list[WorkerState] = []
        self._stamp = 0
        self._size = 0

    def add(self, worker: WorkerState) -> None:
        """Add a worker."""
        self._size += 1
        self._push(worker, load_of(worker, self._cover_seconds))

    def discard(self, worker: WorkerState) -> None:
        """Take a worker out, if it is in."""
        if worker.index_stamp:
            self._size -= 1
            worker.index_stamp = 0

    def lowered(self, worker: WorkerState) -> None:
        """Take note that a worker may have less to do than before."""
        if not worker.index_lowered:
            worker.index_lowered = True
            self._lowered.append(worker)

    def least(self) -> WorkerState | None:
        """Return the least loaded worker, with its load in `index_key`."""
        if self._lowered:
            self._push_lowered()
        heap = self._heap
        while heap:
            key, stamp, worker = heap[0]
            if stamp != worker.index_stamp:
                heapq.heappop(heap)
                continue
            load = load_of(worker, self._cover_seconds)
            if load <= key:
                return worker
            self._stamp = stamp = self._stamp + 1
            worker.index_key = load
            worker.index_stamp = stamp
            heapq.heapreplace(heap, (load, stamp, worker))
        return None

    def least_but(self, avoided: WorkerState) -> WorkerState | None:
        """Return the least loaded worker other than `avoided`, or that one if there is no other."""
        worker = self.least()
        if worker is not avoided:
            return worker
        self.discard(avoided)
        other = self.least()
        self.add(avoided)
        return other or avoided

    def _push(self, worker: WorkerState, load: float) -> None:
        self._stamp += 1
        worker.index_key = load
        worker.index_stamp = self._stamp
        heapq.heappush(self._heap, (load, self._stamp, worker))
        if len(self._heap) > 2 * self._size + _SLACK:
            self._heap = [entry for entry in self._heap if entry[1] == entry[2].index_stamp]
            heapq.heapify(self._heap)

    def _push_lowered(self) -> None:
        for worker in self._lowered:
            worker.index_lowered = False
            if worker.index_stamp:
                load = load_of(worker, self._cover_seconds)
                if load < worker.index_key:
                    self._push(worker, load)
        self._lowered.clear()
