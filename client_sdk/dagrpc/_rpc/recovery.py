"""Calls over a broken connection wait until the connection is made again, or will not be."""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from collections.abc import Iterator
from contextvars import ContextVar

import grpc

_NOTICE = 0.5
"""Seconds that a session may take to notice a broken stream after a call over the same connection has failed."""


class Recovery:
    """The state of a connection that is made again when it breaks. Lives on one event loop."""

    def __init__(self) -> None:
        self.breaks = 0
        """How often the connection broke."""
        self._outcome: asyncio.Future[bool] | None = None
        self._closed = False

    @property
    def away(self) -> bool:
        """Whether the connection is broken and being made again."""
        return self._outcome is not None

    async def recovered(self) -> bool:
        """Wait until the connection is there again; return false if it will not be."""
        deadline = time.monotonic() + _NOTICE
        while self._outcome is None and not self._closed and time.monotonic() < deadline:
            await asyncio.sleep(_NOTICE / 20)
        return self._outcome is not None and await asyncio.shield(self._outcome)

    def broke(self) -> None:
        """Note that the connection broke and is being made again."""
        if self._outcome is None:
            self._outcome = asyncio.get_running_loop().create_future()
            self.breaks += 1

    def over(self, recovered: bool) -> None:
        """Let the calls that wait go on, or fail."""
        outcome, self._outcome = self._outcome, None
        if outcome is not None and not outcome.done():
            outcome.set_result(recovered)

    def close(self) -> None:
        """Note that the connection will not be made again."""
        self._closed = True
        self.over(False)


_recoveries: weakref.WeakKeyDictionary[grpc.aio.Channel, Recovery] = weakref.WeakKeyDictionary()
_recovering: ContextVar[bool] = ContextVar("recovering", default=False)


def expect_recovery(channel: grpc.aio.Channel, recovery: Recovery) -> None:
    """Let unary calls over a channel wait while its connection is broken, instead of failing."""
    _recoveries[channel] = recovery


def recovery_of(channel: grpc.aio.Channel) -> Recovery | None:
    """Return what calls over a channel wait for; None if they fail at once."""
    return None if _recovering.get() else _recoveries.get(channel)


@contextlib.contextmanager
def recovering() -> Iterator[None]:
    """Let calls within the block fail at once: they are part of making the connection again."""
    token = _recovering.set(True)
    try:
        yield
    finally:
        _recovering.reset(token)
