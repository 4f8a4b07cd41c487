"""Observes a worker's process from outside: its memory, out-of-memory kills, and whether it computes."""

from __future__ import annotations

import asyncio
import enum
import os
from collections.abc import Sequence
from pathlib import Path

from dagrpc._memory.process_memory import used_memory
from dagrpc_worker.nanny.oom_kills import OomCounters
from dagrpc_worker.nanny.restart_rules import Exited

_INTERVAL = 1.0
_GLANCE = 0.25
"""Seconds between two measurements of processor time."""
_BUSY = 0.01
"""The fraction of a processor above which a process counts as busy. Threads that wait for Python's global interpreter
lock wake up every few milliseconds to request it, which takes more than this fraction."""


class Condition(enum.Enum):
    """The condition of a process. The values are those of the contract."""

    BUSY = 1
    """The process computes, or waits for a disk."""
    IDLE = 2
    """The process does nothing."""
    STOPPED = 3
    """The process was stopped by a signal or a debugger."""
    GONE = 4
    """The process has ended."""


class ProcessWatch:
    """Measures a process at an interval, so that its end can be explained.

    Parameters
    ----------
    limit : int
        The process's memory limit in bytes; 0: none.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pid = 0
        self._used = 0
        self._kills: OomCounters | None = None

    def begin(self, pid: int) -> None:
        """Measure this process from now on."""
        self._pid, self._used, self._kills = pid, 0, OomCounters(pid)

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL)
            if self._kills is not None:
                self._look(self._kills)

    def _look(self, kills: OomCounters) -> None:
        try:
            used = used_memory(self._pid)
        except OSError:
            # The process has just ended; the counters must not be read again, since the difference is the evidence.
            return
        if not used:
            return
        self._used = used
        kills.look()

    def exited(self, code: int, log: Sequence[str]) -> Exited:
        """Return the event of the process's end, with the last measurements."""
        evidence = self._kills.evidence() if self._kills is not None else ""
        self._kills = None
        return Exited(code, evidence, self._used, self._limit, tuple(log))


async def observe(pid: int) -> Condition:
    """Return the condition of a process; takes a quarter of a second.

    Examples
    --------
    >>> import os
    >>> await observe(os.getpid()) in (Condition.BUSY, Condition.IDLE)
    True
    """
    before = _glance(pid)
    if isinstance(before, Condition):
        return before
    await asyncio.sleep(_GLANCE)
    after = _glance(pid)
    if isinstance(after, Condition):
        return after
    return Condition.BUSY if after - before > _GLANCE * _BUSY else Condition.IDLE


def _glance(pid: int) -> Condition | float:
    """Return the condition of a process if one look suffices, otherwise the processor time that it has used."""
    # Imported here: few nannies are ever asked.
    import psutil

    try:
        process = psutil.Process(pid)
        status = process.status()
        if status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return Condition.GONE
        if status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP):
            return Condition.STOPPED
        if status == psutil.STATUS_DISK_SLEEP:
            return Condition.BUSY
        return _precise_time(pid) or sum(process.cpu_times()[:2])
    except psutil.NoSuchProcess:
        return Condition.GONE
    except (psutil.Error, OSError):
        # The process exists but cannot be observed: it counts as busy.
        return Condition.BUSY


def _precise_time(pid: int) -> float:
    """Return the processor time of a process's threads to the nanosecond; 0 if the kernel does not provide it.

    The usual figure has a resolution of a hundredth of a second.
    """
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            total += int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0
    return total / 1e9
