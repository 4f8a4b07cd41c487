"""Reads results from the workers that hold them, in an encoding that their reader accepts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dagrpc import config
from dagrpc._common.bytes_like import Buffer
from dagrpc._loop.io_loop import spawn
from dagrpc._rpc.channels import ChannelPool
from dagrpc._transfer.transfers import WORKER_SERVICE, ReceivedValue, download
from dagrpc.exceptions import DagrpcError
from dagrpc.v1 import data_pb2, worker_service_pb2
from dagrpc.v1.data_pb2 import DataOutcome
from dagrpc_scheduler.core import views
from dagrpc_scheduler.core.machine import SchedulerCore

_AT_ONCE = 1_000
"""Number of results that one call reads for others."""


@dataclass(slots=True)
class ReadResult:
    """A result as it was read, or why it could not be read."""

    encoding: str = ""
    data: Buffer = b""
    problem: str = ""
    outcome: DataOutcome = data_pb2.DATA_OUTCOME_OK
    """NOT_ENCODABLE: no accepted encoding takes it. MISSING: it could not be read at the moment."""


def _missing(problem: str) -> ReadResult:
    return ReadResult(problem=problem, outcome=data_pb2.DATA_OUTCOME_MISSING)


class ResultReader:
    """Reads results in one frame, decompressed."""

    def __init__(self, core: SchedulerCore, data_channels: ChannelPool, background: set[asyncio.Task[Any]]) -> None:
        self._core = core
        self._channels = data_channels
        self._waiting: dict[tuple[str, tuple[str, ...]], dict[str, asyncio.Future[ReadResult]]] = {}
        """Results that are read next, by worker and accepted encodings, while a call is under way."""
        self._background = background

    async def read(self, keys: Sequence[str], accept: Sequence[str], small: bool = False) -> dict[str, ReadResult]:
        """Return results by key; the first encoding of `accept` counts that a value has.

        Small results of many callers are read together, behind which large ones must not wait.
        """
        read = self._read_together if small else self._read_from
        found: dict[str, ReadResult] = {}
        by_worker: dict[str, list[str]] = {}
        for key, _, holders in views.who_has(self._core, keys):
            if holders:
                by_worker.setdefault(holders[0], []).append(key)
            else:
                found[key] = _missing("the result is not in memory at the moment")
        reads = [read(worker, wanted, tuple(accept)) for worker, wanted in by_worker.items()]
        for part in await asyncio.gather(*reads):
            found.update(part)
        return found

    async def _read_together(self, worker: str, keys: list[str], accept: tuple[str, ...]) -> dict[str, ReadResult]:
        """Read results together with those that other calls ask for while the worker answers: one call for many."""
        lane = worker, accept
        waiting = self._waiting.get(lane)
        if waiting is not None and len(waiting) < _AT_ONCE:
            futures = [waiting.setdefault(key, asyncio.get_running_loop().create_future()) for key in keys]
            return dict(zip(keys, await asyncio.gather(*map(asyncio.shield, futures)), strict=True))
        if waiting is not None:
            return await self._read_from(worker, keys, accept)
        self._waiting[lane] = {}
        try:
            return await self._read_from(worker, keys, accept)
        finally:
            others = self._waiting.pop(lane)
            if others:
                spawn(self._read_for(others, worker, accept), self._background)

    async def _read_for(
        self, futures: dict[str, asyncio.Future[ReadResult]], worker: str, accept: tuple[str, ...]
    ) -> None:
        """Read results for the calls that wait for them."""
        found: dict[str, ReadResult] = {}
        try:
            found = await self._read_together(worker, list(futures), accept)
        finally:
            for key, future in futures.items():
                if not future.done():
                    future.set_result(found.get(key) or _missing(f"{worker} did not answer"))

    async def _read_from(self, worker: str, keys: list[str], accept: tuple[str, ...]) -> dict[str, ReadResult]:
        client = self._channels.client(worker, WORKER_SERVICE, f"worker {worker}")
        request = worker_service_pb2.GetDataRequest(keys=keys, families=accept)
        patience = config.get_seconds("comm.timeouts.tcp") or 30.0
        try:
            values = await download(client, "GetData", request, patience)
        except (DagrpcError, OSError, TimeoutError) as error:
            return {key: _missing(f"{worker} could not be read: {error}") for key in keys}
        return {value.entry.key: _as_read(value, accept) for value in values}


def _as_read(value: ReceivedValue, accept: Sequence[str]) -> ReadResult:
    """Return a result as a worker sent it."""
    entry = value.entry
    if entry.outcome == data_pb2.DATA_OUTCOME_OK and entry.encoding in accept and len(value.frames) <= 1:
        return ReadResult(entry.encoding, value.frames[0] if value.frames else b"")
    if entry.outcome in (data_pb2.DATA_OUTCOME_MISSING, data_pb2.DATA_OUTCOME_DEFERRED):
        return _missing(entry.message or "the result is not in memory at the moment")
    problem = entry.message or f"the result is not available as {' or '.join(accept)}"
    return ReadResult(problem=problem, outcome=data_pb2.DATA_OUTCOME_NOT_ENCODABLE)
