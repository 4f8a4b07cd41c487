"""Parts that the metrics of schedulers and workers share: exposition, bounded labels, measurements of the process."""

from __future__ import annotations

import asyncio
import gc
import heapq
import time
from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web

MOST_PREFIXES = 50
"""How many prefixes of tasks have labels of their own; the smaller ones are added up under `OTHER`."""
OTHER = "other"
TICK = 0.02
"""Seconds between two ticks."""


class Collector(Protocol):
    """Yields metrics when it is asked."""

    def collect(self) -> Any:
        """Yield metrics as they are now."""


def metrics_route(*collectors: Collector) -> web.RouteDef:
    """Return the route of ``/metrics``: all that the collectors yield, and figures of the process."""
    from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
    from prometheus_client.exposition import CONTENT_TYPE_LATEST

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    for collector in collectors:
        registry.register(collector)

    async def metrics(request: web.Request) -> web.Response:
        # On the event loop, where the figures belong.
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return web.get("/metrics", metrics)


def top(sizes: Mapping[str, float], limit: int) -> frozenset[str]:
    """Return the names of the largest, at most so many.

    Examples
    --------
    >>> sorted(top({"a": 1, "b": 3, "c": 2}, 2))
    ['b', 'c']
    """
    if len(sizes) <= limit:
        return frozenset(sizes)
    return frozenset(heapq.nlargest(limit, sizes, key=lambda name: sizes[name]))


class Ticks:
    """Measures how late the event loop is, from the moment that somebody scrapes for the first time."""

    def __init__(self) -> None:
        self.count = 0
        """How many ticks there were."""
        self._longest = 0.0

    async def run(self) -> None:
        """Tick until cancelled."""
        last = time.perf_counter()
        while True:
            await asyncio.sleep(TICK)
            now = time.perf_counter()
            self.count += 1
            self._longest = max(self._longest, now - last)
            last = now

    def take_longest(self) -> float:
        """Return the longest tick in seconds since the last call."""
        longest, self._longest = self._longest, 0.0
        return longest


class CollectionTime:
    """Adds up the seconds that Python's garbage collection takes, from its making on."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._begun = 0.0
        gc.callbacks.append(self._note)

    def _note(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._begun = time.perf_counter()
        elif self._begun:
            self.seconds += time.perf_counter() - self._begun

    def close(self) -> None:
        """Stop measuring."""
        if self._note in gc.callbacks:
            gc.callbacks.remove(self._note)
