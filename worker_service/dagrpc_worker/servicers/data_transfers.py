"""Serves results to peers and clients, and takes data."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc

from dagrpc import config
from dagrpc._codec import payload
from dagrpc._codec.compressions import configured
from dagrpc._codec.failures import type_name
from dagrpc._transfer import compressed_frames, same_host, transfers
from dagrpc._transfer.transfers import OutgoingValue
from dagrpc.exceptions import CommClosedError, InvalidRequestError, LimitReachedError
from dagrpc.v1 import data_pb2, worker_service_pb2
from dagrpc_worker.core import events
from dagrpc_worker.data.byte_budget import ByteBudget
from dagrpc_worker.data.result_store import DataStore
from dagrpc_worker.shell.fetch.fetcher import LARGE, decode_off_loop, keep

logger = logging.getLogger("dagrpc.worker")

_CLIENT_PATIENCE = 30.0
"""Seconds that a client waits for its turn."""
READING_SECONDS = 600.0
"""How long a caller may take to read a transfer out of this process's memory."""
_VALUES = 10_000
"""Values in one transfer at most: their description has to fit into one message."""
_KEY_BYTES = 2 << 20
"""Length of all keys together that a caller may ask for at once, for the same reason."""


class TransferSlots:
    """How many transfers the worker serves at once, and how many bytes they have together.

    Workers are refused when it is too many: they have other work and other peers meanwhile. Clients wait.

    Parameters
    ----------
    limit : int
        How many.
    nbytes : int
        How many bytes, as what is on its way stays in memory, spilled or not; 0: any number. One transfer may always be
        under way.
    """

    def __init__(self, limit: int, nbytes: int = 0) -> None:
        self._limit = limit
        self.budget = ByteBudget(nbytes or sys.maxsize)
        self.active = 0
        self._given = asyncio.Event()

    @property
    def _refusal(self) -> LimitReachedError:
        return LimitReachedError(f"{self.active} transfers are under way here; the limit is {self._limit}")

    def take(self) -> None:
        """Take a place for a transfer, which is to be given back.

        Raises
        ------
        LimitReachedError
            If there is none.
        """
        if self.active >= self._limit or self.budget.exhausted:
            raise self._refusal
        self.active += 1

    def give(self) -> None:
        """Give a place back."""
        self.active -= 1
        self._given.set()

    @asynccontextmanager
    async def slot(self, requester: str) -> AsyncIterator[None]:
        """Hold a place for a transfer.

        Raises
        ------
        LimitReachedError
            If there is none.
        """
        if not requester:
            await self._wait()
        self.take()
        try:
            yield
        finally:
            self.give()

    async def _wait(self) -> None:
        """Wait until there is a place, or for as long as a client waits."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLIENT_PATIENCE):
                while self.active >= self._limit or self.budget.exhausted:
                    if (room := self.budget.room()) is not None:
                        await asyncio.wrap_future(room)
                        continue
                    # All who wait look again, in the order in which they came.
                    self._given.clear()
                    await self._given.wait()


class DataServicer:
    """GetData and PutData.

    Parameters
    ----------
    store : DataStore
        The results.
    take : callable
        Takes events for the core.
    nbytes : int
        How many bytes may be on their way from here at once; 0: any number.
    """

    def __init__(self, store: DataStore, take: Callable[[Sequence[events.Event]], None], nbytes: int = 0) -> None:
        self._store = store
        self._take = take
        self.slots = TransferSlots(int(config.get("worker.connections.incoming")), nbytes)
        self._codec = configured("comm.compression")
        self._patience = config.get_seconds("comm.timeouts.tcp") or 30.0

    async def get_data(self, request: worker_service_pb2.GetDataRequest, context: Any) -> None:
        """Send results."""
        async with self.slots.slot(request.requester):
            chosen, total = self.choose(request.keys, request.max_bytes)
            self.slots.budget.take(total)
            try:
                await self._send(await self._values(chosen, total, request), request, context)
            finally:
                self.slots.budget.give(total)

    async def _send(
        self, values: Sequence[OutgoingValue], request: worker_service_pb2.GetDataRequest, context: Any
    ) -> None:
        in_memory = same_host.is_here(request.host)
        if not in_memory:
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
        if in_memory and transfers.offers_memory(values):
            # The caller reads the frames now, and ends the call when it is done, which ends this wait. Until then
            # `values` keeps them alive.
            await asyncio.sleep(READING_SECONDS)

    async def _values(
        self, chosen: Sequence[tuple[str, bool]], total: int, request: worker_service_pb2.GetDataRequest
    ) -> list[OutgoingValue]:
        """Return what is to be sent; what is large is encoded away from the loop."""
        if self.is_quick(total, request.keys):
            return self.encode_all(chosen, request.families)
        return await asyncio.to_thread(self.encode_all, chosen, request.families)

    def is_quick(self, total: int, keys: Sequence[str]) -> bool:
        """Tell whether results of so many bytes can be encoded on the loop."""
        return total <= LARGE and not self._store.needs_disk(keys)

    def choose(self, keys: Sequence[str], max_bytes: int) -> tuple[list[tuple[str, bool]], int]:
        """Return each key with whether it is deferred, and the size of the others together."""
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
        """Return what is to be sent for each key, also for those that are deferred or not here."""
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
                return OutgoingValue(key, encoding, frames, kind, self._store.size_of(key))
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
        return OutgoingValue(key, encoding, frames, kind, self._store.size_of(key))

    async def put_data(self, _: Any, context: Any) -> worker_service_pb2.PutDataResponse:
        """Take data."""
        try:
            received = await transfers.receive(context.read, self._patience)
        except CommClosedError as error:
            raise InvalidRequestError(str(error)) from None
        total = sum(memoryview(frame).nbytes for value in received for frame in value.frames)
        decoded = await decode_off_loop(received)
        # The values may go to disk in a moment; nothing else is to keep them.
        del received
        for key, failure in decoded.failed.items():
            raise InvalidRequestError(f"The value of {key!r} cannot be decoded: {failure.type_name}: {failure.message}")
        await keep(self._store, decoded)
        self._take([events.DataPut(decoded.sizes)])
        return worker_service_pb2.PutDataResponse(total_bytes=total)
