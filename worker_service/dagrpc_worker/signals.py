"""Signals to workers and nannies: the first SIGTERM closes them gracefully, a later signal sooner."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable

_ECHO = 1.0
"""Seconds. A SIGTERM this soon after the first counts as the same one: a service manager sends it to the nanny and to
the worker, and the nanny passes it on. A SIGTERM this soon after a SIGINT may have been sent before it: the kernel
delivers pending signals by number, not by time."""


class StopSignals:
    """Decides on the reaction to a signal. SIGINT, which people send, closes at once.

    Parameters
    ----------
    drain, close : callable
        Close gracefully, or at once; called with the reason.
    leave : callable
        Ends the process immediately; called with its exit code.

    Examples
    --------
    >>> signals = StopSignals(print, print, print)
    >>> signals.take(signal.SIGTERM, now=10.0)
    received SIGTERM
    >>> signals.take(signal.SIGTERM, now=10.1)
    >>> signals.take(signal.SIGTERM, now=15.0)
    received SIGTERM again
    >>> signals.take(signal.SIGTERM, now=16.5)
    143
    """

    def __init__(
        self,
        drain: Callable[[str], object],
        close: Callable[[str], object],
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        self._drain = drain
        self._close = close
        self._leave = leave
        self._draining_since: float | None = None
        self._closing_since: float | None = None

    def take(self, number: signal.Signals, now: float) -> None:
        """React to a signal that came at time `now`, in seconds."""
        if self._closing_since is not None:
            if number != signal.SIGTERM or now - self._closing_since > _ECHO:
                self._leave(128 + number)
        elif self._draining_since is None and number == signal.SIGTERM:
            self._draining_since = now
            self._drain(f"received {number.name}")
        elif number == signal.SIGINT or self._draining_since is None or now - self._draining_since > _ECHO:
            again = " again" if self._draining_since is not None and number == signal.SIGTERM else ""
            self._closing_since = now
            self._close(f"received {number.name}{again}")


def on_stop_signals(drain: Callable[[str], object], close: Callable[[str], object]) -> None:
    """Call `drain` or `close` on signals; see `StopSignals`. On the event loop."""
    loop = asyncio.get_running_loop()
    signals = StopSignals(drain, close)

    def take(number: signal.Signals) -> None:
        signals.take(number, time.monotonic())

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, take, number)
