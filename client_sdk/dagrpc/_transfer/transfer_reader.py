"""Assembles a transfer from its messages. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dagrpc._codec.payload import RAW
from dagrpc._common.bytes_like import Buffer
from dagrpc._transfer.bytes_buffer import BytesBuffer
from dagrpc._transfer.chunk_wire import decode_part
from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import data_pb2

_SMALL_FRAME = 64 * 1024
"""Frames of up to this many bytes are copied from their chunk; larger frames are filled in place."""
_TAKEN_LATER = b""


@dataclass(slots=True)
class ReceivedValue:
    """A value of a transfer, or the reason why it is missing."""

    entry: data_pb2.ManifestEntry
    frames: list[Buffer] = field(default_factory=list)


class TransferReader:
    """Assembles a transfer.

    Frames are filled in place, so that memory holds at most one chunk beside the data.

    Parameters
    ----------
    allocate : callable, optional
        Returns a writable buffer of a number of bytes, for a frame that does not fit into one chunk.
    """

    def __init__(self, allocate: Callable[[int], memoryview] = lambda length: memoryview(bytearray(length))) -> None:
        self._allocate = allocate
        self.values: list[ReceivedValue] = []
        self.done = False
        self.total_bytes = 0
        self.pid = 0
        """The sender's process id, if frames are read from its memory."""
        self.host = ""
        """The sender's name for its host, if it offers its memory unasked."""
        self.in_memory: list[tuple[int, memoryview]] = []
        """Address and buffer of each frame that is read from the sender's memory."""
        self._manifest_seen = False
        self._targets: list[tuple[ReceivedValue, int, int]] = []
        """Targets of the coming frames, last first: value, index of the frame and length."""
        self._buffer: memoryview | None = None
        self._unfinished: list[tuple[ReceivedValue, int, BytesBuffer]] = []
        """Frames that become `bytes` objects: value, index of the frame and buffer."""
        self._filled = 0

    def feed(self, data: bytes) -> None:
        """Take the next message.

        Raises
        ------
        InvalidRequestError
            If the message is out of order or contradicts the manifest.
        """
        part = decode_part(data)
        if isinstance(part, tuple):
            self._chunk(*part)
            return
        kind = part.WhichOneof("part")
        if kind == "manifest":
            self.manifest(part.manifest)
        elif kind == "end":
            self._end(part.end)
        else:
            raise InvalidRequestError("a transfer consists of a manifest, chunks and an end")

    def manifest(self, manifest: data_pb2.Manifest) -> None:
        """Take the manifest, which may contain all data. Raises as `feed` does."""
        if self._manifest_seen:
            raise InvalidRequestError("a transfer has one manifest")
        self._manifest_seen = True
        self.pid, self.host = manifest.pid, manifest.host
        for entry in manifest.entries:
            value = ReceivedValue(entry)
            self.values.append(value)
            if entry.outcome == data_pb2.DATA_OUTCOME_OK:
                self._expect(value)
        self._targets.reverse()
        if manifest.whole:
            self._chunk(0, memoryview(manifest.data))
            self._end(data_pb2.TransferEnd(total_bytes=len(manifest.data)))

    def _expect(self, value: ReceivedValue) -> None:
        """Prepare for the frames of a value."""
        lengths, addresses = value.entry.frame_lengths, value.entry.frame_addresses
        if addresses and len(addresses) != len(lengths):
            raise InvalidRequestError(f"{value.entry.key!r} has {len(lengths)} frames and {len(addresses)} addresses")
        value.frames = [_TAKEN_LATER] * len(lengths)
        for index, length in enumerate(lengths):
            if addresses and addresses[index]:
                buffer = self._buffer_for(value, index, length)
                value.frames[index] = buffer
                self.in_memory.append((addresses[index], buffer))
            elif length:
                self._targets.append((value, index, length))

    def _buffer_for(self, value: ReceivedValue, index: int, length: int) -> memoryview:
        if value.entry.encoding != RAW:
            return self._allocate(length)
        buffer = BytesBuffer(length)
        self._unfinished.append((value, index, buffer))
        return buffer.view

    def finish(self) -> None:
        """Make `bytes` objects of finished frames. Called when all frames are filled, also from memory."""
        for value, index, buffer in self._unfinished:
            value.frames[index] = _TAKEN_LATER
            value.frames[index] = buffer.finish()
        self._unfinished.clear()

    def _chunk(self, offset: int, data: memoryview) -> None:
        if not self._manifest_seen or self.done:
            raise InvalidRequestError("a chunk came before the manifest or after the end")
        if offset != self.total_bytes:
            raise InvalidRequestError(f"a chunk has offset {offset} where {self.total_bytes} was due")
        position, length = 0, len(data)
        while position < length:
            if not self._targets:
                raise InvalidRequestError("a transfer has more bytes than its manifest says")
            value, index, frame_length = self._targets[-1]
            available = length - position
            if self._buffer is None and frame_length <= _SMALL_FRAME and frame_length <= available:
                # A copy, because a view would keep the whole chunk in memory; writable, as pickle promises.
                value.frames[index] = bytearray(data[position : position + frame_length])
                position += frame_length
                self._targets.pop()
                continue
            if self._buffer is None:
                self._buffer = self._buffer_for(value, index, frame_length)
                self._filled = 0
            take = min(frame_length - self._filled, available)
            self._buffer[self._filled : self._filled + take] = data[position : position + take]
            self._filled += take
            position += take
            if self._filled == frame_length:
                value.frames[index] = self._buffer
                self._buffer = None
                self._targets.pop()
        self.total_bytes += length

    def _end(self, end: data_pb2.TransferEnd) -> None:
        if not self._manifest_seen or self._targets or end.total_bytes != self.total_bytes:
            raise InvalidRequestError(
                f"a transfer ended after {self.total_bytes} bytes; its manifest or its end says otherwise"
            )
        self.done = True
