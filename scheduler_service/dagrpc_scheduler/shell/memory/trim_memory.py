"""Returns memory that tasks have used to the operating system."""

from __future__ import annotations

import gc
import time

from dagrpc._memory import malloc
from dagrpc_scheduler.core.compaction import compact
from dagrpc_scheduler.shell.core_driver import CoreDriver

_MANY = 50_000
"""How many tasks must have gone for memory to be returned in a busy moment."""
_PAUSE = 5.0
"""Seconds between two returns in busy moments."""


class MemoryTrimmer:
    """Returns memory in quiet moments, and in busy ones when many tasks have gone."""

    def __init__(self, driver: CoreDriver) -> None:
        self._driver = driver
        self._stimuli = 0
        self._trimmed = True
        self._trimmed_at = 0.0
        self._peak = 0
        """The largest number of tasks since memory was last returned."""

    def look(self) -> None:
        """Return memory if the moment is right; to be called regularly."""
        busy = self._driver.stimuli != self._stimuli
        self._stimuli = self._driver.stimuli
        tasks = len(self._driver.core.tasks)
        self._peak = max(self._peak, tasks)
        if not busy and not self._trimmed:
            self._trimmed = True
            gc.collect()
            self._trim(tasks)
            return
        if busy:
            self._trimmed = False
        gone = self._peak - tasks
        if gone >= max(_MANY, tasks) and time.monotonic() - self._trimmed_at > _PAUSE:
            self._trim(tasks)

    def _trim(self, tasks: int) -> None:
        self._peak = tasks
        self._trimmed_at = time.monotonic()
        compact(self._driver.core.state)
        malloc.trim()
