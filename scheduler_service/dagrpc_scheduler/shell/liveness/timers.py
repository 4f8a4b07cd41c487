"""What happens by the clock: time-outs of the core, workers not heard of, an idle scheduler."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from dagrpc import config
from dagrpc_scheduler.core import events, views
from dagrpc_scheduler.shell.liveness.missed_heartbeats import SilentWorkers
from dagrpc_scheduler.shell.memory.trim_memory import Trimming
from dagrpc_scheduler.shell.sessions.backpressure import Outboxes

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

INTERVAL = 0.5
"""Seconds between two looks at the clock."""


class Timers:
    """Looks at the clock for a scheduler.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service
        self._silent = SilentWorkers(service)
        self._outboxes = Outboxes(service)
        self._idle_timeout = config.get_seconds("scheduler.idle-timeout", service.options.idle_timeout)
        self.idle_since: float | None = None
        """Since when there has been nothing to do; None while there is something."""
        self._trimming = Trimming(service)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            now = time.time()
            self._service.handle(events.TimePassed())
            self._silent.look(now)
            self._trimming.look()
            self._service.metadata.tidy()
            self._service.events.advance(now)
            self._outboxes.look()
            self._service.shortage.look(now)
            if self._is_idle_for_long(now):
                self._service.close_soon(f"it was idle for {self._idle_timeout:g} s")
                return

    def check_idle(self, now: float) -> float | None:
        """Look whether there is something to do; return `idle_since`."""
        counts = views.state_counts(self._service.core)
        if any(counts.get(state) for state in ("waiting", "processing", "queued", "no-worker")):
            self.idle_since = None
        else:
            self.idle_since = self.idle_since or now
        return self.idle_since

    def _is_idle_for_long(self, now: float) -> bool:
        if self._idle_timeout is None:
            return False
        since = self.check_idle(now)
        return since is not None and now - since > self._idle_timeout
