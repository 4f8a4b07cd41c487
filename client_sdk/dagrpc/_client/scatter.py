"""Sends local data to workers, for `Client.scatter`."""

from __future__ import annotations

import asyncio
import queue
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dask.sizeof import sizeof

from dagrpc._client.call_tokens import data_key, unique_data_key
from dagrpc._client.client_core import ClientCore
from dagrpc._client.client_session import ClientSession
from dagrpc._client.key_table import FINISHED
from dagrpc._client.results import raise_unless_finished
from dagrpc._client.services import scheduler_service
from dagrpc._client.submission_options import Workers, names_nobody, worker_names
from dagrpc._client.waiting import Countdown, Deadline, Operation, RunInThread, RunOnLoop
from dagrpc._codec import payload as payloads
from dagrpc._codec.failures import type_name
from dagrpc._common.backoff import pauses
from dagrpc._common.keys import encode_key
from dagrpc._graph.lower import checked_key
from dagrpc._transfer.transfers import WORKER_SERVICE, OutgoingValue, upload
from dagrpc.exceptions import CommClosedError, LimitReachedError, NotReadyError, NoWorkersError, UnknownWorkerError
from dagrpc.future import Future
from dagrpc.v1 import scheduler_service_pb2

_POLLS = 200
_POLL_SECONDS = 0.01
"""How often, and at which interval, to check whether all copies have been reported."""
_ATTEMPTS = 5
_PAUSE = 0.5
"""Seconds before the scheduler is asked for another worker."""
_ALL_WORKERS = -1


@dataclass(slots=True)
class _Items:
    """Data to scatter."""

    values: dict[Hashable, Any]
    """Values by key."""
    shape: Any = None
    """The structure of the data, with keys in place of values."""
    outgoing: dict[str, OutgoingValue] = field(default_factory=dict)
    """Encoded values by wire key."""

    def encode(self, families: Sequence[str]) -> None:
        """Encode the values."""
        for key, value in self.values.items():
            wire_key = encode_key(key)
            try:
                encoding, frames = payloads.encode(value, families)
            except Exception as error:
                raise TypeError(f"Could not pickle {key!r}, a {type_name(type(value))}: {error}") from error
            self.outgoing[wire_key] = OutgoingValue(wire_key, encoding, frames, type_name(type(value)), _size(value))


def _size(value: object) -> int:
    try:
        return int(sizeof(value))
    except Exception:  # a user's own __sizeof__
        return 0


def _plan(data: Any, hash_data: bool) -> _Items:
    """Give keys to the data, and note the structure of its futures."""
    if isinstance(data, (Iterator, queue.Queue)):
        raise TypeError("Scattering iterators and queues is not supported: make a list first")
    kind = type(data)
    if kind is dict:
        for key in data:
            checked_key(key)
        return _Items(dict(data), {key: key for key in data})
    name = data_key if hash_data else unique_data_key
    if kind in (list, tuple, set, frozenset, range):
        pairs = [(name(value), value) for value in data]
        return _Items(dict(pairs), (list if kind is range else kind)(key for key, _ in pairs))
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        pairs = [(name(value), value) for value in data]
        return _Items(dict(pairs), kind(*(key for key, _ in pairs)))
    key = name(data)
    return _Items({key: data}, key)


def _fill(shape: Any, futures: Mapping[Hashable, Future[Any]], top: Any) -> Any:
    """Return the futures in the structure of the data."""
    if type(shape) is dict:
        return {name: futures[key] for name, key in shape.items()}
    if type(shape) in (list, set, frozenset):
        return type(shape)(futures[key] for key in shape)
    if isinstance(shape, tuple) and isinstance(top, tuple):
        items = [futures[key] for key in shape]
        kind: Any = type(shape)
        return tuple(items) if kind is tuple else kind(*items)
    return futures[shape]


def scatter(
    core: ClientCore,
    data: Any,
    workers: Workers,
    broadcast: bool | int,
    direct: bool | None,
    hash_data: bool,
    timeout: float,
) -> Operation[Any]:
    """Send data to workers and return futures in the structure of the data."""
    core.check_open()
    core.session.drop_released()
    if names_nobody(workers):
        raise TimeoutError("No valid workers found: workers= names no worker")
    items: _Items = yield RunInThread(lambda: _plan(data, hash_data))
    if not items.values:
        return _fill(items.shape, {}, data)
    futures = {}
    for key, value in items.values.items():
        state, _ = core.table.create(key, encode_key(key))
        # Known here already, so that the scheduler need not report it.
        state.type_name = type_name(type(value))
        futures[key] = Future._of(state, core, core.client)
    names = worker_names(workers)
    copies = _ALL_WORKERS if broadcast is True else int(broadcast)
    if not names and not copies:
        # Values that are on the cluster already are not sent again.
        items.values = {key: value for key, value in items.values.items() if futures[key].status != FINISHED}
    if items.values:
        yield RunInThread(partial(items.encode, core.serializers or ()))
        deadline = Deadline(timeout)
        sender = _Sender(core.session, core.chosen_direct(direct))
        yield RunOnLoop(core.loop, sender.deliver(items.outgoing, names, copies, deadline))
        states = [future.bound_state() for future in futures.values()]
        # The workers have the data. They report it to the scheduler, and the scheduler to this client.
        deadline = Deadline(max(timeout, 30.0))
        if not (yield Countdown(states, deadline, fail_fast=True)):
            raise deadline.error("The scheduler did not report scattered data")
        for state in states:
            raise_unless_finished(state)
        if copies:
            yield RunOnLoop(core.loop, sender.await_copies())
    return _fill(items.shape, futures, data)


