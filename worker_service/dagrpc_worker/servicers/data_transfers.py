"""The rpcs GetData and PutData of WorkerService: serves results to peers and clients, and takes results of clients."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc

from dagrpc import config
from dagrpc._codec import payload
from dagrpc._codec.compressions import configured
from dagrpc._codec.failures import type_name
from dagrpc._common.bytes_like import Buffer
from dagrpc._transfer import compressed_frames, same_host, transfers
from dagrpc._transfer.transfers import OutgoingValue
from dagrpc.exceptions import CommClosedError, InvalidRequestError, LimitReachedError
from dagrpc.v1 import data_pb2, worker_service_pb2
from dagrpc_worker.core import events
from dagrpc_worker.data.byte_budget import ByteBudget
from dagrpc_worker.data.result_store import DataStore
from dagrpc_worker.data.transfer_totals import TransferTotals
from dagrpc_worker.shell.fetch.fetcher import LARGE, decode_off_loop, keep

logger = logging.getLogger("dagrpc.worker")

_CLIENT_PATIENCE = 30.0
"""Seconds that a client waits for a slot."""
READING_SECONDS = 600.0
"""Seconds that a caller on this host has to read a transfer out of this process's memory."""
_VALUES = 10_000
"""Maximum number of values in one transfer: their descriptions must fit into one message."""
_KEY_BYTES = 2 << 20
"""Maximum total length of the keys of one request, for the same reason."""


