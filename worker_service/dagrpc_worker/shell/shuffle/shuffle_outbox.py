"""Sends the parcels of a worker's shuffles, in calls that carry all parcels queued for a receiver."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import grpc

from dagrpc import config
from dagrpc._common.backoff import pauses
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc._rpc import error_status
from dagrpc._rpc.channels import ChannelPool, ServiceClient
from dagrpc.exceptions import CommClosedError, LimitReachedError, NotReadyError, ShuffleClosedError
from dagrpc.shuffle.specs import Parcel
from dagrpc.v1 import shuffle_service_pb2 as pb
from dagrpc_worker.data.byte_budget import ByteBudget
from dagrpc_worker.shell.shuffle.shuffle_run import Run

logger = logging.getLogger("dagrpc.worker")

T = TypeVar("T")

SHUFFLE_SERVICE = pb.DESCRIPTOR.services_by_name["ShuffleService"]

_CALL_BYTES = 16 << 20
"""Approximate bytes of one call, which is repeated as a whole if it breaks."""
_CALL_SECONDS = 600.0
_BROKEN = (CommClosedError, NotReadyError, LimitReachedError, TimeoutError)
"""Errors after which a call is repeated."""


class Outbox:
    """Sends parcels. On the loop.

    Parameters
    ----------
    room : int, optional
        Maximum bytes that wait to be sent; as configured by default.
    """

    def __init__(self, channels: ChannelPool, room: int | None = None) -> None:
        self.budget = ByteBudget(config.get_bytes("p2p.comm.buffer") if room is None else room)
        """The memory for parcels that wait to be sent."""
        self.sent_nbytes = 0
        """Bytes of the parcels that have arrived at other workers."""
        self._channels = channels
        self._calls = asyncio.Semaphore(max(int(config.get("p2p.comm.concurrency")), 1))
        self._message_bytes = max(config.get_bytes("p2p.comm.message-bytes-limit"), 1)
        self._retries = int(config.get("p2p.comm.retry.count"))
        self._first_pause = config.get_seconds("p2p.comm.retry.delay.min") or 0.0
        self._longest_pause = config.get_seconds("p2p.comm.retry.delay.max") or 0.0
        self._queues: dict[tuple[Run, str], deque[Parcel]] = {}
        self._senders: set[asyncio.Task[Any]] = set()
        self._of_run: dict[Run, set[asyncio.Task[Any]]] = {}

    def client(self, address: str) -> ServiceClient:
        """Return the client for calls to another worker."""
        return self._channels.client(address, SHUFFLE_SERVICE, f"worker {address}")

    def put(self, run: Run, parcels: Iterable[tuple[str, Parcel]]) -> None:
        """Queue parcels, which the caller has taken from the budget."""
        for address, parcel in parcels:
            if run.closed:
                self.budget.give(parcel.nbytes)
                continue
            queue = self._queues.get((run, address))
            if queue is None:
                queue = self._queues[run, address] = deque()
                run.sending += 1
                sender = spawn(self._drain(run, address, queue), self._senders)
                self._of_run.setdefault(run, set()).add(sender)
                # A callback runs even if the task is cancelled before it begins.
                sender.add_done_callback(partial(self._drained, run, address))
            queue.append(parcel)

    async def _drain(self, run: Run, address: str, queue: deque[Parcel]) -> None:
        """Send the parcels queued for a receiver until the queue is empty."""
        try:
            while queue and not run.closed and run.error is None:
                async with self._calls:
                    batch: list[Parcel] = []
                    nbytes = 0
                    while queue and (not batch or nbytes + queue[0].nbytes <= _CALL_BYTES):
                        parcel = queue.popleft()
                        batch.append(parcel)
                        nbytes += parcel.nbytes
                    try:
                        await self.repeat(run, address, partial(self._call, run, address, batch))
                        self.sent_nbytes += nbytes
                    finally:
                        self.budget.give(nbytes)
        except Exception as error:
            if not run.closed:
                logger.warning("Shuffle %s: sending to %s has failed for good: %s", run.id, address, error)
                run.fail(error)

    def _drained(self, run: Run, address: str, sender: asyncio.Task[None]) -> None:
        """Forget a queue and its sender; if parcels were queued meanwhile, start another sender."""
        queue = self._queues.pop((run, address))
        senders = self._of_run[run]
        senders.discard(sender)
        if not senders:
            del self._of_run[run]
        if queue and run.error is None and not run.closed:
            self.put(run, [(address, parcel) for parcel in queue])
        else:
            for parcel in queue:
                self.budget.give(parcel.nbytes)
        run.sent()

    def end(self, run: Run) -> None:
        """Stop sending for a run that is over."""
        for sender in self._of_run.get(run, ()):
            sender.cancel()

    async def repeat(self, run: Run, address: str, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call, and repeat it while its receiver cannot be reached.

        Raises
        ------
        ShuffleClosedError
            If the run is over.
        CommClosedError, NotReadyError, LimitReachedError, TimeoutError
            If the configured number of attempts has failed.
        """
        pause, attempt = pauses(self._first_pause, self._longest_pause), 0
        while not run.closed:
            try:
                return await call()
            except _BROKEN as error:
                if attempt >= self._retries:
                    raise
                logger.info("Shuffle %s: a call to %s is repeated: %s", run.id, address, error)
            attempt += 1
            # Meanwhile the scheduler may notice that the receiver is gone, and end the run.
            await run.wait_closed(next(pause))
        raise ShuffleClosedError(f"Run {run.run_id} of shuffle {run.id} is over")

    async def _call(self, run: Run, address: str, batch: Sequence[Parcel]) -> None:
        call = self.client(address).open_upload("SendParcels")
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                for message in parcel_messages(batch, self._message_bytes):
                    request = pb.SendParcelsRequest(run=run.message, parcels=message)
                    await call.write(request.SerializeToString())
                await call.done_writing()
                await call
        except grpc.aio.AioRpcError as error:
            raise error_status.from_rpc_error(error, f"worker {address}") from None
        except asyncio.InvalidStateError:
            # The call ended during a write; its status has the reason.
            code = await call.code()
            raise CommClosedError(f"worker {address} ended the call: {code.name}, {await call.details()}") from None
        finally:
            call.cancel()

    async def close(self) -> None:
        """Stop sending."""
        await cancel_all(self._senders)


