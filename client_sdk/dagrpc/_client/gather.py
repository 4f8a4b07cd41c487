"""Getting results: waiting for them, fetching them from the workers, decoding them in the calling thread."""

from __future__ import annotations

import asyncio
import pickle
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from dask.base import is_dask_collection

from dagrpc import config
from dagrpc._client import current
from dagrpc._client.key_table import CANCELLED, ERROR, FINISHED, KeyState
from dagrpc._client.session import ClientSession
from dagrpc._client.waiting import Countdown, Deadline, Operation, RunInThread, RunOnLoop
from dagrpc._codec import payload as payloads
from dagrpc._codec.failures import decode_failure
from dagrpc._common.backoff import pauses
from dagrpc._common.remote_raise import raise_from_elsewhere
from dagrpc._transfer.transfers import WORKER_SERVICE, ReceivedValue, download
from dagrpc.exceptions import (
    CodeNotAllowedError,
    CommClosedError,
    FutureCancelledError,
    GraphError,
    InvalidRequestError,
    LimitReachedError,
    NotAuthenticatedError,
)
from dagrpc.future import Future
from dagrpc.v1 import common_pb2, data_pb2, scheduler_service_pb2, worker_service_pb2

if TYPE_CHECKING:
    from dagrpc._client.connection import Connection

_TRANSFER_BYTES = 1 << 30
"""How much one transfer asks for."""
_KEY_BYTES = 1 << 20
"""Length of all keys that one transfer asks for."""
_CONCURRENT = 32
"""How many transfers are under way at once."""
_UNREACHABLE_AFTER = 3
"""Failed calls after which a worker's data is asked of the scheduler."""
_UNREACHABLE_FOR = 60.0
"""Seconds after which such a worker is tried again."""
_GIVE_UP_AFTER = 120.0
"""Seconds without any progress after which results that are said to be there are given up."""


_OURS = b"dagrpc."
"""Stands in the pickle of every future, and of every actor."""

NOT_HERE: Any = object()
"""Stands for a value that did not come with its event."""


# --- what is here ------------------------------------------------------------------------------------------------


def inline_value(state: KeyState, client: Connection | None = None) -> Any:
    """Return the value that came with the event of a finished key, or `NOT_HERE`.

    Futures and actors in it become those of a client, if one is given.
    """
    payload = state.payload
    if type(payload) is bytes:
        if client is not None and _OURS in payload:
            with current.as_current(client):
                return pickle.loads(payload)
        return pickle.loads(payload)
    if payload is None:
        return NOT_HERE
    return payloads.from_payload(payload)


def failure_of(state: KeyState) -> tuple[BaseException, Any]:
    """Return exception and traceback of a key that failed."""
    if not isinstance(state.failure, tuple):
        error = decode_failure(state.failure, str(state.key))
        state.failure = (error, error.__traceback__)
    both: tuple[BaseException, Any] = state.failure
    return both


def was_refused(state: KeyState) -> bool:
    """Return whether a key failed because the scheduler refused its graph."""
    return isinstance(state.failure, tuple) and isinstance(state.failure[0], GraphError)


def cancelled_error(state: KeyState) -> FutureCancelledError:
    """Return the error for a key that was cancelled."""
    return FutureCancelledError(str(state.key), state.reason, state.message)


def raise_unless_finished(state: KeyState) -> None:
    """Raise what a key that is done and has no result stands for."""
    if state.status == ERROR:
        raise_from_elsewhere(*failure_of(state))
    if state.status == CANCELLED:
        raise_from_elsewhere(cancelled_error(state), None)


# --- fetching ----------------------------------------------------------------------------------------------------


