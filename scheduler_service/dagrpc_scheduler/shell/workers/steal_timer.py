"""Has the core balance the workers' load from time to time, and tells who asks what came of it."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Final

from dagrpc import config
from dagrpc_scheduler.core import events

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

TOPIC: Final = "stealing"
"""Under which steps of steals are logged as events."""

_DEFAULT_INTERVAL: Final = 0.1
_SHORTEST_INTERVAL: Final = 0.01
_SHARE: Final = 0.02
"""How much of its time the scheduler spends on looking at most."""


class Stealing:
    """The clock of work stealing.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service
        interval = config.get_seconds("scheduler.work-stealing-interval")
        self._interval = max(interval or _DEFAULT_INTERVAL, _SHORTEST_INTERVAL)

    async def run(self) -> None:
        """Balance until cancelled. Without stealing, only paused workers are relieved of their tasks."""
        service = self._service
        pause = self._interval
        while True:
            await asyncio.sleep(pause)
            start = perf_counter()
            if service.core.state.runs:
                service.handle(events.BalanceDue("balance"))
            self.log_news()
            pause = max(self._interval, (perf_counter() - start) / _SHARE)

    def log_news(self) -> None:
        """Log the steps since the last time, those of one look together, as one event."""
        news = self._service.core.state.steals.news
        if news:
            self._service.events.log(TOPIC, [list(entry) for entry in news])
            news.clear()