class TransferSlots:
    """Limits the number and the bytes of the transfers that the worker serves at once.

    A worker is refused when the limit is reached: it has other work and other peers meanwhile. A client waits.

    Parameters
    ----------
    limit : int
        Maximum number of transfers.
    nbytes : int
        Maximum bytes of all transfers, which stay in memory until they are received; 0: no limit. One transfer is
        always allowed.
    """

    def __init__(self, limit: int, nbytes: int = 0) -> None:
        self._limit = limit
        self.budget = ByteBudget(nbytes or sys.maxsize)
        self.active = 0
        self.total = 0
        """Number of transfers that were ever begun."""
        self.total_nbytes = 0
        """Bytes of the results of all begun transfers."""
        self._given = asyncio.Event()

    @property
    def _refusal(self) -> LimitReachedError:
        return LimitReachedError(f"{self.active} transfers are under way here; the limit is {self._limit}")

    def take(self) -> None:
        """Take a slot for a transfer; `give` returns it.

        Raises
        ------
        LimitReachedError
            If no slot is free.
        """
        if self.active >= self._limit or self.budget.exhausted:
            raise self._refusal
        self.active += 1
        self.total += 1

    def give(self) -> None:
        """Return a slot."""
        self.active -= 1
        self._given.set()

    @asynccontextmanager
    async def slot(self, requester: str) -> AsyncIterator[None]:
        """Hold a slot for a transfer.

        Raises
        ------
        LimitReachedError
            If no slot is free, for a client after some time.
        """
        if not requester:
            await self._wait()
        self.take()
        try:
            yield
        finally:
            self.give()

    async def _wait(self) -> None:
        """Wait until a slot is free, or until a client has waited long enough."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLIENT_PATIENCE):
                while self.active >= self._limit or self.budget.exhausted:
                    if (room := self.budget.room()) is not None:
                        await asyncio.wrap_future(room)
                        continue
                    # All waiting transfers look again, in the order in which they came.
                    self._given.clear()
                    await self._given.wait()


class DataServicer:
    """Answers GetData and PutData.

    Parameters
    ----------
    take : callable
        Takes events for the core.
    nbytes : int
        Maximum bytes of all transfers from this worker at once; 0: no limit.
    """

    def __init__(self, store: DataStore, take: Callable[[Sequence[events.Event]], None], nbytes: int = 0) -> None:
        self._store = store
        self._take = take
        self.received = TransferTotals()
        """Counts the transfers from other workers."""
        self.sent = TransferTotals()
        """Counts the transfers to other workers and to clients."""
        self.slots = TransferSlots(int(config.get("worker.connections.incoming")), nbytes)
        self._codec = configured("comm.compression")
        self._patience = config.get_seconds("comm.timeouts.tcp") or 30.0
        self.traceparents: Mapping[str, str] = {}
        """The spans in which results were made, by key."""

    async def get_data(self, request: worker_service_pb2.GetDataRequest, context: Any) -> None:
        """Send results."""
        async with self.slots.slot(request.requester):
            chosen, total = self.choose(request.keys, request.max_bytes)
            self.slots.budget.take(total)
            self.slots.total_nbytes += total
            try:
                await self._send(await self._values(chosen, total, request), total, request, context)
            finally:
                self.slots.budget.give(total)

    async def _send(
        self, values: Sequence[OutgoingValue], nbytes: int, request: worker_service_pb2.GetDataRequest, context: Any
    ) -> None:
        in_memory = same_host.is_here(request.host) and transfers.offers_memory(values)
        self.sent.add(in_memory, nbytes)
        # A receiver that names its encodings may not know the codecs.
        if not same_host.is_here(request.host) and not request.families:
            values = await compressed_frames.compress(values, self._codec)
        for message in transfers.transfer_messages(values, in_memory=in_memory):
            try:
                async with asyncio.timeout(self._patience):
                    await context.write(message)
            except TimeoutError:
                logger.warning(
                    "A transfer to %s made no progress for %g s", request.requester or "a client", self._patience
                )
                await context.abort(grpc.StatusCode.ABORTED, f"No progress for {self._patience:g} s")
        if in_memory:
            # The caller reads the frames now, and ends the call when it has read them, which ends this wait. Until then
            # `values` keeps the frames alive.
            await asyncio.sleep(READING_SECONDS)

    async def _values(
        self, chosen: Sequence[tuple[str, bool]], total: int, request: worker_service_pb2.GetDataRequest
    ) -> list[OutgoingValue]:
        """Return the values to send. Large values are encoded in a thread."""
        if self.is_quick(total, request.keys):
            return self.encode_all(chosen, request.families)
        return await asyncio.to_thread(self.encode_all, chosen, request.families)

    def is_quick(self, total: int, keys: Sequence[str]) -> bool:
        """Return whether results of `total` bytes can be encoded on the loop."""
        return total <= LARGE and not self._store.needs_disk(keys)

    def choose(self, keys: Sequence[str], max_bytes: int) -> tuple[list[tuple[str, bool]], int]:
        """Return each key with whether it is deferred, and the total size of the keys that are not."""
        if sum(map(len, keys)) > _KEY_BYTES:
            raise InvalidRequestError(f"The {len(keys)} keys are longer than {_KEY_BYTES} bytes; ask for fewer at once")
        chosen, total = [], 0
        for index, key in enumerate(keys):
            nbytes = self._store.size_of(key)
            deferred = index >= _VALUES or bool(max_bytes and total and total + nbytes > max_bytes)
            chosen.append((key, deferred))
            if not deferred:
                total += nbytes
        return chosen, total

    def encode_all(self, chosen: Sequence[tuple[str, bool]], families: Sequence[str]) -> list[OutgoingValue]:
        """Return the values to send: one for each key, even if it is deferred or missing."""
        return [
            OutgoingValue(key, "", (), outcome=data_pb2.DATA_OUTCOME_DEFERRED)
            if deferred
            else self._encode(key, families)
            for key, deferred in chosen
        ]

    def _encode(self, key: str, families: Sequence[str]) -> OutgoingValue:
        try:
            stored = None if families else self._store.encoded(key)
            if stored is not None:
                kind, encoding, frames = stored
                return self._outgoing(key, encoding, frames, kind)
            value = self._store[key]
        except KeyError:
            return OutgoingValue(key, "", (), outcome=data_pb2.DATA_OUTCOME_MISSING)
        except OSError as error:
            message = f"The result of task {key!r} cannot be read from disk: {error}"
            logger.error("%s", message)
            return OutgoingValue(key, "", (), outcome=data_pb2.DATA_OUTCOME_NOT_ENCODABLE, message=message)
        kind = type_name(type(value))
        try:
            encoding, frames = payload.encode(value, families)
        except Exception as error:
            message = f"The result of task {key!r}, a {kind}, cannot be encoded: {type(error).__name__}: {error}"
            logger.warning("%s", message)
            return OutgoingValue(key, "", (), kind, outcome=data_pb2.DATA_OUTCOME_NOT_ENCODABLE, message=message)
        return self._outgoing(key, encoding, frames, kind)

    def _outgoing(self, key: str, encoding: str, frames: Sequence[Buffer], kind: str) -> OutgoingValue:
        value = OutgoingValue(key, encoding, frames, kind, self._store.size_of(key))
        value.traceparent = self.traceparents.get(key, "")
        return value

    async def put_data(self, _: Any, context: Any) -> worker_service_pb2.PutDataResponse:
        """Store the values of a client."""
        try:
            received = await transfers.receive(context.read, self._patience)
        except CommClosedError as error:
            raise InvalidRequestError(str(error)) from None
        total = sum(memoryview(frame).nbytes for value in received for frame in value.frames)
        decoded = await decode_off_loop(received)
        # The values may be moved to disk in a moment; no variable must keep them alive.
        del received
        for key, failure in decoded.failed.items():
            raise InvalidRequestError(f"The value of {key!r} cannot be decoded: {failure.type_name}: {failure.message}")
        await keep(self._store, decoded)
        self._take([events.DataPut(decoded.sizes)])
        return worker_service_pb2.PutDataResponse(total_bytes=total)
