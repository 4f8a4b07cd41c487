"""Small results, which come with the event that tells of them."""

from __future__ import annotations

from typing import Any

from dagrpc.v1 import common_pb2
from dagrpc.v1.client_session_pb2 import KeyFinished


def no_payload(finished: KeyFinished) -> None:
    """Leave a result that came with an event alone: it will be fetched in an encoding that the client accepts."""


def inline_payload(finished: KeyFinished) -> Any:
    """Return the encoded result that came with an event: pickle's bytes, another payload, or None."""
    if not finished.HasField("payload"):
        return None
    payload = finished.payload
    if payload.encoding == "pickle" and not payload.frame_lengths:
        return payload.data
    copy = common_pb2.Payload()
    copy.CopyFrom(payload)
    return copy
