"""Feeds: the facts that panels draw. A viewer's reader of a feed returns what is new since its last call.

A table of rows is computed once for all viewers that look at it within a moment, and each viewer is sent the rows that
changed. Nothing is computed while nobody looks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias

Rows: TypeAlias = Mapping[str, Any]
"""Rows of plain data by name."""

FRESH = 0.4
"""Seconds for which the rows of a table are good."""
SHARE = 0.03
"""Share of the scheduler's time that one table may take; a table that takes longer is made less often."""


class Reader(Protocol):
    """Reads a feed for one viewer."""

    async def news(self) -> Any:
        """Return what is new as plain data; None: nothing."""

    def close(self) -> None:
        """Forget the viewer."""


class Table:
    """Rows that are made when somebody asks, and kept for a moment.

    Parameters
    ----------
    make : coroutine function
        Returns the rows, and the seconds of the event loop that they took.
    """

    def __init__(self, make: Callable[[], Awaitable[tuple[Rows, float]]]) -> None:
        self._make = make
        self._rows: Rows = {}
        self._due = 0.0
        self._lock = asyncio.Lock()

    async def rows(self) -> Rows:
        """Return the rows; callers must not change them."""
        async with self._lock:
            if time.monotonic() >= self._due:
                self._rows, seconds = await self._make()
                self._due = time.monotonic() + max(FRESH, seconds / SHARE)
        return self._rows

    def reader(self) -> TableReader:
        """Return a reader for one viewer."""
        return TableReader(self)


class TableReader:
    """Tells one viewer which rows of a table changed."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._told: Rows | None = None

    async def news(self) -> dict[str, Any] | None:
        """Return changed rows under ``set`` and names of rows that are gone under ``gone``; None if there are none."""
        rows = await self._table.rows()
        told, self._told = self._told, rows
        if told is None:
            return {"set": dict(rows), "gone": []}
        if told is rows:
            return None
        changed = {name: row for name, row in rows.items() if told.get(name) != row}
        gone = [name for name in told if name not in rows]
        return {"set": changed, "gone": gone} if changed or gone else None

    def close(self) -> None:
        """Forget the viewer."""


def quick(make: Callable[[], Rows]) -> Table:
    """Return a table of rows that are made in one step on the event loop."""

    async def timed() -> tuple[Rows, float]:
        begun = time.perf_counter()
        rows = make()
        return rows, time.perf_counter() - begun

    return Table(timed)
