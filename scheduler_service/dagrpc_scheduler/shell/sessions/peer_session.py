"""How long a peer belongs to the cluster: as long as its stream, and for a grace period after that broke."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from dagrpc._peer.session import Session
from dagrpc.exceptions import NotReadyError, UnknownSessionError

logger = logging.getLogger("dagrpc.scheduler")

_FIRST_LOOK, _LONGEST_PAUSE = 0.05, 1.0
"""Seconds until it is looked whether a peer is gone, and between two looks at most."""
_BACKLOG = 1_000_000
"""Items that may wait for a peer that is away. It would never catch up with more."""


class Tenure:
    """A peer's session and its streams, one after the other.

    Parameters
    ----------
    session : Session
        The session.
    token : bytes
        The peer's secret; empty: the session ends with its stream.
    grace : float
        For how many seconds the peer may be away.
    on_away, on_back : callable
        Called when the stream broke, and when there is another.
    on_over : callable
        Called once, with the reason, when the peer belongs to the cluster no more.
    why_gone : coroutine function, optional
        Returns why a peer that is away cannot come back; empty if it may.
    """

    def __init__(
        self,
        session: Session[Any],
        token: bytes,
        grace: float,
        *,
        on_away: Callable[[], object],
        on_back: Callable[[], object],
        on_over: Callable[[str], object],
        why_gone: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self.session = session
        self.token = token
        self.grace = grace if token else 0.0
        self.leaving = ""
        """Why the peer leaves, once it has said that it does: then it is not waited for."""
        self.over = False
        self.graph_limits: Any = None
        """What is counted of a client's graphs."""
        self._on_away = on_away
        self._on_back = on_back
        self._on_over = on_over
        self._why_gone = why_gone
        self._streams = 0
        """How many there have been; what happens to any but the latest is of no interest."""
        self._waiting: asyncio.Task[None] | None = None

    @property
    def away(self) -> bool:
        """Whether the peer is being waited for."""
        return self._waiting is not None

    def is_of(self, token: bytes) -> bool:
        """Tell whether a peer with this secret is the same as before."""
        return bool(token) and hmac.compare_digest(self.token, token)

    async def hold(self, on_message: Callable[[Any], None]) -> None:
        """Hold the stream that there is until it ends. Then the peer is waited for, unless it leaves or is to blame."""
        self._streams += 1
        await self._hold(self._streams, on_message)

    async def _hold(self, stream: int, on_message: Callable[[Any], None]) -> None:
        reason = ""
        try:
            await self.session.run(on_message)
        except (grpc.aio.UsageError, grpc.aio.InternalError, asyncio.InvalidStateError):
            # Written to while it broke.
            pass
        except Exception as error:
            reason = f"it broke the contract: {error}"
            raise
        finally:
            if stream == self._streams and not self.over:
                self._stream_ended(reason)

    def _stream_ended(self, reason: str) -> None:
        reason = reason or self.leaving
        if reason or not self.grace:
            self.end(reason or "its connection broke")
            return
        # From here on others see that the peer is away.
        self._waiting = asyncio.get_running_loop().create_task(self._wait())
        self._on_away()

    async def _wait(self) -> None:
        """Wait for the peer as long as it may come back."""
        deadline = time.monotonic() + self.grace
        pause = _FIRST_LOOK
        while (rest := deadline - time.monotonic()) > 0:
            if self._why_gone is not None and (reason := await self._why_gone()):
                self.end(reason)
                return
            if self.session.queued > _BACKLOG:
                self.end("its connection broke, and too much has happened since")
                return
            await asyncio.sleep(min(pause, max(rest, 0.0)))
            pause = min(pause * 2, _LONGEST_PAUSE)
        self.end(f"its connection broke, and it did not come back within {self.grace:g} s")

    async def resume(
        self, stream: Any, received: int, greet: Callable[[], Awaitable[None]], on_message: Callable[[Any], None]
    ) -> None:
        """Go on with another stream, whether or not the one before is known to be broken, and hold that.

        Parameters
        ----------
        received : int
            What the peer has taken.
        greet : coroutine function
            Tells the peer that its session goes on.

        Raises
        ------
        UnknownSessionError
            If the session is over, or the peer means another.
        NotReadyError
            If the peer has opened yet another stream meanwhile.
        """
        self._streams += 1
        number = self._streams
        await self.session.detach()
        self._check(number)
        try:
            self.session.attach(stream, received)
        except UnknownSessionError as error:
            self.end(f"its session cannot go on: {error}")
            raise
        try:
            await greet()
        except BaseException:
            if number == self._streams and not self.over and not self.away:
                self._stream_ended("")
            raise
        self._check(number)
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
            self._on_back()
        await self._hold(number, on_message)

    def _check(self, number: int) -> None:
        if self.over:
            raise UnknownSessionError("the session is over")
        if number != self._streams:
            raise NotReadyError("the session goes on with another stream")

    def end(self, reason: str) -> None:
        """Have the peer belong to the cluster no more, whether it is away or not."""
        if self.over:
            return
        self.over = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting is not asyncio.current_task():
            waiting.cancel()
        self.session.end()
        self.session.abort()
        self._on_over(reason)
