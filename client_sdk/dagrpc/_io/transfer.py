"""Transfers: a manifest, chunks, an end. The same in every direction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from dagrpc import config
from dagrpc._io import status
from dagrpc._io.channels import ServiceClient
from dagrpc._io.chunk_wire import decode_part, encode_chunk
from dagrpc._io.receive_buffers import ReceiveBuffers
from dagrpc._util.buffers import Buffer
from dagrpc.exceptions import CommClosedError, InvalidRequestError
from dagrpc.v1 import data_pb2, worker_service_pb2

WORKER_SERVICE = worker_service_pb2.DESCRIPTOR.services_by_name["WorkerService"]

_buffers = ReceiveBuffers()

_SMALL_FRAME = 64 * 1024
"""Frames up to this size are cut from the chunk that brings them; larger ones get a buffer of their own."""


@dataclass(slots=True)
class OutgoingValue:
    """A value to send."""

    key: str
    encoding: str
    frames: Sequence[Buffer]
    type_name: str = ""
    nbytes: int = 0
    outcome: data_pb2.DataOutcome = data_pb2.DATA_OUTCOME_OK
    message: str = ""

    def entry(self) -> data_pb2.ManifestEntry:
        """Return the value's line in the manifest."""
        return data_pb2.ManifestEntry(
            key=self.key,
            outcome=self.outcome,
            encoding=self.encoding,
            frame_lengths=[_length(frame) for frame in self.frames],
            type_name=self.type_name,
            nbytes=self.nbytes,
            message=self.message,
        )


@dataclass(slots=True)
class ReceivedValue:
    """A value that came, or did not."""

    entry: data_pb2.ManifestEntry
    frames: list[Buffer] = field(default_factory=list)


def _length(frame: Buffer) -> int:
    return frame.nbytes if isinstance(frame, memoryview) else len(frame)


def transfer_messages(values: Sequence[OutgoingValue], chunk_size: int | None = None) -> Iterator[bytes]:
    """Yield the serialized messages of a transfer."""
    size = chunk_size or config.get_bytes("comm.chunk-size")
    manifest = data_pb2.Manifest(entries=[value.entry() for value in values])
    yield worker_service_pb2.GetDataResponse(manifest=manifest).SerializeToString()
    total = 0
    pieces: list[Buffer] = []
    held = 0
    for value in values:
        for frame in value.frames:
            view = memoryview(frame).cast("B") if not isinstance(frame, bytes) else memoryview(frame)
            position, length = 0, view.nbytes
            while position < length:
                take = min(size - held, length - position)
                pieces.append(view[position : position + take])
                position += take
                held += take
                if held == size:
                    yield encode_chunk(total, pieces, held)
                    total += held
                    pieces, held = [], 0
    if held:
        yield encode_chunk(total, pieces, held)
        total += held
    yield worker_service_pb2.GetDataResponse(end=data_pb2.TransferEnd(total_bytes=total)).SerializeToString()


