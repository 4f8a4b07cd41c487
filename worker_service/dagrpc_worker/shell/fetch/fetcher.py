"""Fetches results from peers, decodes them and puts them into the store."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dagrpc import config
from dagrpc._codec import payload
from dagrpc._codec.failures import encode_failure
from dagrpc._codec.unpickling import with_unpickle_lock
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc._rpc.channels import ChannelPool
from dagrpc._rpc.probe import is_refused
from dagrpc._transfer import transfers
from dagrpc.exceptions import CommClosedError, DagrpcError, LimitReachedError
from dagrpc.v1 import data_pb2, failure_pb2, worker_service_pb2
from dagrpc_worker.core import events
from dagrpc_worker.core.instructions import GatherData
from dagrpc_worker.data.result_store import DataStore
from dagrpc_worker.data.transfer_totals import TransferTotals
from dagrpc_worker.execute.result_size import measure
from dagrpc_worker.execute.task_recorder import Recorder
from dagrpc_worker.shell.fetch.peer_streams import PeerStreams

logger = logging.getLogger("dagrpc.worker")

LARGE = 1 << 20
"""Bytes above which values are encoded, and pickles decoded, in a thread."""
_STACK_GLOBAL = b"\x93"
_ARRAY_GLOBALS = (b"_frombuffer", b"dtype")
"""The names in the pickle of a plain NumPy array."""


@dataclass(slots=True)
class Decoded:
    """The decoded values of a transfer, and the keys without a value."""

    sizes: dict[str, int] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    deferred: list[str] = field(default_factory=list)
    failed: dict[str, failure_pb2.Failure] = field(default_factory=dict)
    traceparents: dict[str, str] = field(default_factory=dict)
    """The spans in which the values were made."""


def decode(received: Iterable[transfers.ReceivedValue]) -> Decoded:
    """Decode the values of a transfer."""
    decoded = Decoded()
    for value in received:
        entry = value.entry
        if entry.outcome == data_pb2.DATA_OUTCOME_OK:
            try:
                result = payload.decode(entry.encoding, value.frames)
            except Exception as error:
                kind = failure_pb2.FAILURE_KIND_DESERIALIZATION
                decoded.failed[entry.key] = encode_failure(error, kind, skip_frames=1)
                continue
            decoded.values[entry.key] = result
            decoded.sizes[entry.key] = entry.nbytes or measure(result)
            if entry.traceparent:
                decoded.traceparents[entry.key] = entry.traceparent
        elif entry.outcome == data_pb2.DATA_OUTCOME_MISSING:
            decoded.missing.append(entry.key)
        elif entry.outcome == data_pb2.DATA_OUTCOME_DEFERRED:
            decoded.deferred.append(entry.key)
        else:
            decoded.failed[entry.key] = failure_pb2.Failure(
                kind=failure_pb2.FAILURE_KIND_SERIALIZATION,
                type_name="builtins.TypeError",
                message=entry.message or f"The result of {entry.key!r} could not be encoded",
            )
    return decoded


async def decode_off_loop(received: Sequence[transfers.ReceivedValue]) -> Decoded:
    """Decode values in a thread if that takes long or may run user code, otherwise on the loop.

    A hop to a thread and back costs more than decoding a value whose buffers are out of band, and so not copied.
    """
    values = [value for value in received if value.frames]
    if sum(len(value.frames[0]) for value in values) <= LARGE and not any(map(_may_run_code, values)):
        return decode(received)
    return await asyncio.to_thread(with_unpickle_lock, decode, received)


async def keep(store: DataStore, decoded: Decoded) -> None:
    """Put the values of a transfer into the store."""
    crowded = False
    for key in list(decoded.values):
        # Only the store must refer to the value, so that making room frees it.
        crowded |= store.put(key, decoded.values.pop(key), decoded.sizes[key])
    if crowded:
        await asyncio.to_thread(store.make_room)


def _may_run_code(value: transfers.ReceivedValue) -> bool:
    """Return whether unpickling a value may import modules or call functions. Plain data and plain arrays do not.

    The exception is the first array, which imports NumPy.
    """
    head = bytes(value.frames[0])
    names = head.count(_STACK_GLOBAL)
    if value.entry.type_name == "numpy.ndarray":
        return (
            not _is_imported("numpy")
            or names != len(_ARRAY_GLOBALS)
            or not all(name in head for name in _ARRAY_GLOBALS)
        )
    return names > 0


def _is_imported(name: str) -> bool:
    """Return whether a module has been imported completely."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return spec is not None and not getattr(spec, "_initializing", False)


class Fetcher:
    """Carries out `GatherData`.

    Parameters
    ----------
    address : str
        This worker's address.
    post : callable
        Takes the event that ends each transfer, on the loop.
    """

    def __init__(
        self,
        address: str,
        channels: ChannelPool,
        store: DataStore,
        post: Callable[[events.Event], None],
        recorder: Recorder | None = None,
    ) -> None:
        self.totals = TransferTotals()
        """Counts the transfers that have arrived."""
        self._recorder = recorder or Recorder()
        self._address = address
        self._streams = PeerStreams(channels)
        self._store = store
        self._post = post
        self._transfers: set[asyncio.Task[Any]] = set()
        self._limit = config.get_bytes("worker.transfer.message-bytes-limit")
        self.on_transfer: Callable[[str, float, float, Decoded], object] | None = None
        """Called with peer, start, stop and outcome of each transfer, if there are traces."""

    @property
    def under_way(self) -> int:
        """Number of transfers under way."""
        return len(self._transfers)

    def start(self, order: GatherData) -> None:
        """Begin a transfer."""
        spawn(self._gather(order), self._transfers)

    async def close(self) -> None:
        """Cancel all transfers."""
        await cancel_all(self._transfers)
        await self._streams.close()

    async def _gather(self, order: GatherData) -> None:
        """Fetch results and post the event that ends the transfer, whatever happens."""
        try:
            event = await self._fetch(order)
        except LimitReachedError:
            event = events.GatherRefused(order.worker, order.keys)
        except (CommClosedError, TimeoutError, DagrpcError) as error:
            logger.warning("Worker at %s cannot fetch results from %s: %s", self._address, order.worker, error)
            gone = isinstance(error, CommClosedError) and await is_refused(order.worker)
            event = events.GatherFailed(order.worker, order.keys, gone)
        except Exception:
            logger.exception("Worker at %s failed to fetch results from %s", self._address, order.worker)
            event = events.GatherFailed(order.worker, order.keys)
        self._post(event)

    async def _fetch(self, order: GatherData) -> events.Event:
        start = time.time()
        request = worker_service_pb2.GetDataRequest(
            keys=order.keys, max_bytes=max(self._limit, order.total_nbytes), requester=self._address
        )
        received = await self._streams.fetch(order.worker, request, order.total_nbytes)
        in_memory = any(value.entry.frame_addresses for value in received)
        decoded = await decode_off_loop(received)
        # The values may be moved to disk in a moment; no variable must keep them alive.
        del received
        self.totals.add(in_memory, sum(decoded.sizes.values()))
        await keep(self._store, decoded)
        stop = time.time()
        self._recorder.transfer(order.worker, start, stop, decoded.sizes)
        if self.on_transfer is not None:
            self.on_transfer(order.worker, start, stop, decoded)
        # A key without an entry in the answer is missing at the peer.
        answered = {*decoded.sizes, *decoded.missing, *decoded.failed, *decoded.deferred}
        missing = [*decoded.missing, *(key for key in order.keys if key not in answered)]
        return events.GatherSucceeded(order.worker, decoded.sizes, missing, decoded.failed, decoded.deferred)