class _Sender:
    """Sends values to workers. Lives on the IO loop."""

    def __init__(self, session: ClientSession, direct: bool | None) -> None:
        self._session = session
        self._direct = direct
        self._by_worker: dict[str, list[str]] = {}

    async def deliver(
        self, outgoing: Mapping[str, OutgoingValue], workers: Sequence[str], copies: int, deadline: Deadline
    ) -> None:
        """Send all values to the workers that the scheduler chooses, again if a worker refuses them.

        Raises
        ------
        TimeoutError
            If there are no workers before the deadline.
        OSError
            If the chosen workers can be reached neither directly nor through the scheduler before the deadline.
        """
        pending = outgoing
        while True:
            self._by_worker = {}
            await self._choose_workers(pending, workers, copies, deadline)
            failures = await self._send(pending)
            if not failures:
                return
            left = deadline.left()
            if left is not None and left <= 0:
                raise next(iter(failures.values()))
            pending = {key: outgoing[key] for worker in failures for key in self._by_worker[worker]}
            # After the pause the scheduler may know that the worker is gone.
            await asyncio.sleep(_PAUSE if left is None else min(_PAUSE, left))

    async def _choose_workers(
        self, outgoing: Mapping[str, OutgoingValue], workers: Sequence[str], copies: int, deadline: Deadline
    ) -> None:
        """Announce the values to the scheduler, which chooses a worker for each.

        Raises
        ------
        TimeoutError
            If there are no workers before the deadline.
        """
        await self._session.barrier()
        scheduler = scheduler_service(self._session)
        request = scheduler_service_pb2.ScatterRequest(
            client_id=self._session.client_id,
            items=[scheduler_service_pb2.ScatterItem(key=v.key, nbytes=v.nbytes) for v in outgoing.values()],
            workers=workers,
            copies=copies,
        )
        pause = pauses(0.05, 0.5)
        while True:
            try:
                response = await scheduler.call("Scatter", request, scheduler_service_pb2.ScatterResponse)
                break
            except NoWorkersError:
                left = deadline.left()
                if left is not None and left <= 0:
                    raise deadline.error("No workers to scatter to came") from None
                await asyncio.sleep(next(pause) if left is None else min(next(pause), left))
        for placement in response.placements:
            for worker in placement.workers:
                self._by_worker.setdefault(worker, []).append(placement.key)

    async def _send(self, outgoing: Mapping[str, OutgoingValue]) -> dict[str, Exception]:
        """Send values to the chosen workers; return errors by worker."""
        failures: dict[str, Exception] = {}

        async def send(worker: str, keys: list[str]) -> None:
            try:
                await self._to_worker(worker, [outgoing[key] for key in keys])
            except (CommClosedError, NotReadyError, UnknownWorkerError) as error:
                failures[worker] = error

        await asyncio.gather(*(send(worker, keys) for worker, keys in self._by_worker.items()))
        return failures

    async def await_copies(self) -> None:
        """Wait until the scheduler knows all copies, at most two seconds: a worker may have left meanwhile."""
        scheduler = scheduler_service(self._session)
        expected = Counter(key for keys in self._by_worker.values() for key in keys)
        request = scheduler_service_pb2.WhoHasRequest(keys=list(expected))
        for _ in range(_POLLS):
            response = await scheduler.call("WhoHas", request, scheduler_service_pb2.WhoHasResponse)
            if all(len(ref.workers) >= expected[ref.key] for ref in response.data):
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _to_worker(self, worker: str, values: Sequence[OutgoingValue]) -> None:
        relay = self._direct is False
        pause = pauses(0.05)
        for attempt in range(_ATTEMPTS):
            try:
                if relay:
                    await self._relay(worker, values)
                else:
                    assert self._session.data is not None
                    await upload(self._session.data.client(worker, WORKER_SERVICE), "PutData", values)
                return
            except LimitReachedError:
                pass
            except CommClosedError:
                if attempt == _ATTEMPTS - 1:
                    raise
                # The scheduler may reach workers that this process does not.
                relay = True
            await asyncio.sleep(next(pause))
        raise CommClosedError(f"Worker {worker} was too busy to take data")

    async def _relay(self, worker: str, values: Sequence[OutgoingValue]) -> None:
        first = scheduler_service_pb2.RelayDataRequest(worker=worker).SerializeToString()
        await upload(scheduler_service(self._session), "RelayData", values, first)
