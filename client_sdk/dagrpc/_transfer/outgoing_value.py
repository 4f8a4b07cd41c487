"""Encoded values that are sent to another process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dagrpc._common.bytes_like import Buffer
from dagrpc._transfer import same_host
from dagrpc.v1 import data_pb2


def frame_length(frame: Buffer) -> int:
    """Return the number of bytes of a frame."""
    return frame.nbytes if isinstance(frame, memoryview) else len(frame)


def is_read_from_memory(frame: Buffer) -> bool:
    """Return whether a frame is so large that a receiver on the same host reads it from the sender's memory."""
    return frame_length(frame) >= same_host.WORTHWHILE


@dataclass(slots=True)
class OutgoingValue:
    """A value to send, encoded as frames."""

    key: str
    encoding: str
    frames: Sequence[Buffer]
    type_name: str = ""
    nbytes: int = 0
    outcome: data_pb2.DataOutcome = data_pb2.DATA_OUTCOME_OK
    message: str = ""
    compressions: Sequence[str] = ()
    """The compression of each frame; see `ManifestEntry.frame_compressions`."""
    traceparent: str = ""
    """See `ManifestEntry.traceparent`."""

    def entry(self, in_memory: bool) -> data_pb2.ManifestEntry:
        """Return the value's entry in the manifest; with `in_memory` receivers read large frames from this process."""
        entry = data_pb2.ManifestEntry(
            key=self.key,
            outcome=self.outcome,
            encoding=self.encoding,
            frame_lengths=[frame_length(frame) for frame in self.frames],
            type_name=self.type_name,
            nbytes=self.nbytes,
            message=self.message,
            frame_compressions=self.compressions,
            traceparent=self.traceparent,
        )
        if in_memory and any(map(is_read_from_memory, self.frames)):
            entry.frame_addresses.extend(
                [same_host.address_of(frame) if is_read_from_memory(frame) else 0 for frame in self.frames]
            )
        return entry
