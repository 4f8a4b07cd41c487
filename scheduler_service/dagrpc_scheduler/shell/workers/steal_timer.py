"""Runs work stealing at intervals, and logs its steps as events."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

from dagrpc import config
from dagrpc_scheduler.core import events
from dagrpc_scheduler.shell.coordination.topic_shell import EventLog
from dagrpc_scheduler.shell.core_driver import CoreDriver

TOPIC: Final = "stealing"
"""Topic of the events."""

_DEFAULT_INTERVAL: Final = 0.1
_SHORTEST_INTERVAL: Final = 0.01
_SHARE: Final = 0.02
"""Share of the scheduler's time that stealing may take."""


class StealTimer:
    """Lets the core balance the workers' load at intervals."""

    def __init__(self, driver: CoreDriver, event_log: EventLog) -> None:
        self._driver = driver
        self._event_log = event_log
        interval = config.get_seconds("scheduler.work-stealing-interval")
        self._interval = max(interval or _DEFAULT_INTERVAL, _SHORTEST_INTERVAL)

    async def run(self) -> None:
        """Balance until cancelled. If stealing is off, the core only takes tasks from paused workers."""
        pause = self._interval
        while True:
            await asyncio.sleep(pause)
            start = perf_counter()
            if self._driver.core.state.runs:
                self._driver.handle(events.BalanceDue("balance"))
            self.log_steps()
            pause = max(self._interval, (perf_counter() - start) / _SHARE)

    def log_steps(self) -> None:
        """Log the steps since the last call as one event."""
        news = self._driver.core.state.steals.news
        if news:
            self._event_log.log(TOPIC, [list(entry) for entry in news])
            news.clear()
