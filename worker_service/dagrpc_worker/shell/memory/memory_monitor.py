"""Watches the memory of the worker's process: writes results to disk, pauses the worker and has it go on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from dagrpc import config
from dagrpc._memory import malloc
from dagrpc._memory.process_memory import used_memory
from dagrpc._transfer.transfers import receive_buffers
from dagrpc.v1 import common_pb2
from dagrpc_worker.core import events
from dagrpc_worker.data.memory_thresholds import MemoryLimits
from dagrpc_worker.data.spilling_store import SpillingStore
from dagrpc_worker.shell.session.translate_out import Report, StatusReport

if TYPE_CHECKING:
    from dagrpc_worker.shell.service import WorkerService

logger = logging.getLogger("dagrpc.worker")

_COLLECT_INTERVAL = 5.0
"""Seconds between two collections of garbage: they hold up all of the process."""
_TRIM_PART = 20
"""What part of the limit has to have been released before the allocator is asked to give it back."""
_UNUSED_PART = 32
"""What part of the limit the allocator may keep for later use."""
_BUFFERS_PART = 16
"""What part of the limit buffers may. They are given back as soon as memory is short; without them, fresh memory takes
four times as long to fill."""
_TRIM_INTERVAL = 1.0
"""Seconds after which it is asked in any case, while there is more than the goal: what tasks used is not counted."""
_TRIM_PAUSE = 20
"""While memory is short it is asked all the time, but for so many times as long as it takes."""
_SHORT = 0.005
"""Up to so many seconds of it, a hop to a thread and back is not worth while."""


class MemoryMonitor:
    """Keeps a worker within its memory limit.

    Parameters
    ----------
    worker : WorkerService
        The worker.
    limits : MemoryLimits
        When something is to be done.
    take, report : callable
        Give events to the worker's core, and reports to the scheduler.
    measure : callable, optional
        Returns the bytes that the process uses.
    """

    def __init__(
        self,
        worker: WorkerService,
        limits: MemoryLimits,
        take: Callable[[list[events.Event]], object],
        report: Callable[[list[Report]], object],
        measure: Callable[[], int] = used_memory,
    ) -> None:
        self._worker = worker
        self._limits = limits
        self._take = take
        self._report = report
        self._measure = measure
        self._interval = config.get_seconds("worker.memory.monitor-interval") or 0.1
        self._collected = 0.0
        self._trimmed_at = 0
        self._trimmed = 0.0
        self._trim_seconds = 0.0
        receive_buffers.keep_at_most(limits.limit // _BUFFERS_PART)
        malloc.keep_at_most(limits.limit // _UNUSED_PART)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._interval)

    async def look(self) -> None:
        """Measure once, and do what is to be done about it."""
        limits, data = self._limits, self._worker.data
        used = self._measure()
        relaxed = limits.goal or limits.target or limits.pause
        if used > relaxed:
            if receive_buffers.give_back():
                used = self._measure()
            if used > relaxed and self._may_trim(short=used > (limits.spill or relaxed)):
                if self._trim_seconds < _SHORT:
                    self._trim()
                else:
                    await asyncio.to_thread(self._trim)
                used = self._measure()
        if limits.spill and isinstance(data, SpillingStore):
            # What else the process takes counts, too: tasks are to wait until results are on disk, not this loop only.
            if used > limits.spill:
                data.allow(data.in_memory - (used - limits.goal))
            elif used <= limits.goal:
                # Up to `spill`, and not only once it has been seen that there is more: results can come fast.
                data.allow(data.in_memory + limits.spill - used)
        if limits.spill and used > limits.spill:
            used = await self._spill_and_decide(used)
        self._decide(used)

    async def _spill_and_decide(self, used: int) -> int:
        """Write results to disk, and return how much memory is in use then. Pause meanwhile if that takes a while."""
        spilling = asyncio.ensure_future(asyncio.to_thread(self._spill, used))
        while not (await asyncio.wait((spilling,), timeout=self._interval))[0]:
            self._decide(self._measure())
        return spilling.result()

    def _may_trim(self, short: bool) -> bool:
        """Tell whether the allocator may have enough free memory to be asked for it."""
        released = self._worker.data.released - self._trimmed_at
        if released > self._limits.limit // _TRIM_PART:
            return True
        pause = min(self._trim_seconds * _TRIM_PAUSE, _TRIM_INTERVAL) if short else _TRIM_INTERVAL
        return time.monotonic() - self._trimmed >= pause

    def _trim(self) -> None:
        """Have the allocator give back what is free. In a thread."""
        self._trimmed_at = self._worker.data.released
        begun = time.monotonic()
        malloc.trim()
        self._trimmed = time.monotonic()
        self._trim_seconds = self._trimmed - begun

    def _spill(self, used: int) -> int:
        """Write results to disk, and return how much memory is in use then. In a thread."""
        data, goal = self._worker.data, self._limits.goal
        if isinstance(data, SpillingStore):
            needed = used - goal
            freed = data.spill(lambda freed: freed >= needed)
            if freed:
                self._trim()
        used = self._measure()
        now = time.monotonic()
        if used > self._limits.spill and now - self._collected > _COLLECT_INTERVAL:
            # Cycles may hold on to what is large.
            malloc.collect_and_trim()
            self._collected = time.monotonic()
            used = self._measure()
        return used

    def _decide(self, used: int) -> None:
        """Pause the worker or have it go on."""
        worker, pause = self._worker, self._limits.pause
        if worker.status == common_pb2.WORKER_STATUS_RUNNING and pause and used > pause:
            self._change(common_pb2.WORKER_STATUS_PAUSED, events.Paused(), used, "pauses")
        elif worker.status == common_pb2.WORKER_STATUS_PAUSED and used <= pause:
            self._change(common_pb2.WORKER_STATUS_RUNNING, events.Resumed(), used, "goes on")

    def _change(self, status: common_pb2.WorkerStatus, event: events.Event, used: int, what: str) -> None:
        worker, limit = self._worker, self._limits.limit
        worker.status = status
        logger.warning(
            "Worker %s at %s %s: its process uses %.1f MiB, %.0f %% of its limit of %.1f MiB",
            worker.name,
            worker.address,
            what,
            used / 2**20,
            100 * used / limit,
            limit / 2**20,
        )
        self._take([event])
        self._report([StatusReport(status)])