class Fetcher:
    """Fetches values from workers, or through the scheduler. Lives on the IO loop.

    Parameters
    ----------
    session : ClientSession
        The client's connection.
    """

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._unreachable: dict[str, float] = {}
        """Workers that could not be called, with the time until when."""

    async def fetch(self, states: Sequence[KeyState], direct: bool | None) -> dict[str, ReceivedValue]:
        """Fetch the values of finished keys.

        Returns
        -------
        dict
            By key as on the wire. Keys that are not finished any more are missing.

        Raises
        ------
        CommClosedError
            If there is no progress for long.
        TypeError
            If a value cannot be encoded.
        """
        wanted = {state.wire_key: state for state in states}
        values: dict[str, ReceivedValue] = {}
        failures: Counter[str] = Counter()
        pause, progress = pauses(0.01, 1.0, jitter=True), time.monotonic()
        while True:
            keys = [
                wire_key for wire_key, state in wanted.items() if wire_key not in values and state.status == FINISHED
            ]
            if not keys:
                return values
            self._session.check_open()
            before = len(values)
            for value in await self._round(keys, direct, failures):
                if value.entry.outcome == data_pb2.DATA_OUTCOME_OK:
                    values[value.entry.key] = value
                elif value.entry.outcome == data_pb2.DATA_OUTCOME_NOT_ENCODABLE:
                    raise TypeError(value.entry.message or f"The result of {value.entry.key!r} cannot be encoded")
            if len(values) > before:
                pause, progress = pauses(0.01, 1.0, jitter=True), time.monotonic()
                continue
            if time.monotonic() - progress > _GIVE_UP_AFTER:
                raise CommClosedError(
                    f"The results of {len(keys)} tasks, such as {keys[0]!r}, could not be fetched from any worker"
                )
            await asyncio.sleep(next(pause))

    async def _round(self, keys: Sequence[str], direct: bool | None, failures: Counter[str]) -> list[ReceivedValue]:
        """Ask once for keys, wherever they are."""
        if direct is False:
            return await self._relay(keys)
        relayed: list[str] = []
        by_worker: dict[str, list[common_pb2.DataRef]] = {}
        scheduler = self._session.scheduler
        assert scheduler is not None
        request = scheduler_service_pb2.WhoHasRequest(keys=keys)
        response = await scheduler.call("WhoHas", request, scheduler_service_pb2.WhoHasResponse)
        load: Counter[str] = Counter()
        for ref in response.data:
            holders = [worker for worker in ref.workers if not self._is_unreachable(worker)]
            if holders:
                # Of several holders the one that has the least to send.
                worker = min(holders, key=load.__getitem__)
                load[worker] += ref.nbytes + 1
                by_worker.setdefault(worker, []).append(ref)
            elif ref.workers:
                relayed.append(ref.key)
        limit = asyncio.Semaphore(_CONCURRENT)
        calls = [
            self._from_worker(worker, part, failures, limit)
            for worker, refs in by_worker.items()
            for part in _split(refs)
        ]
        if relayed:
            calls.append(self._relay(relayed))
        return [value for values in await asyncio.gather(*calls) for value in values]

    async def _from_worker(
        self, worker: str, keys: Sequence[str], failures: Counter[str], limit: asyncio.Semaphore
    ) -> list[ReceivedValue]:
        pool = self._session.data
        assert pool is not None
        async with limit:
            families = self._session.families
            request = worker_service_pb2.GetDataRequest(keys=keys, max_bytes=_TRANSFER_BYTES, families=families)
            try:
                return await download(pool.client(worker, WORKER_SERVICE), "GetData", request)
            except LimitReachedError:
                return []
            except (CodeNotAllowedError, NotAuthenticatedError):
                # The worker does not serve our likes, but the scheduler may.
                self._unreachable[worker] = time.monotonic() + _UNREACHABLE_FOR
                return []
            except (CommClosedError, InvalidRequestError):
                # Gone, or out of our reach: the scheduler knows the difference before long.
                failures[worker] += 1
                if failures[worker] >= _UNREACHABLE_AFTER:
                    self._unreachable[worker] = time.monotonic() + _UNREACHABLE_FOR
                return []

    def _is_unreachable(self, worker: str) -> bool:
        until = self._unreachable.get(worker)
        if until is None:
            return False
        if time.monotonic() < until:
            return True
        del self._unreachable[worker]
        return False

    async def _relay(self, keys: Sequence[str]) -> list[ReceivedValue]:
        scheduler = self._session.scheduler
        assert scheduler is not None
        request = scheduler_service_pb2.GatherRequest(keys=keys, families=self._session.families)
        try:
            return await download(scheduler, "Gather", request)
        except (CommClosedError, LimitReachedError):
            self._session.check_open()
            return []


def _split(refs: Sequence[common_pb2.DataRef]) -> list[list[str]]:
    """Divide keys into groups that one transfer can carry."""
    groups: list[list[str]] = [[]]
    size = length = 0
    for ref in refs:
        if groups[-1] and (size + ref.nbytes > _TRANSFER_BYTES or length + len(ref.key) > _KEY_BYTES):
            groups.append([])
            size = length = 0
        groups[-1].append(ref.key)
        size += ref.nbytes
        length += len(ref.key)
    return groups


# --- operations --------------------------------------------------------------------------------------------------


def values_of(
    client: Connection, states: Sequence[KeyState], errors: str, direct: bool | None, deadline: Deadline
) -> Operation[dict[str, Any]]:
    """Wait for keys and return their values by key as on the wire.

    With ``errors="skip"`` keys without a result are missing; otherwise the first one's error is raised.
    """
    values: dict[str, Any] = {}
    left: list[KeyState] = list(states)
    while left:
        if not (yield Countdown(left, deadline, fail_fast=errors == "raise")):
            raise deadline.error(f"{len([s for s in left if not s.done])} of {len(states)} results were not there")
        if client._session.topics.to_show:
            yield RunInThread(client._session.topics.wait_until_shown)
        remote = []
        for state in left:
            if state.status != FINISHED:
                if errors == "raise":
                    raise_unless_finished(state)
                if not state.done:
                    remote.append(state)
                continue
            value = inline_value(state, client)
            if value is NOT_HERE:
                remote.append(state)
            else:
                values[state.wire_key] = value
        if not remote:
            break
        ready = [state for state in remote if state.status == FINISHED]
        if ready:
            client._check_open()
            fetching = client._fetcher.fetch(ready, client._direct(direct))
            received = yield RunOnLoop(client._loop, fetching, deadline, f"{len(ready)} results were not fetched")
            yield RunInThread(partial(_decode, client, received, values))
        left = [state for state in remote if state.wire_key not in values]
    return values


