"""Tasks that are to run to their end although nobody holds their futures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from dagrpc_scheduler.core import events, instructions
from dagrpc_scheduler.shell.sessions.translate_in import FIRE_AND_FORGET

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

_DONE = (instructions.ReportFinished, instructions.ReportErred)


class FireAndForget:
    """Wants keys until they are done. To the core it is one more client.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service
        self._done: list[str] = []

    def begin(self) -> None:
        """Become known to the core."""
        self._service.sessions.stand_ins[FIRE_AND_FORGET] = self
        self._service.handle(events.ClientAdded(FIRE_AND_FORGET))

    def send(self, instruction: Any) -> None:
        """Take a report of the core; let go of keys that are done."""
        if isinstance(instruction, _DONE):
            if not self._done:
                asyncio.get_running_loop().call_soon(self._release)
            self._done.append(instruction.key)

    def _release(self) -> None:
        keys, self._done = self._done, []
        self._service.handle(events.KeysReleased(FIRE_AND_FORGET, keys, self._service.stimulus("fire-and-forget")))
