"""Keeps the worker's process within its memory limit: writes results to disk, and pauses and resumes the worker."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from dagrpc import config
from dagrpc._memory import malloc
from dagrpc._memory.process_memory import used_memory
from dagrpc._transfer.transfers import receive_buffers
from dagrpc.v1 import common_pb2
from dagrpc_worker.core import events
from dagrpc_worker.data.memory_thresholds import MemoryLimits
from dagrpc_worker.data.result_store import DataStore
from dagrpc_worker.data.spilling_store import SpillingStore
from dagrpc_worker.shell.session.translate_out import Report, StatusReport
from dagrpc_worker.shell.worker_record import WorkerRecord

logger = logging.getLogger("dagrpc.worker")

_COLLECT_INTERVAL = 5.0
"""Seconds between two garbage collections, each of which stops the whole process."""
_TRIM_PART = 20
"""1/20 of the limit must have been released before the allocator is asked to return memory."""
_UNUSED_PART = 32
"""The allocator may keep 1/32 of the limit for later use."""
_BUFFERS_PART = 16
"""Receive buffers may keep 1/16 of the limit. They are freed as soon as memory is short; without them, fresh memory
takes four times as long to fill."""
_TRIM_INTERVAL = 1.0
"""Seconds after which the allocator is asked in any case while usage is above the goal, since memory that tasks used
and freed is not counted."""
_TRIM_PAUSE = 20
"""While memory is short, the pause between two requests to the allocator is 20 times as long as a request takes."""
_SHORT = 0.005
"""Seconds; a shorter request to the allocator is made on the loop, since a hop to a thread costs more."""


class MemoryMonitor:
    """Measures the memory of the process at an interval and acts on it.

    Parameters
    ----------
    limits : MemoryLimits
        The thresholds.
    take, report : callable
        Take events for the worker's core, and reports for the scheduler.
    measure : callable, optional
        Returns the number of bytes that the process uses.
    """

    def __init__(
        self,
        worker: WorkerRecord,
        data: DataStore,
        limits: MemoryLimits,
        take: Callable[[list[events.Event]], object],
        report: Callable[[list[Report]], object],
        measure: Callable[[], int] = used_memory,
    ) -> None:
        self._worker = worker
        self._data = data
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
        """Look at the memory at an interval until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._interval)

    async def look(self) -> None:
        """Measure the memory once, and act on it."""
        limits, data = self._limits, self._data
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
            # The allowance shrinks with the other memory of the process: tasks that store results must wait for the
            # disk as well, not only this loop.
            if used > limits.spill:
                data.allow(data.in_memory - (used - limits.goal))
            elif used <= limits.goal:
                # Set before the threshold is exceeded: results can come faster than this loop looks.
                data.allow(data.in_memory + limits.spill - used)
        if limits.spill and used > limits.spill:
            used = await self._spill_and_decide(used)
        self._decide(used)

    async def _spill_and_decide(self, used: int) -> int:
        """Write results to disk, pausing the worker meanwhile if memory is short. Return the bytes in use then."""
        spilling = asyncio.ensure_future(asyncio.to_thread(self._spill, used))
        while not (await asyncio.wait((spilling,), timeout=self._interval))[0]:
            self._decide(self._measure())
        return spilling.result()

    def _may_trim(self, short: bool) -> bool:
        """Return whether the allocator may have enough free memory to be asked for it."""
        released = self._data.released - self._trimmed_at
        if released > self._limits.limit // _TRIM_PART:
            return True
        pause = min(self._trim_seconds * _TRIM_PAUSE, _TRIM_INTERVAL) if short else _TRIM_INTERVAL
        return time.monotonic() - self._trimmed >= pause

    def _trim(self) -> None:
        """Ask the allocator to return free memory to the system. In any thread."""
        self._trimmed_at = self._data.released
        begun = time.monotonic()
        malloc.trim()
        self._trimmed = time.monotonic()
        self._trim_seconds = self._trimmed - begun

    def _spill(self, used: int) -> int:
        """Write results to disk, and return the bytes in use then. In a thread."""
        data, goal = self._data, self._limits.goal
        if isinstance(data, SpillingStore):
            needed = used - goal
            freed = data.spill(lambda freed: freed >= needed)
            if freed:
                self._trim()
        used = self._measure()
        now = time.monotonic()
        if used > self._limits.spill and now - self._collected > _COLLECT_INTERVAL:
            # Reference cycles may keep large objects alive.
            malloc.collect_and_trim()
            self._collected = time.monotonic()
            used = self._measure()
        return used

    def _decide(self, used: int) -> None:
        """Pause or resume the worker."""
        status, pause = self._worker.status, self._limits.pause
        if status == common_pb2.WORKER_STATUS_RUNNING and pause and used > pause:
            self._change(common_pb2.WORKER_STATUS_PAUSED, events.Paused(), used, "pauses")
        elif status == common_pb2.WORKER_STATUS_PAUSED and used <= pause:
            self._change(common_pb2.WORKER_STATUS_RUNNING, events.Resumed(), used, "resumes")

    def _change(self, status: common_pb2.WorkerStatus, event: events.Event, used: int, what: str) -> None:
        limit = self._limits.limit
        self._worker.status = status
        logger.warning(
            "%s %s: its process uses %.1f MiB, %.0f %% of its limit of %.1f MiB",
            self._worker,
            what,
            used / 2**20,
            100 * used / limit,
            limit / 2**20,
        )
        self._take([event])
        self._report([StatusReport(status)])
