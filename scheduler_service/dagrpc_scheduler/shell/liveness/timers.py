"""Regular work: periodic checks, and the watch over an idle scheduler."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from dagrpc import config
from dagrpc_scheduler.core import views
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.shell.shutdown import Shutdown

INTERVAL = 0.5
"""Seconds between two rounds of checks."""


class PeriodicChecks:
    """Makes the same checks again and again."""

    def __init__(self, checks: Sequence[Callable[[float], object]]) -> None:
        self._checks = checks
        """Each takes the time, in seconds since the epoch."""

    async def run(self) -> None:
        """Make the checks until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            now = time.time()
            for check in self._checks:
                check(now)


class IdleWatch:
    """Stops a scheduler that has had nothing to do for long."""

    def __init__(self, core: SchedulerCore, shutdown: Shutdown, idle_timeout: float | None) -> None:
        self._core = core
        self._shutdown = shutdown
        self._timeout = config.get_seconds("scheduler.idle-timeout", idle_timeout)
        self.idle_since: float | None = None
        """Since when there has been no work, in seconds since the epoch; None while there is some."""

    def check_idle(self, now: float) -> float | None:
        """Look whether there is work, and return `idle_since`."""
        counts = views.state_counts(self._core)
        if any(counts.get(state) for state in ("waiting", "processing", "queued", "no-worker")):
            self.idle_since = None
        else:
            self.idle_since = self.idle_since or now
        return self.idle_since

    def look(self, now: float) -> None:
        """Stop the scheduler if it has been idle for as long as is allowed."""
        if self._timeout is None:
            return
        since = self.check_idle(now)
        if since is not None and now - since > self._timeout:
            self._shutdown.soon(f"it was idle for {self._timeout:g} s")