def parcel_messages(parcels: Iterable[Parcel], limit: int) -> Iterator[list[pb.Parcel]]:
    """Yield parcels as messages of about `limit` bytes."""
    batch: list[pb.Parcel] = []
    room = limit
    for parcel in parcels:
        body = memoryview(parcel.body).cast("B")
        offset = 0
        while offset < body.nbytes or not offset:
            if room <= 0:
                yield batch
                batch, room = [], limit
            data = body[offset : offset + room]
            part = pb.Parcel(source=parcel.source, nbytes=body.nbytes, offset=offset, data=bytes(data))
            if not offset:
                part.format = parcel.format
                part.outputs.extend(parcel.outputs)
                part.starts.extend(parcel.starts)
                room -= 16 * len(parcel.outputs)
            batch.append(part)
            offset += data.nbytes
            room -= data.nbytes
            if not body.nbytes:
                break
    if batch:
        yield batch


class ParcelReader:
    """Joins the parts of parcels, which come in order."""

    def __init__(self) -> None:
        self._open: Parcel | None = None
        self._filled = 0

    def take(self, parts: Iterable[pb.Parcel]) -> Iterator[Parcel]:
        """Yield the parcels that are complete.

        Raises
        ------
        ValueError
            If the parts do not fit together.
        """
        for part in parts:
            data = part.data
            if not part.offset:
                if self._open is not None or len(part.starts) != len(part.outputs) + 1:
                    raise ValueError("a parcel begins before another one has ended, or its pieces have no bounds")
                body: Any = data
                if len(data) < part.nbytes:
                    if part.nbytes > len(data) + _LARGEST:
                        raise ValueError(f"a parcel of {part.nbytes} bytes is too large")
                    body = bytearray(part.nbytes)
                    body[: len(data)] = data
                elif len(data) > part.nbytes:
                    raise ValueError("a parcel has more bytes than it says")
                self._open = Parcel(part.source, part.outputs[:], part.starts[:], part.format, body)
                self._filled = len(data)
            elif self._open is None or self._open.source != part.source or part.offset != self._filled:
                raise ValueError("a part of a parcel does not follow on the one before")
            else:
                end = self._filled + len(data)
                if end > self._open.nbytes:
                    raise ValueError("a parcel has more bytes than it says")
                self._open.body[self._filled : end] = data  # type: ignore[index]
                self._filled = end
            if self._filled == self._open.nbytes:
                complete, self._open = self._open, None
                yield complete

    def finish(self) -> None:
        """Raise if the last parcel is incomplete.

        Raises
        ------
        ValueError
            If a parcel is incomplete.
        """
        if self._open is not None:
            raise ValueError("the last parcel is not complete")


_LARGEST = 1 << 36
"""Maximum bytes of a parcel; a larger size is an error."""
