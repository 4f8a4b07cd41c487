"""Use of memory over time, of the cluster and of each worker: samples that are kept for pages that are opened later."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import deque
from dataclasses import dataclass
from itertools import islice

from dagrpc_scheduler.http.sources import SchedulerSources
from dagrpc_scheduler.shell.user_views.memory_state import MemoryState

_INTERVAL = 2.0
_WORKER_INTERVAL = 0.01
"""Seconds between two samples for each worker: of a thousand workers, there is a sample every ten seconds."""
_LENGTH = 1_800
"""How many samples are kept."""
_MOST_NUMBERS = 4_000_000
"""How many numbers of four bytes all samples have."""
_MOST_ROWS = 600
"""How many samples a page is given."""
_KINDS = 4

Row = tuple[float, list[float]]
"""Time, and the bytes by kind: managed, unmanaged, recently unmanaged, spilled."""


@dataclass(frozen=True, slots=True)
class _Sample:
    """The use of memory at one time."""

    time: float
    total: list[float]
    places: dict[str, int]
    """The place of each worker in `values`. Samples of the same workers share it."""
    values: array[float]


class MemoryHistory:
    """Samples the workers' memory, as it is known from heartbeats.

    Parameters
    ----------
    sources : SchedulerSources
        The scheduler's parts that know the memory.
    """

    def __init__(self, sources: SchedulerSources) -> None:
        self._sources = sources
        self._samples: deque[_Sample] = deque()
        self._places: dict[str, int] = {}
        self._numbers = 0

    async def run(self) -> None:
        """Take samples until cancelled."""
        while True:
            await asyncio.sleep(max(_INTERVAL, _WORKER_INTERVAL * len(self._places)))
            self.sample(time.time())

    def sample(self, now: float) -> None:
        """Take a sample, and forget the oldest if there are too many."""
        workers = self._sources.peers.workers
        if self._places.keys() != workers.keys():
            self._places = {address: place for place, address in enumerate(workers)}
        memories = [self._sources.memory_of(address) for address in self._places]
        values = array("f", [value for memory in memories for value in _by_kind(memory)])
        total = [float(value) for value in _by_kind(MemoryState.sum(memories))]
        self._samples.append(_Sample(now, total, self._places, values))
        self._numbers += len(values)
        while len(self._samples) > _LENGTH or self._numbers > _MOST_NUMBERS:
            self._numbers -= len(self._samples.popleft().values)

    def rows(self, worker: str = "") -> list[Row]:
        """Return samples of a worker, or of the whole cluster, the oldest first."""
        step = -(-len(self._samples) // _MOST_ROWS) or 1
        samples = islice(self._samples, 0, None, step)
        if not worker:
            return [(round(each.time, 3), each.total) for each in samples]
        found: list[Row] = []
        for each in samples:
            place = each.places.get(worker)
            if place is not None:
                found.append((round(each.time, 3), list(each.values[place * _KINDS : (place + 1) * _KINDS])))
        return found


def _by_kind(memory: MemoryState) -> tuple[int, ...]:
    return memory.managed, memory.unmanaged_old, memory.unmanaged_recent, memory.spilled
