"""Gives memory that tasks had back to the system."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

from dagrpc._memory import malloc
from dagrpc_scheduler.core.compaction import compact

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

_MANY = 50_000
"""After so many tasks fewer, memory is given back even if there is no quiet moment."""
_PATIENCE = 5.0
"""Seconds between two times that it is done without a quiet moment."""


class Trimming:
    """Does so when there is nothing else to do, or when very much has gone.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service
        self._stimuli = 0
        self._trimmed = True
        self._trimmed_at = 0.0
        self._peak = 0
        """The most tasks since it was last done."""

    def look(self) -> None:
        """See whether it is to be done, and do it. To be called regularly."""
        service = self._service
        busy = service.stimuli != self._stimuli
        self._stimuli = service.stimuli
        tasks = len(service.core.tasks)
        self._peak = max(self._peak, tasks)
        if not busy and not self._trimmed:
            self._trimmed = True
            gc.collect()
            self._trim(tasks)
            return
        if busy:
            self._trimmed = False
        gone = self._peak - tasks
        if gone >= max(_MANY, tasks) and time.monotonic() - self._trimmed_at > _PATIENCE:
            self._trim(tasks)

    def _trim(self, tasks: int) -> None:
        self._peak = tasks
        self._trimmed_at = time.monotonic()
        compact(self._service.core.state)
        malloc.trim()
