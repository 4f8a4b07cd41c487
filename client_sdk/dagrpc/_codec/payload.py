"""Values as `Payload` messages and as frames of a transfer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from dagrpc._codec import pickle5
from dagrpc._common.bytes_like import Buffer
from dagrpc.v1 import common_pb2

PICKLE = "pickle"
FAMILIES = "families"
JSON = "json"
RAW = "raw"
ARROW = "arrow"
PLAIN = frozenset((JSON, RAW, ARROW))
"""Encodings that any language reads."""
# Stands in the pickle of every future, and of every actor. A regular expression searches any buffer.
_OURS = re.compile(rb"dagrpc\.")
_RAW_FROM = 64 * 1024
"""Bytes of this length or more are not copied into a pickle."""


def _decode_families(frames: Sequence[Buffer]) -> Any:
    # A local import, since the module imports dask, which a scheduler does not load.
    from dagrpc._codec import families

    return families.decode(frames)


def _decode_arrow(frames: Sequence[Buffer]) -> Any:
    from dagrpc._codec.arrow_tables import from_arrow

    return from_arrow(frames[0])


_DECODERS: dict[str, Callable[[Sequence[Buffer]], Any]] = {
    PICKLE: pickle5.loads,
    JSON: lambda frames: json.loads(bytes(frames[0])),
    # `bytes` copies nothing if the frame is a `bytes` object already, as it is after a transfer.
    RAW: lambda frames: bytes(frames[0]),
    FAMILIES: _decode_families,
    ARROW: _decode_arrow,
}


def encode(value: object, families: Sequence[str] = ()) -> tuple[str, list[Buffer]]:
    """Return encoding and frames of a value.

    Parameters
    ----------
    families : sequence of str
        Families of encodings that the receiver accepts, best first; empty for any. `json`, `raw` and
        `arrow` are encodings of their own.

    Raises
    ------
    Exception
        Any exception that pickling the value raises; `TypeError` if no family accepts the value.
    """
    if not PLAIN.isdisjoint(families):
        return _encode_plainly(value, families)
    if families:
        from dagrpc._codec.families import encode as encode_by

        return FAMILIES, encode_by(value, families)
    if type(value) is bytes and len(value) >= _RAW_FROM:
        return RAW, [value]
    return PICKLE, pickle5.dumps(value)


def _encode_plainly(value: object, families: Sequence[str]) -> tuple[str, list[Buffer]]:
    """Return the first of the accepted encodings that takes a value, when one that any language reads is among them."""
    reasons = []
    for index, name in enumerate(families):
        try:
            if name == JSON:
                return JSON, [as_json(value)]
            if name == RAW:
                return RAW, [as_raw(value)]
            if name == ARROW:
                from dagrpc._codec.arrow_tables import as_arrow

                return ARROW, [as_arrow(value)]
            # The other families are tried in one go, as they may be mixed within a value.
            from dagrpc._codec.families import encode as encode_by

            return FAMILIES, encode_by(value, [each for each in families[index:] if each not in PLAIN])
        except (TypeError, ValueError, RecursionError) as error:
            reasons.append(f"{name}: {error}")
    raise TypeError(f"no accepted encoding takes it ({'; '.join(reasons)})")


def as_json(value: object) -> bytes:
    """Return a value as JSON text; raise `TypeError` or `ValueError` for a value that is none, such as NaN."""
    return json.dumps(value, allow_nan=False).encode()


def as_raw(value: object) -> Buffer:
    """Return bytes; raise `TypeError` for other values."""
    if isinstance(value, (bytes, bytearray)):
        return value
    if isinstance(value, memoryview) and value.c_contiguous:
        return value.cast("B")
    raise TypeError(f"only bytes are sent as raw, not a {type(value).__name__}")


def plain_form(value: object, limit: int) -> tuple[str, Buffer] | None:
    """Return a small value as `raw` or `json`; None if it has no such form or the form exceeds `limit` bytes."""
    try:
        encoding, data = (RAW, as_raw(value)) if isinstance(value, (bytes, bytearray)) else (JSON, as_json(value))
    except (TypeError, ValueError, RecursionError):
        return None
    return (encoding, data) if len(data) <= limit else None


def decode(encoding: str, frames: Sequence[Buffer], families: Sequence[str] | None = None) -> Any:
    """Return the value of frames.

    Parameters
    ----------
    families : sequence of str, optional
        Families of encodings that are accepted. By default all.

    Raises
    ------
    ValueError
        If the encoding is not known here.
    TypeError
        If its family is not accepted.
    """
    if families is not None:
        from dagrpc._codec.families import decode as decode_by
        from dagrpc._codec.families import refuse_unless_accepted

        if encoding == FAMILIES:
            return decode_by(frames, families)
        if encoding == PICKLE:
            refuse_unless_accepted(PICKLE, families)
    decoder = _DECODERS.get(encoding)
    if decoder is None:
        raise ValueError(f"Unknown encoding {encoding!r}; known here: {', '.join(sorted(_DECODERS))}")
    return decoder(frames)


def may_refer(encoding: str, frames: Sequence[Buffer]) -> bool:
    """Return whether there may be futures or actors in a value. Takes long if it is a long pickle."""
    return encoding != RAW and bool(frames) and _OURS.search(frames[0]) is not None


def to_payload(value: object, families: Sequence[str] = ()) -> common_pb2.Payload:
    """Return a value as a message; `families` as for `encode`."""
    encoding, frames = encode(value, families)
    return frames_to_payload(encoding, frames)


def frames_to_payload(encoding: str, frames: Sequence[Buffer]) -> common_pb2.Payload:
    """Return frames as a message."""
    if len(frames) == 1:
        return common_pb2.Payload(encoding=encoding, data=bytes(frames[0]))
    lengths = [memoryview(frame).nbytes for frame in frames]
    return common_pb2.Payload(encoding=encoding, frame_lengths=lengths, data=b"".join(frames))


def from_payload(payload: common_pb2.Payload, families: Sequence[str] | None = None) -> Any:
    """Return the value of a message; `families` as for `decode`."""
    data = payload.data
    if not payload.frame_lengths:
        return decode(payload.encoding, [data], families)
    frames: list[Buffer] = []
    view = memoryview(data)
    position = 0
    for length in payload.frame_lengths:
        # Writable, as buffers of a pickle are expected to be.
        frames.append(bytearray(view[position : position + length]))
        position += length
    return decode(payload.encoding, frames, families)
