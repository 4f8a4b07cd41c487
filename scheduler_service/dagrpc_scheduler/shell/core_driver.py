"""Runs the core: gives it events, and queues the instructions that it returns for the peers that they are for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from dagrpc_scheduler.core.events import Event
from dagrpc_scheduler.core.instructions import Instruction
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers


class CoreDriver:
    """The only caller of a scheduler's core. It runs on the event loop, which makes events follow one another."""

    def __init__(self, core: SchedulerCore, peers: ConnectedPeers) -> None:
        self.core = core
        self.stimuli = 0
        """How many stimuli have been named so far."""
        self.after_batch: Callable[[], object] = _nothing
        """Called after each batch of events."""
        self._peers = peers

    def stimulus(self, word: str) -> str:
        """Return a unique name for what causes the next events, as stories show it."""
        self.stimuli += 1
        return f"{word}-{self.stimuli}"

    def handle(self, event: Event) -> None:
        """Give the core one event."""
        self.handle_batch((event,))

    def handle_batch(self, batch: Iterable[Event]) -> None:
        """Give the core events in order, and queue the instructions that follow from them."""
        self._peers.dispatch(self.core.handle_batch(batch, time.time()))
        self.after_batch()

    def send(self, instruction: Instruction) -> None:
        """Queue an instruction that the core did not ask for."""
        self._peers.dispatch([instruction])


def _nothing() -> None:
    """Do nothing."""
