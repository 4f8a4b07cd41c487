"""A session: one bidirectional stream with one writer and one reader.

All items that are queued during a turn of the event loop leave as one message; no timer is involved. The answers to a
message leave in the same turn. A message that is too large for gRPC is sent in fragments, which the reader joins. A
session may outlive its stream: see `delivery`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import grpc

from dagrpc import config
from dagrpc._loop.taskless_coroutine import TasklessCoroutine
from dagrpc._peer.delivery import Delivery
from dagrpc._peer.traffic import Traffic
from dagrpc._rpc.grpc_options import message_limit
from dagrpc.exceptions import TooLargeError
from dagrpc.v1 import common_pb2

logger = logging.getLogger("dagrpc.io")

Item = TypeVar("Item")
Result = TypeVar("Result")

_FRAGMENT_PIECE = 1 << 20


class _PendingFlush(threading.local):
    """The sessions that `flush_after` flushes in this thread."""

    sessions: list[Session[Any]] | None = None
    """Sessions that begin to write at the end of `flush_after`. None outside of `flush_after`."""


_pending_flush = _PendingFlush()


def flush_after(function: Callable[..., Result], *args: Any) -> Result:
    """Call a function, and send the items that it queues when it returns instead of after this turn of the loop.

    Used where a message is answered or passed on: each process that a task passes through saves a turn of its loop.
    """
    if _pending_flush.sessions is not None:
        return function(*args)
    sessions = _pending_flush.sessions = []
    try:
        return function(*args)
    finally:
        _pending_flush.sessions = None
        for session in sessions:
            session._begin()


class Session(Generic[Item]):
    """One side of a stream of batches.

    Parameters
    ----------
    stream : grpc.aio call or servicer context
        Offers ``read()`` and ``write(bytes)``. Only the session uses it.
    encode : callable
        Makes messages of queued items: takes a list of items, returns an iterable of protobuf messages whose type has
        a ``fragment`` field.
    receive_type : type
        Type of the messages that come in.
    name : str
        The peer's name in logs and errors.
    send_type : type, optional
        Type of the messages that go out, for a session that can go on with another stream when this one breaks.
    traffic : Traffic, optional
        Counts the messages.
    """

    def __init__(
        self,
        stream: Any,
        encode: Callable[[list[Item]], Iterable[Any]],
        receive_type: type[Any],
        name: str,
        send_type: type[Any] | None = None,
        traffic: Traffic | None = None,
    ) -> None:
        self._stream = stream
        self._encode = encode
        self._receive_type = receive_type
        self._traffic = traffic if traffic is not None else Traffic()
        self.name = name
        self.closed = False
        """Whether the session sends nothing more."""
        self.running = False
        """Whether a stream is being read and written."""
        self._queue: list[Item] = []
        self._due = False
        """Whether items or an acknowledgement may wait that the writer has not taken."""
        self._writer: TasklessCoroutine | None = None
        """The writer that runs, or ran last."""
        self._busy = False
        """Whether the writer runs."""
        self._broken: asyncio.Future[None] | None = None
        """Fails when the writer fails."""
        self._drained = asyncio.Event()
        self._drained.set()
        self._fragment_size = min(config.get_bytes("comm.fragment-size"), message_limit() // 2)
        self._largest = config.get_bytes("comm.limits.batch-size")
        self._partial: bytearray | None = None
        self._reader: asyncio.Task[None] | None = None
        self._writing: list[Item] = []
        """Items of the batch that is being written, including items that are written already."""
        self._reason: Exception | None = None
        """The error that `run` raises after `abort`."""
        self._may_read: asyncio.Event | None = None
        """Set while messages are read; None if `hold_reading` was never called."""
        self._unsent: Iterator[bytes] | None = None
        """Messages of the batch that is being written, or that the broken stream left unwritten."""
        self._stopped = asyncio.Event()
        self._stopped.set()
        self.delivery = Delivery(send_type, self._schedule_flush) if send_type is not None else None
        """Keeps and counts messages for the next stream. None if the session ends with its stream."""

    @property
    def queued(self) -> int:
        """How many items wait to be sent."""
        return len(self._queue)

    def backlog(self) -> tuple[list[Item], list[Item]]:
        """Return the items of the batch that is being written, and the queued items. Callers only read the lists."""
        return self._writing, self._queue

    @property
    def unacknowledged(self) -> int:
        """How many bytes of sent messages are kept until the peer acknowledges them."""
        return self.delivery.kept_bytes if self.delivery is not None else 0

    def hold_reading(self) -> None:
        """Stop reading messages for now; gRPC's flow control then stops the peer's writing."""
        if self._may_read is None:
            self._may_read = asyncio.Event()
        self._may_read.clear()

    def go_on_reading(self) -> None:
        """Read messages again."""
        if self._may_read is not None:
            self._may_read.set()

    def send(self, item: Item) -> None:
        """Queue an item. All items that are queued in this turn of the loop leave after it."""
        if self.closed:
            return
        self._queue.append(item)
        if not self._due:
            self._schedule_flush()

    def send_many(self, items: Iterable[Item]) -> None:
        """Queue items in order."""
        if self.closed:
            return
        self._queue.extend(items)
        if not self._due:
            self._schedule_flush()

    def _schedule_flush(self) -> None:
        """Schedule the writing of queued items and of an acknowledgement."""
        self._due = True
        if self._busy or not self.running:
            return
        if _pending_flush.sessions is not None:
            _pending_flush.sessions.append(self)
        else:
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        """Start the writer unless it runs already."""
        if not self._busy and self.running:
            self._busy = True
            self._writer = TasklessCoroutine(self._write())

    async def run(self, on_message: Callable[[Any], Awaitable[None] | None]) -> None:
        """Read and write until either side closes the stream.

        Parameters
        ----------
        on_message : callable
            Called with each message that comes in. May be a coroutine function: the next message is read after it.

        Raises
        ------
        grpc.aio.AioRpcError
            If the stream broke with a status, on the side that opened the stream.
        """
        self.running = True
        self._stopped.clear()
        broken = self._broken = asyncio.get_running_loop().create_future()
        reader = self._reader = asyncio.create_task(self._read_loop(on_message))
        self._resume_writing()
        try:
            await asyncio.wait((reader, broken), return_when=asyncio.FIRST_COMPLETED)
            for ended in (reader, broken):
                if ended.done() and not ended.cancelled():
                    ended.result()
        finally:
            self.running = False
            self._stop_writing()
            if self.delivery is None:
                self.closed = True
                self._queue, self._writing = [], []
            self._drained.set()
            try:
                await _ended(reader)
            finally:
                self._stopped.set()
        if self._reason is not None:
            raise self._reason

    def abort(self, reason: Exception | None = None) -> None:
        """End `run` without waiting for the peer. `run` raises `reason` if it is given."""
        self._reason = reason
        if self._reader is not None:
            self._reader.cancel()

    async def detach(self) -> None:
        """End `run` and wait until it has ended, before the session goes on with another stream."""
        self.abort()
        await self._stopped.wait()

    def attach(self, stream: Any, received: int) -> None:
        """Go on with another stream after message `received`, the last one that the peer has taken. `run` follows.

        Raises
        ------
        UnknownSessionError
            If the peer cannot have taken this message.
        """
        assert self.delivery is not None
        self.delivery.resume(received)
        self._traffic.resumptions += 1
        self._stream = stream

    def end(self) -> None:
        """Send nothing more, and drop the messages that are kept."""
        self.closed = True
        self._queue.clear()
        self._writing = []
        self._unsent = None
        if self.delivery is not None:
            self.delivery.close()

    async def drain(self, timeout: float) -> None:
        """Wait until all queued items have been handed to gRPC, for at most `timeout` seconds."""
        if not self.running:
            return
        if self._queue:
            self._drained.clear()
        try:
            await asyncio.wait_for(self._drained.wait(), timeout)
        except TimeoutError:
            logger.debug("%s: %d items were not sent within %g s", self.name, len(self._queue), timeout)

    async def write_now(self, message: Any) -> None:
        """Write a message of the handshake, before `run` is called."""
        await self._stream.write(message.SerializeToString())

    async def read_now(self) -> Any | None:
        """Read a message of the handshake, before `run` is called. Returns None if the stream has ended."""
        message = await self._stream.read()
        return None if message is grpc.aio.EOF else message

    async def _read_loop(self, on_message: Callable[[Any], Awaitable[None] | None]) -> None:
        read, delivery, traffic = self._stream.read, self.delivery, self._traffic
        while True:
            message = await read()
            if message is grpc.aio.EOF:
                return
            traffic.messages_received += 1
            if self._may_read is not None:
                await self._may_read.wait()
            # Only now: the peer sends a message again that was read, but not accepted before the stream broke.
            if delivery is not None and not delivery.accept(message):
                continue
            if message.HasField("fragment"):
                message = self._join(message.fragment)
                if message is None:
                    continue
            result = flush_after(on_message, message)
            # Else the batch would stay in memory until the next one comes.
            del message
            if result is not None:
                await result

    def _join(self, fragment: common_pb2.Fragment) -> Any | None:
        if self._partial is None:
            self._partial = bytearray()
        if len(self._partial) + len(fragment.data) > self._largest:
            self._partial = None
            raise TooLargeError(
                f"{self.name}: a message in fragments has more than {self._largest} bytes, the limit "
                "(comm.limits.batch-size)"
            )
        self._partial += fragment.data
        if not fragment.last:
            return None
        data, self._partial = self._partial, None
        return self._receive_type.FromString(bytes(data))

    def _resume_writing(self) -> None:
        """Start to write to a new stream: first the messages that the peer may not have taken."""
        if self._unsent is not None or self._due or (self.delivery is not None and self.delivery.kept):
            self._busy = True
            self._writer = TasklessCoroutine(self._write(self.delivery.kept if self.delivery is not None else ()))

    def _stop_writing(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._busy = None, False
        if self._broken is not None:
            # Also after a failure, which the reader may have reported first: else asyncio warns about it.
            self._broken.cancel()

    async def _write(self, again: Iterable[bytes] = ()) -> None:
        """Write the messages `again`, then batches until the queue is empty."""
        try:
            for piece in again:
                await self._stream.write(piece)
            while self._due or self._unsent is not None:
                await self._write_batch()
        except asyncio.CancelledError:
            # The call was cancelled.
            if self._broken is not None:
                self._broken.cancel()
        except Exception as error:
            if self._broken is not None and not self._broken.done():
                self._broken.set_exception(error)
        else:
            self._busy = False

    async def _write_batch(self) -> None:
        write, delivery = self._stream.write, self.delivery
        if self._unsent is None:
            self._due = False
            # A batch counts as queued until all of it has been handed to gRPC.
            self._drained.clear()
            items, self._queue = self._queue, []
            self._writing = items
            self._unsent = self._encoded(items)
            # Else the items would stay in memory until the next batch comes.
            del items
        traffic = self._traffic
        for piece in self._unsent:
            traffic.messages_sent += 1
            traffic.bytes_sent += len(piece)
            await write(piece)
        self._unsent = None
        self._writing = []
        if delivery is not None and (acknowledgement := delivery.acknowledgement()) is not None:
            await write(acknowledgement)
        if not self._queue:
            self._drained.set()

    def _encoded(self, items: list[Item]) -> Iterator[bytes]:
        """Yield the serialized messages of a batch."""
        for message in self._encode(items) if items else ():
            for piece in self._pieces(message):
                yield piece if self.delivery is None else self.delivery.stamp(piece)
            del message, piece

    def _pieces(self, message: Any) -> Iterable[bytes]:
        """Return a serialized message, whole or in fragments."""
        data = message.SerializeToString()
        return (data,) if len(data) <= self._fragment_size else self._split(type(message), data)

    @staticmethod
    def _split(message_type: type[Any], data: bytes) -> Iterable[bytes]:
        """Yield the serialized fragments of a serialized message."""
        view = memoryview(data)
        for start in range(0, len(data), _FRAGMENT_PIECE):
            piece = bytes(view[start : start + _FRAGMENT_PIECE])
            fragment = common_pb2.Fragment(data=piece, last=start + _FRAGMENT_PIECE >= len(data))
            yield message_type(fragment=fragment).SerializeToString()


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end, even if gRPC cancels the surrounding call meanwhile."""
    task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if not task.cancelled():
        # Else asyncio warns that the exception was never retrieved.
        task.exception()
    if cancelled is not None:
        raise cancelled
