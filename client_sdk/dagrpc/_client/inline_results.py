"""Small results that come inline, with the event that reports them."""

from __future__ import annotations

from typing import Any

from dagrpc.v1 import common_pb2
from dagrpc.v1.client_session_pb2 import KeyFinished


def no_payload(finished: KeyFinished) -> None:
    """Ignore an inline result: the client fetches it in an encoding that the client accepts."""


def inline_payload(finished: KeyFinished) -> Any:
    """Return the encoded result of an event: bytes of a pickle, another payload, or None."""
    if not finished.HasField("payload"):
        return None
    payload = finished.payload
    if payload.encoding == "pickle" and not payload.frame_lengths:
        return payload.data
    copy = common_pb2.Payload()
    copy.CopyFrom(payload)
    return copy
