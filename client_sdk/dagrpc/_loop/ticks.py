"""Measures how late an event loop is, and tells the log when it is very late."""

from __future__ import annotations

import asyncio
import logging
import time

from dagrpc import config

_INTERVAL, _LIMIT, _CYCLE = 0.02, 3.0, 1.0


class LongestTick:
    """The longest tick since somebody last asked.

    Examples
    --------
    >>> longest = LongestTick()
    >>> longest.note(0.5)
    >>> longest.take(), longest.take()
    (0.5, 0.0)
    """

    def __init__(self) -> None:
        self._seconds = 0.0

    def note(self, seconds: float) -> None:
        """Take note of a tick."""
        self._seconds = max(self._seconds, seconds)

    def take(self) -> float:
        """Return the longest tick in seconds since the last call."""
        longest, self._seconds = self._seconds, 0.0
        return longest


class Ticks:
    """Looks at the running event loop at the interval of the settings ``admin.tick.*``.

    Parameters
    ----------
    who : object
        Whose event loop it is, for the log.
    logger : logging.Logger
        Gets a line for a tick that took longer than the limit.
    """

    def __init__(self, who: object, logger: logging.Logger) -> None:
        self._who = who
        self._logger = logger
        self.interval = config.get_seconds("admin.tick.interval") or _INTERVAL
        """Seconds between two ticks of a loop that is never late."""
        self._limit = config.get_seconds("admin.tick.limit") or _LIMIT
        self._cycle = config.get_seconds("admin.tick.cycle") or _CYCLE
        self._readers: list[LongestTick] = []
        self.count = 0
        """How many ticks there were."""
        self.average = self.interval
        """Average seconds of a tick in the last complete cycle."""

    def longest(self) -> LongestTick:
        """Return what knows the longest tick from now on."""
        reader = LongestTick()
        self._readers.append(reader)
        return reader

    async def run(self) -> None:
        """Tick until cancelled."""
        last = began = time.monotonic()
        counted, told = self.count, float("-inf")
        while True:
            await asyncio.sleep(self.interval)
            now = time.monotonic()
            tick, last = now - last, now
            self.count += 1
            for reader in self._readers:
                reader.note(tick)
            if tick - self.interval > self._limit and now - told >= self._cycle:
                told = now
                self._tell(tick)
            if now - began >= self._cycle:
                self.average = (now - began) / (self.count - counted)
                began, counted = now, self.count

    def _tell(self, tick: float) -> None:
        self._logger.info(
            "The event loop of %s did not run for %.1f s: code on it blocks, a function holds the interpreter's lock, "
            "or the machine has no time for the process",
            self._who,
            tick,
        )
