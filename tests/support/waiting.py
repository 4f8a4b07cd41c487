"""Waiting for a condition, up to a generous limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE = 0.01
_LIMIT = 60.0


def eventually(
    condition: Callable[[], T], seconds: float = _LIMIT, otherwise: str = "the condition did not come true"
) -> T:
    """Poll a condition until it is true, and return its value; after so many seconds, fail and say `otherwise`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, otherwise
        time.sleep(_PAUSE)
    return found


async def eventually_async(
    condition: Callable[[], T], seconds: float = _LIMIT, otherwise: str = "the condition did not come true"
) -> T:
    """Poll a condition as `eventually` does, without blocking the event loop."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, otherwise
        await asyncio.sleep(_PAUSE)
    return found
