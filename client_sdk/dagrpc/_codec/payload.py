"""Values as `Payload` messages and as frames of a transfer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from dagrpc._codec import pickle5
from dagrpc._util.buffers import Buffer
from dagrpc.v1 import common_pb2

PICKLE = "pickle"
_DECODERS: dict[str, Callable[[Sequence[Buffer]], Any]] = {
    PICKLE: pickle5.loads,
    "json": lambda frames: json.loads(bytes(frames[0])),
    "raw": lambda frames: bytes(frames[0]),
}


def encode(value: object) -> tuple[str, list[Buffer]]:
    """Return encoding and frames of a value."""
    return PICKLE, pickle5.dumps(value)


def decode(encoding: str, frames: Sequence[Buffer]) -> Any:
    """Return the value of frames.

    Raises
    ------
    ValueError
        If the encoding is not known here.
    """
    decoder = _DECODERS.get(encoding)
    if decoder is None:
        raise ValueError(f"Unknown encoding {encoding!r}; known here: {', '.join(sorted(_DECODERS))}")
    return decoder(frames)


def to_payload(value: object) -> common_pb2.Payload:
    """Return a value as a message."""
    encoding, frames = encode(value)
    return frames_to_payload(encoding, frames)


def frames_to_payload(encoding: str, frames: Sequence[Buffer]) -> common_pb2.Payload:
    """Return frames as a message."""
    if len(frames) == 1:
        return common_pb2.Payload(encoding=encoding, data=bytes(frames[0]))
    lengths = [memoryview(frame).nbytes for frame in frames]
    return common_pb2.Payload(encoding=encoding, frame_lengths=lengths, data=b"".join(frames))


def from_payload(payload: common_pb2.Payload) -> Any:
    """Return the value of a message."""
    data = payload.data
    if not payload.frame_lengths:
        return decode(payload.encoding, [data])
    frames: list[Buffer] = []
    view = memoryview(data)
    position = 0
    for length in payload.frame_lengths:
        # Writable, as buffers of a pickle are expected to be.
        frames.append(bytearray(view[position : position + length]))
        position += length
    return decode(payload.encoding, frames)