def _decode(client: Connection, received: dict[str, ReceivedValue], values: dict[str, Any]) -> None:
    # Futures among the results are to be this client's.
    with current.as_current(client):
        for wire_key in list(received):
            # Taken out one by one, so that no more than one value is held twice.
            value = received.pop(wire_key)
            values[wire_key] = payloads.decode(value.entry.encoding, value.frames, client._session.families)


def result(client: Connection, future: Future[Any], timeout: float | None) -> Operation[Any]:
    """Wait for the result of a future."""
    state = future.bound_state()
    if future._released:
        raise FutureCancelledError(str(state.key), "unknown", "The future was released.")
    values = yield from values_of(client, [state], "raise", None, Deadline(timeout))
    return values[state.wire_key]


def failure(future: Future[Any], timeout: float | None) -> Operation[tuple[BaseException | None, Any]]:
    """Wait for a future and return exception and traceback, None if there are none."""
    state, deadline = future.bound_state(), Deadline(timeout)
    if not (yield Countdown([state], deadline)):
        raise deadline.error(f"{future!r} was not done")
    return failure_of(state) if state.status == ERROR else (None, None)


def gather(client: Connection, futures: Any, errors: str, direct: bool | None) -> Operation[Any]:
    """Wait for all futures in a nested structure and put their results in their places."""
    found: dict[str, KeyState] = {}
    if type(futures) is list and all(type(item) is Future for item in futures):
        flat: list[Future[Any]] = futures
        for future in flat:
            _note(client, future, found)
        values = yield from values_of(client, list(found.values()), errors, direct, Deadline(None))
        if errors == "raise":
            return [values[future._state.wire_key] for future in flat]  # type: ignore[union-attr]
        return _fill(flat, values)
    _find(client, futures, found)
    values = yield from values_of(client, list(found.values()), errors, direct, Deadline(None))
    return _fill(futures, values)


def _note(client: Connection, future: Future[Any], found: dict[str, KeyState]) -> None:
    state = future._state if future._state is not None else future.bound_state()
    if future._client is not client:
        raise ValueError(f"{future!r} belongs to another client")
    if future._released:
        raise FutureCancelledError(str(state.key), "unknown", "The future was released.")
    found[state.wire_key] = state


def _find(client: Connection, value: Any, found: dict[str, KeyState]) -> None:
    if isinstance(value, Future):
        _note(client, value, found)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            _find(client, item, found)
    elif isinstance(value, dict):
        for item in value.values():
            _find(client, item, found)


def _fill(value: Any, values: Mapping[str, Any]) -> Any:
    """Return a structure with values in place of futures: out of lists, those without a value are left out."""
    if isinstance(value, Future):
        return values.get(value.bound_state().wire_key)
    kind = type(value)
    if kind is list or kind is set or kind is frozenset:
        return kind(_fill(item, values) for item in value if not _is_missing(item, values))
    if kind is tuple:
        return tuple(_fill(item, values) for item in value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return kind(*(_fill(item, values) for item in value))
    if isinstance(value, dict):
        return {name: _fill(item, values) for name, item in value.items()}
    return value


def _is_missing(value: Any, values: Mapping[str, Any]) -> bool:
    return isinstance(value, Future) and value.bound_state().wire_key not in values


# --- futures in anything -----------------------------------------------------------------------------------------


def futures_in(value: Any) -> list[Future[Any]]:
    """Return the futures in a collection or nested structure, each object once, in order."""
    found: dict[int, Future[Any]] = {}
    _collect(value, found)
    return list(found.values())


def _collect(value: Any, found: dict[int, Future[Any]]) -> None:
    if isinstance(value, Future):
        found[id(value)] = value
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            _collect(item, found)
    elif isinstance(value, dict):
        for item in value.values():
            _collect(item, found)
    elif is_dask_collection(value):
        graph = value.__dask_graph__() or {}
        for key in _flat(value.__dask_keys__()):
            # A collection whose graph is its futures, as persist returns it, comes in its own order.
            node = graph.get(key) if hasattr(graph, "get") else None
            if isinstance(node, Future):
                found[id(node)] = node
        for node in graph.values():
            _collect_in_task(node, found)


def _collect_in_task(node: Any, found: dict[int, Future[Any]]) -> None:
    args = getattr(node, "args", None)
    if isinstance(args, tuple):
        for item in args:
            _collect_in_task(item, found)
    elif isinstance(node, (Future, list, tuple, set, frozenset, dict)):
        _collect(node, found)


def _flat(keys: Any) -> Iterable[Any]:
    if isinstance(keys, list):
        for item in keys:
            yield from _flat(item)
    else:
        yield keys


def default_timeout() -> float:
    """Return how long to look for a peer, in seconds."""
    return config.get_seconds("comm.timeouts.connect") or 30.0
