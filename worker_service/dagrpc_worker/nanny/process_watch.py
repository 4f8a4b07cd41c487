"""What a nanny notices of its worker's process from outside: memory, the kernel's kills, whether it computes."""

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
"""Seconds between two looks at what a process computes."""
_BUSY = 0.01
"""The part of a processor that a process uses that is not idle. Threads that wait for Python's global interpreter lock
wake up every few milliseconds to ask for it, which takes more than that."""


class Condition(enum.Enum):
    """What a process does. The values are those of the protocol."""

    BUSY = 1
    """It computes, or waits for a disk."""
    IDLE = 2
    """Nothing."""
    STOPPED = 3
    """Nothing until it is continued: a signal or a debugger stopped it."""
    GONE = 4
    """It has ended."""


class ProcessWatch:
    """Looks at a process now and then, so that there is something to tell after its end.

    Parameters
    ----------
    limit : int
        Bytes of memory that it may use; 0: any amount.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pid = 0
        self._used = 0
        self._kills: OomCounters | None = None

    def begin(self, pid: int) -> None:
        """Look at this process from now on."""
        self._pid, self._used, self._kills = pid, 0, OomCounters(pid)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL)
            if self._kills is not None:
                self._look(self._kills)

    def _look(self, kills: OomCounters) -> None:
        try:
            used = used_memory(self._pid)
        except OSError:
            # It has just ended: what was counted before counts as evidence.
            return
        if not used:
            return
        self._used = used
        kills.look()

    def exited(self, code: int, log: Sequence[str]) -> Exited:
        """Return that the process has ended, with what is known of it."""
        evidence = self._kills.evidence() if self._kills is not None else ""
        self._kills = None
        return Exited(code, evidence, self._used, self._limit, tuple(log))


async def observe(pid: int) -> Condition:
    """Return what a process does; takes a quarter of a second.

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
    """Return what a process does if that can be told at once, else the processor time that it has used."""
    # Not at the top: hardly any nanny is ever asked.
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
        # It is there, and more cannot be seen: who cannot be observed is not accused.
        return Condition.BUSY


def _precise_time(pid: int) -> float:
    """Return the processor time of a process's threads to the nanosecond; 0 where the kernel does not tell it.

    The usual figure counts in hundredths of a second.
    """
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            total += int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0
    return total / 1e9
