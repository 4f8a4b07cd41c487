"""The queue of events for the worker's core, which handles them in order on the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from dagrpc._loop.wakeup_queue import WakeUpQueue
from dagrpc._peer.session import flush_after
from dagrpc_worker.core.events import Event
from dagrpc_worker.core.instructions import Instruction

_PAUSE = 0.001
"""Seconds that events of threads wait for further events while the threads have enough work."""
_ENOUGH = 2 * _PAUSE
"""Seconds of work that count as enough: the threads' next tasks must arrive before it is done."""


class Core(Protocol):
    """A state machine: events in, instructions out."""

    def handle_batch(self, events: Iterable[Event], now: float) -> list[Instruction]:
        """Handle events and return the instructions."""


class Inbox:
    """Feeds the core with the events of each loop turn as one batch, and has its instructions carried out.

    Parameters
    ----------
    dispatch : callable
        Carries out instructions. May post events, which the next batch has.
    on_error : callable
        Called with an exception in the core or in `dispatch`, after which the worker's state cannot be trusted.
    ahead : callable, optional
        Returns for how many seconds the threads have work without the loop. While they have enough, their events wait a
        little for more: a message for each end of a task costs worker and scheduler more than many tasks take.
    """

    def __init__(
        self,
        core: Core,
        dispatch: Callable[[Sequence[Instruction]], None],
        on_error: Callable[[Exception], None],
        ahead: Callable[[], float] | None = None,
    ) -> None:
        self._core = core
        self._dispatch = dispatch
        self._on_error = on_error
        self._ahead = ahead
        self._loop = asyncio.get_running_loop()
        self._queue: WakeUpQueue[Event] = WakeUpQueue(self._loop, self._drain_in_time)
        self._handling = False
        self._again = False
        self._closed = False

    def post(self, event: Event) -> None:
        """Queue an event. From any thread."""
        self._queue.put(event)

    def take(self, events: Iterable[Event]) -> None:
        """Queue events and handle the queue now. On the loop."""
        self._queue.items.extend(events)
        self._drain()

    def close(self) -> None:
        """Handle no more events."""
        self._closed = True
        self._queue.items.clear()

    def _drain_in_time(self) -> None:
        if self._ahead is not None and self._ahead() >= _ENOUGH:
            self._loop.call_later(_PAUSE, self._drain)
        else:
            self._drain()

    def _drain(self) -> None:
        self._queue.rearm()
        if self._handling:
            # Code called meanwhile, for instance a plugin, has queued events: they are handled after this batch.
            self._again = True
            return
        self._handling = True
        try:
            self._handle()
            while self._again:
                self._again = False
                self._handle()
        finally:
            self._handling = False

    def _handle(self) -> None:
        events = self._queue.items
        if not events or self._closed:
            return
        batch = []
        while events:
            batch.append(events.popleft())
        try:
            flush_after(self._dispatch, self._core.handle_batch(batch, time.time()))
        except Exception as error:
            self._on_error(error)