class TransferReader:
    """Puts a transfer together from its messages.

    Each frame is filled in place, so that at most one chunk more than the data itself is held.

    Parameters
    ----------
    allocate : callable, optional
        Returns a writable buffer of so many bytes, for a frame that does not fit into one chunk.
    """

    def __init__(self, allocate: Callable[[int], memoryview] = lambda length: memoryview(bytearray(length))) -> None:
        self._allocate = allocate
        self.values: list[ReceivedValue] = []
        self.done = False
        self.total_bytes = 0
        self._manifest_seen = False
        self._targets: list[tuple[list[Buffer], int]] = []
        """Where the coming frames go, last first: the value's list and the frame's length."""
        self._buffer: memoryview | None = None
        self._filled = 0

    def feed(self, data: bytes) -> None:
        """Take the next message.

        Raises
        ------
        InvalidRequestError
            If it breaks the order or does not fit the manifest.
        """
        part = decode_part(data)
        if isinstance(part, tuple):
            self._chunk(*part)
            return
        kind = part.WhichOneof("part")
        if kind == "manifest":
            self._manifest(part.manifest)
        elif kind == "end":
            self._end(part.end)
        else:
            raise InvalidRequestError("a transfer consists of a manifest, chunks and an end")

    def _manifest(self, manifest: data_pb2.Manifest) -> None:
        if self._manifest_seen:
            raise InvalidRequestError("a transfer has one manifest")
        self._manifest_seen = True
        for entry in manifest.entries:
            value = ReceivedValue(entry)
            self.values.append(value)
            if entry.outcome == data_pb2.DATA_OUTCOME_OK:
                self._targets.extend((value.frames, length) for length in entry.frame_lengths)
        self._targets.reverse()
        self._skip_empty()

    def _skip_empty(self) -> None:
        while self._targets and self._targets[-1][1] == 0:
            self._targets.pop()[0].append(b"")

    def _chunk(self, offset: int, data: memoryview) -> None:
        if not self._manifest_seen or self.done:
            raise InvalidRequestError("a chunk came before the manifest or after the end")
        if offset != self.total_bytes:
            raise InvalidRequestError(f"a chunk has offset {offset} where {self.total_bytes} was due")
        position, length = 0, len(data)
        while position < length:
            if not self._targets:
                raise InvalidRequestError("a transfer has more bytes than its manifest says")
            frames, frame_length = self._targets[-1]
            available = length - position
            if self._buffer is None and frame_length <= _SMALL_FRAME and frame_length <= available:
                # A buffer of its own, lest a small value keep a whole chunk alive; writable, as pickle promises.
                frames.append(bytearray(data[position : position + frame_length]))
                position += frame_length
                self._next_frame()
                continue
            if self._buffer is None:
                self._buffer = self._allocate(frame_length)
                self._filled = 0
            take = min(frame_length - self._filled, available)
            self._buffer[self._filled : self._filled + take] = data[position : position + take]
            self._filled += take
            position += take
            if self._filled == frame_length:
                frames.append(self._buffer)
                self._buffer = None
                self._next_frame()
        self.total_bytes += length

    def _next_frame(self) -> None:
        self._targets.pop()
        self._skip_empty()

    def _end(self, end: data_pb2.TransferEnd) -> None:
        if not self._manifest_seen or self._targets or end.total_bytes != self.total_bytes:
            raise InvalidRequestError(
                f"a transfer ended after {self.total_bytes} bytes; its manifest or its end says otherwise"
            )
        self.done = True


async def receive(read: Callable[[], Awaitable[Any]], timeout: float) -> list[ReceivedValue]:
    """Read a transfer to its end.

    Parameters
    ----------
    read : coroutine function
        Returns the next serialized message, or `grpc.aio.EOF`.
    timeout : float
        How long to wait for each message, in seconds.

    Raises
    ------
    CommClosedError
        If the stream stops before the end, or makes no progress for `timeout` seconds.
    InvalidRequestError
        If it is not a transfer.
    """
    reader = TransferReader(_buffers.allocate)
    while True:
        try:
            message = await asyncio.wait_for(read(), timeout)
        except TimeoutError:
            raise CommClosedError(f"A transfer made no progress for {timeout:g} s") from None
        if message is grpc.aio.EOF:
            break
        reader.feed(message)
    if not reader.done:
        raise CommClosedError("A transfer stopped before its end")
    return reader.values


async def download(
    client: ServiceClient, method: str, request: Any, timeout: float | None = None
) -> list[ReceivedValue]:
    """Call a method that answers with a transfer.

    Raises
    ------
    CommClosedError
        If the peer cannot be reached or the transfer breaks.
    LimitReachedError
        If the peer is too busy.
    """
    limit = timeout if timeout is not None else config.get_seconds("comm.timeouts.tcp") or 30.0
    call = client.open_download(method, request)
    try:
        return await receive(call.read, limit)
    except grpc.aio.AioRpcError as error:
        raise status.from_rpc_error(error, client.peer) from None
    finally:
        call.cancel()


async def upload(
    client: ServiceClient, method: str, values: Sequence[OutgoingValue], first: bytes | None = None
) -> Any:
    """Call a method that takes a transfer, and return its response.

    Parameters
    ----------
    first : bytes, optional
        A serialized message to send before the transfer.

    Raises
    ------
    CommClosedError
        If the peer cannot be reached or the transfer breaks.
    """
    call = client.open_upload(method)
    try:
        if first is not None:
            await call.write(first)
        for message in transfer_messages(values):
            await call.write(message)
        await call.done_writing()
        return await call
    except grpc.aio.AioRpcError as error:
        raise status.from_rpc_error(error, client.peer) from None
    except asyncio.InvalidStateError:
        # The peer ended the call while we were writing; its status says why.
        raise CommClosedError(f"{client.peer} ended the transfer: {await call.details()}") from None
    finally:
        call.cancel()
