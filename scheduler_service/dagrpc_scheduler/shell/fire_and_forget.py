"""Tasks that run to their end although nobody holds their futures."""

from __future__ import annotations

import asyncio
from typing import Any

from dagrpc_scheduler.core import events, instructions
from dagrpc_scheduler.shell.core_driver import CoreDriver
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers
from dagrpc_scheduler.shell.sessions.translate_in import FIRE_AND_FORGET

_DONE = (instructions.ReportFinished, instructions.ReportErred)


class FireAndForget:
    """A stand-in for a client: it wants tasks until they are done."""

    def __init__(self, driver: CoreDriver, peers: ConnectedPeers) -> None:
        self._driver = driver
        self._peers = peers
        self._done: list[str] = []

    def begin(self) -> None:
        """Introduce the stand-in to the core."""
        self._peers.stand_ins[FIRE_AND_FORGET] = self
        self._driver.handle(events.ClientAdded(FIRE_AND_FORGET))

    def send(self, instruction: Any) -> None:
        """Note that a task is done, and release the tasks that are done in the next turn of the loop."""
        if isinstance(instruction, _DONE):
            if not self._done:
                asyncio.get_running_loop().call_soon(self._release)
            self._done.append(instruction.key)

    def _release(self) -> None:
        keys, self._done = self._done, []
        self._driver.handle(events.KeysReleased(FIRE_AND_FORGET, keys, self._driver.stimulus("fire-and-forget")))
