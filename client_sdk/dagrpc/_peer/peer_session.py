"""The side of a session that serves a peer: the scheduler, towards a client or a worker."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import grpc

from dagrpc._common.backoff import pauses
from dagrpc._peer.session import Session
from dagrpc._peer.traffic import Traffic
from dagrpc.exceptions import NotReadyError, UnknownSessionError
from dagrpc.v1 import common_pb2

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
"""Seconds between two checks whether a peer is gone, at first and at most."""
_BACKLOG = 1_000_000
"""Items that may wait for a peer that is away: a peer could not catch up with more."""


class PeerSession:
    """A peer's membership in the cluster: it lasts as long as the stream, and a grace period after a break.

    Parameters
    ----------
    stream : grpc.aio servicer context
        The first stream.
    encode, request_type, response_type, name
        As for `Session`; the peer sends requests.
    token : bytes
        The peer's secret. Empty: the session ends with its stream.
    grace : float
        Seconds that the peer may be away.
    welcome : coroutine function
        Returns the message that accepts the peer, with the resumption of its session or None.
    on_away, on_back : callable
        Called when the stream broke, and when the peer has opened another one.
    on_over : callable
        Called once, with the reason, when the membership ends.
    why_gone : coroutine function, optional
        Returns why a peer that is away cannot come back; empty if it may.
    traffic : Traffic, optional
        Counts the messages.
    """

    def __init__(
        self,
        stream: Any,
        encode: Callable[[list[Any]], Iterable[Any]],
        request_type: type[Any],
        response_type: type[Any],
        name: str,
        token: bytes,
        grace: float,
        *,
        welcome: Callable[[common_pb2.Resumption | None], Awaitable[Any]],
        on_away: Callable[[], object],
        on_back: Callable[[], object],
        on_over: Callable[[str], object],
        why_gone: Callable[[], Awaitable[str]] | None = None,
        traffic: Traffic | None = None,
    ) -> None:
        send_type = response_type if token else None
        self.session: Session[Any] = Session(stream, encode, request_type, name, send_type, traffic)
        self.token = token
        self.grace = grace if token else 0.0
        self.leaving = ""
        """Why the peer leaves, once it has said so: then a break of the stream ends the session at once."""
        self.over = False
        self._welcome = welcome
        self._on_away = on_away
        self._on_back = on_back
        self._on_over = on_over
        self._why_gone = why_gone
        self._streams = 0
        """The number of streams so far. The end of any but the latest stream is ignored."""
        self._waiting: asyncio.Task[None] | None = None

    @property
    def away(self) -> bool:
        """Whether the stream broke and the scheduler waits for the peer."""
        return self._waiting is not None

    def is_of(self, token: bytes) -> bool:
        """Return whether the session belongs to the peer with this secret."""
        return bool(token) and hmac.compare_digest(self.token, token)

    async def begin(self, on_message: Callable[[Any], None]) -> None:
        """Welcome the peer, which is a member already, and hold its first stream until it ends.

        The items that were queued since the peer became a member follow the welcome. When the stream has ended, the
        session waits for the peer, unless the peer leaves or broke the contract.
        """
        self._streams += 1
        number = self._streams
        try:
            await self.session.write_now(await self._welcome(None))
        except BaseException:
            self.end("its connection broke before it was welcomed")
            raise
        self._check(number)
        await self._hold(number, on_message)

    async def _hold(self, stream: int, on_message: Callable[[Any], None]) -> None:
        reason = ""
        try:
            await self.session.run(on_message)
        except (grpc.aio.UsageError, grpc.aio.InternalError, asyncio.InvalidStateError):
            # A write met the broken stream.
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
        # From here on `away` is true.
        self._waiting = asyncio.get_running_loop().create_task(self._wait())
        self._on_away()

    async def _wait(self) -> None:
        """Wait for the peer until it cannot come back any more."""
        deadline = time.monotonic() + self.grace
        pause = pauses(_FIRST_PAUSE, _LONGEST_PAUSE)
        while (rest := deadline - time.monotonic()) > 0:
            if self._why_gone is not None and (reason := await self._why_gone()):
                self.end(reason)
                return
            if self.session.queued > _BACKLOG:
                self.end("its connection broke, and too much has happened since")
                return
            await asyncio.sleep(min(next(pause), rest))
        self.end(f"its connection broke, and it did not come back within {self.grace:g} s")

    async def resume(self, stream: Any, received: int, on_message: Callable[[Any], None]) -> None:
        """Go on with another stream after message `received`, even if the break was not noticed, and hold the stream.

        Raises
        ------
        UnknownSessionError
            If the session is over, or the peer means another one.
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
            assert self.session.delivery is not None
            resumption = common_pb2.Resumption(received=self.session.delivery.taken)
            await self.session.write_now(await self._welcome(resumption))
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
        """End the peer's membership, whether it is away or not."""
        if self.over:
            return
        self.over = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting is not asyncio.current_task():
            waiting.cancel()
        self.session.end()
        self.session.abort()
        self._on_over(reason)
