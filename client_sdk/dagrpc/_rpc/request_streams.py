"""Streams that a caller writes to, with the status that the peer ended them with."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Generator
from typing import Any, NoReturn, TypeVar

import grpc

T = TypeVar("T")

_LOCAL = "Internal error from Core"
"""grpc.aio gives this status when a write failed, instead of the peer's: https://github.com/grpc/grpc/issues/36066."""
_LAST_WORD = 1.0
"""Seconds to wait for the status of a call that could not be written to."""


class WrittenStream:
    """A call that messages are written to.

    A peer ends a call with a status. A write to an ended call fails in one of three ways, and only one of them has the
    status; here, every failure has it.

    Parameters
    ----------
    call : grpc.aio call
        Offers ``write``, and ``read`` if messages come back.
    """

    def __init__(self, call: Any) -> None:
        self._call = call
        self._outcome = _Outcome()
        call.add_done_callback(self._outcome.note)
        self.cancel = call.cancel
        self.code = call.code
        self.details = call.details
        self.done = call.done

    async def write(self, data: bytes) -> None:
        """Hand a message to gRPC.

        Raises
        ------
        grpc.aio.AioRpcError
            If the peer has ended the call with an error.
        asyncio.InvalidStateError
            If the call has ended otherwise.
        """
        try:
            await self._call.write(data)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await self._fail()

    async def read(self) -> Any:
        """Return the next message, or `grpc.aio.EOF`.

        Raises
        ------
        grpc.aio.AioRpcError
            If the peer has ended the call with an error.
        """
        try:
            return await self._call.read()
        except grpc.aio.AioRpcError:
            await self._fail()

    async def done_writing(self) -> None:
        """End the requests. Raises as `write` does."""
        try:
            await self._call.done_writing()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await self._fail()

    def __await__(self) -> Generator[Any, None, Any]:
        """Return the response of a client-streaming call."""
        return self._response().__await__()

    async def _response(self) -> Any:
        try:
            return await self._call
        except grpc.aio.AioRpcError:
            await self._fail()

    async def _fail(self) -> NoReturn:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._outcome.known.wait(), _LAST_WORD)
        raise self._outcome.error or asyncio.InvalidStateError("The call has ended") from None


class _Outcome:
    """The status that the peer gave a call."""

    __slots__ = ("error", "known")

    def __init__(self) -> None:
        self.known = asyncio.Event()
        self.error: grpc.aio.AioRpcError | None = None
        """None if the status is OK."""

    def note(self, call: Any) -> None:
        """Note a status. grpc.aio may report several for a call, of which one is the peer's."""
        code, details = _now(call.code()), _now(call.details())
        if self.known.is_set() or (code is grpc.StatusCode.INTERNAL and details == _LOCAL):
            return
        self.known.set()
        if code is not grpc.StatusCode.OK:
            trailing = _now(call.trailing_metadata())
            self.error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details)


def _now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that does not wait, because its call is done."""
    try:
        coroutine.send(None)
    except StopIteration as outcome:
        result: T = outcome.value
        return result
    coroutine.close()
    raise RuntimeError("a call that is done has no status")
