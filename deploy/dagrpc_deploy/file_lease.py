"""A lease in a file: the servers of a process end when nobody renews it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

_LOOKS = 20
_LONGEST_PAUSE = 10.0


async def watch_lease(path: str, seconds: float, then: Callable[[], object]) -> None:
    """Call `then` once the content of a file has not changed for so many seconds.

    The clock is that of this process: to renew the lease is to write anything new.
    """
    last, since = _content(path), time.monotonic()
    while time.monotonic() - since < seconds:
        await asyncio.sleep(min(seconds / _LOOKS, _LONGEST_PAUSE))
        content = _content(path)
        if content != last:
            last, since = content, time.monotonic()
    then()


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
