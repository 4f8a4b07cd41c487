"""LogService, which every service process serves."""

from __future__ import annotations

from itertools import islice

from dagrpc._process import log_buffer
from dagrpc.v1 import log_service_pb2 as pb

SERVICE = pb.DESCRIPTOR.services_by_name["LogService"]

_ANSWER_LIMIT = 16 * 2**20
"""Largest size of an answer, in bytes."""


class LogServicer:
    """Returns the log of this process, as its `part`: ``scheduler``, ``worker`` or ``nanny``."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._buffer = log_buffer.install()
        log_buffer.keep_unshown(f"dagrpc.{part}")

    def lines(self, count: int, key: str = "") -> list[pb.LogLine]:
        """Return the latest `count` lines, of those about a task if there is a `key`; all if `count` is 0."""
        found, size = [], 0
        for level, text in islice(self._buffer.latest(self._part, key), count or None):
            line = pb.LogLine(level=level, text=text.encode("utf-8", "replace").decode())
            size += line.ByteSize() + 8
            if size > _ANSWER_LIMIT:
                break
            found.append(line)
        return found

    async def GetLogs(self, request: pb.GetLogsRequest) -> pb.GetLogsResponse:
        """Return the latest lines."""
        return pb.GetLogsResponse(lines=self.lines(request.count, request.key))
