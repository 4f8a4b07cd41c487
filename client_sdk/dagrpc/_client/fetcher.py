"""Fetches the values of finished keys from workers, or through the scheduler."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from dagrpc._client.client_session import ClientSession
from dagrpc._client.key_table import FINISHED, KeyState
from dagrpc._client.services import scheduler_service
from dagrpc._common.backoff import pauses
from dagrpc._transfer.transfers import WORKER_SERVICE, ReceivedValue, download
from dagrpc.exceptions import (
    CodeNotAllowedError,
    CommClosedError,
    InvalidRequestError,
    LimitReachedError,
    NotAuthenticatedError,
)
from dagrpc.v1 import common_pb2, data_pb2, scheduler_service_pb2, worker_service_pb2

_TRANSFER_BYTES = 1 << 30
"""Bytes of values that one transfer asks for at most."""
_KEY_BYTES = 1 << 20
"""Length of all keys that one transfer asks for at most."""
_CONCURRENT = 32
"""Transfers that run at the same time."""
_UNREACHABLE_AFTER = 3
"""Failed calls after which a worker's data is fetched through the scheduler."""
_UNREACHABLE_FOR = 60.0
"""Seconds after which an unreachable worker is tried again."""
_GIVE_UP_AFTER = 120.0
"""Seconds without progress after which fetching fails, although the scheduler reports the results as finished."""


class Fetcher:
    """Fetches values from workers, or through the scheduler. Lives on the IO loop."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._unreachable: dict[str, float] = {}
        """Workers that could not be called, with the monotonic time at which each is tried again."""

    async def fetch(self, states: Sequence[KeyState], direct: bool | None) -> dict[str, ReceivedValue]:
        """Return the values of finished keys by wire key; keys that stop being finished meanwhile are missing.

        Raises
        ------
        CommClosedError
            If no value arrives for two minutes.
        TypeError
            If a value cannot be encoded.
        """
        wanted = {state.wire_key: state for state in states}
        values: dict[str, ReceivedValue] = {}
        failures: Counter[str] = Counter()
        pause, progress = pauses(0.01, 1.0, jitter=True), time.monotonic()
        while True:
            keys = [key for key, state in wanted.items() if key not in values and state.status == FINISHED]
            if not keys:
                return values
            self._session.check_open()
            before = len(values)
            for value in await self._fetch_once(keys, direct, failures):
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

    async def _fetch_once(
        self, keys: Sequence[str], direct: bool | None, failures: Counter[str]
    ) -> list[ReceivedValue]:
        """Ask once for keys, at the workers that hold them or at the scheduler."""
        if direct is False:
            return await self._relay(keys)
        relayed: list[str] = []
        by_worker: dict[str, list[common_pb2.DataRef]] = {}
        request = scheduler_service_pb2.WhoHasRequest(keys=keys)
        response = await scheduler_service(self._session).call("WhoHas", request, scheduler_service_pb2.WhoHasResponse)
        load: Counter[str] = Counter()
        for ref in response.data:
            reachable = [worker for worker in ref.workers if not self._is_unreachable(worker)]
            if reachable:
                # The worker with the least to send so far.
                worker = min(reachable, key=load.__getitem__)
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
                # This worker refuses clients; the scheduler may serve them.
                self._unreachable[worker] = time.monotonic() + _UNREACHABLE_FOR
                return []
            except (CommClosedError, InvalidRequestError):
                # The worker is gone or cannot be reached from here. The scheduler soon reports which.
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
        """Fetch keys through the scheduler."""
        request = scheduler_service_pb2.GatherRequest(keys=keys, families=self._session.families)
        try:
            return await download(scheduler_service(self._session), "Gather", request)
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
