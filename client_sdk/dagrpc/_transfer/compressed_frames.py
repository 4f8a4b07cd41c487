"""Compression of the frames of a transfer, if it is configured and saves enough."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dagrpc._codec.compressions import MIN_SIZE, decompressed, maybe_compress
from dagrpc._common.bytes_like import Buffer
from dagrpc.v1 import data_pb2

if TYPE_CHECKING:
    from dagrpc._transfer.outgoing_value import OutgoingValue
    from dagrpc._transfer.transfer_reader import ReceivedValue


async def compress(values: Sequence[OutgoingValue], codec: str | None) -> Sequence[OutgoingValue]:
    """Return values with compressed frames where compression saves much. Runs in a thread. No codec: no change."""
    if codec is None or not any(memoryview(frame).nbytes >= MIN_SIZE for value in values for frame in value.frames):
        return values
    return await asyncio.to_thread(lambda: [_compressed(value, codec) for value in values])


def _compressed(value: OutgoingValue, codec: str) -> OutgoingValue:
    packed = [maybe_compress(frame, compression=codec) for frame in value.frames]
    if not any(name for name, _ in packed):
        return value
    # A new value: the original may be part of another transfer.
    return replace(value, frames=[frame for _, frame in packed], compressions=[name or "" for name, _ in packed])


async def decompress(values: Sequence[ReceivedValue]) -> None:
    """Decompress frames, in a thread. A value that cannot be decompressed gets the outcome NOT_ENCODABLE."""
    compressed = [value for value in values if value.entry.frame_compressions]
    if compressed:
        await asyncio.to_thread(_decompress, compressed)


def _decompress(values: Sequence[ReceivedValue]) -> None:
    for value in values:
        entry = value.entry
        frames: list[Buffer] = []
        try:
            for name, frame in zip(entry.frame_compressions, value.frames, strict=True):
                frames.append(decompressed(name, frame) if name else frame)
        except ValueError as error:
            entry.outcome = data_pb2.DATA_OUTCOME_NOT_ENCODABLE
            entry.message = f"The value of {entry.key!r} cannot be read: {error}"
            frames = []
        value.frames = frames
