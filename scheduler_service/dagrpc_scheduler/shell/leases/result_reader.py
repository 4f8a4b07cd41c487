"""Reads results from the workers that hold them, in an encoding that their reader accepts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from dagrpc import config
from dagrpc._common.bytes_like import Buffer
from dagrpc._rpc.channels import ChannelPool
from dagrpc._transfer.transfers import WORKER_SERVICE, download
from dagrpc.exceptions import DagrpcError
from dagrpc.v1 import data_pb2, worker_service_pb2
from dagrpc_scheduler.core import views
from dagrpc_scheduler.core.machine import SchedulerCore


@dataclass(slots=True)
class ReadResult:
    """A result as it was read, or why it could not be read."""

    encoding: str = ""
    data: Buffer = b""
    problem: str = ""


class ResultReader:
    """Reads results in one frame, decompressed."""

    def __init__(self, core: SchedulerCore, data_channels: ChannelPool) -> None:
        self._core = core
        self._channels = data_channels

    async def read(self, keys: Sequence[str], accept: Sequence[str]) -> dict[str, ReadResult]:
        """Return results by key; the first encoding of `accept` counts that a value has."""
        found: dict[str, ReadResult] = {}
        for encoding in accept:
            left = [key for key in keys if key not in found or found[key].problem]
            by_worker: dict[str, list[str]] = {}
            for key, _, holders in views.who_has(self._core, left):
                if holders:
                    by_worker.setdefault(holders[0], []).append(key)
                else:
                    found[key] = ReadResult(problem="the result is not in memory at the moment")
            reads = [self._read_from(worker, wanted, encoding) for worker, wanted in by_worker.items()]
            for part in await asyncio.gather(*reads):
                found.update(part)
        return found

    async def _read_from(self, worker: str, keys: list[str], encoding: str) -> dict[str, ReadResult]:
        client = self._channels.client(worker, WORKER_SERVICE, f"worker {worker}")
        request = worker_service_pb2.GetDataRequest(keys=keys, families=[encoding])
        patience = config.get_seconds("comm.timeouts.tcp") or 30.0
        try:
            values = await download(client, "GetData", request, patience)
        except (DagrpcError, OSError, TimeoutError) as error:
            return {key: ReadResult(problem=f"{worker} could not be read: {error}") for key in keys}
        found = {}
        for value in values:
            entry = value.entry
            if entry.outcome == data_pb2.DATA_OUTCOME_OK and entry.encoding == encoding and len(value.frames) <= 1:
                found[entry.key] = ReadResult(encoding, value.frames[0] if value.frames else b"")
            else:
                problem = entry.message or f"the result is not available as {encoding}"
                found[entry.key] = ReadResult(problem=problem)
        return found
