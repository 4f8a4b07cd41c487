"""The latest tasks and transfers, read from the workers while somebody looks, and shared by all viewers."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from itertools import islice
from typing import Any

from dagrpc._common.keys import prefix_name
from dagrpc.v1 import diagnostics_service_pb2 as pb
from dagrpc.v1 import records_pb2
from dagrpc_scheduler.http.sources import SchedulerSources

_AT_FIRST = 10_000
"""How many tasks are read when somebody begins to look."""
_AT_ONCE = 500
"""How many tasks are read at a time later on."""
_KEPT = 20_000
_KEPT_TRANSFERS = 5_000
_INTERVAL = 0.5
_WORKER_INTERVAL = 0.01
"""Seconds between two readings for each worker: a thousand workers are read every ten seconds."""
_FORGET_AFTER = 30.0
"""Seconds after the last look until everything is forgotten."""
_KEY_LENGTH = 200
_MOST_ROWS = 10_000
"""How many rows a viewer gets in one message."""


class RecentTasks:
    """Keeps the latest tasks and transfers of all workers.

    A task is a row of worker, thread, key, prefix, activities (kind, start, seconds), bytes, type and error; a transfer
    one of receiver, sender, start, seconds, results and bytes. Times are in seconds since `origin`.
    """

    def __init__(self, sources: SchedulerSources) -> None:
        self._sources = sources
        self._lock = asyncio.Lock()
        self._due = 0.0
        self._looked = 0.0
        self.origin = 0.0
        self._next: dict[str, tuple[int, int]] = {}
        """The numbers of the next task and transfer to read, by worker."""
        self.tasks = Tail(_KEPT)
        self.transfers = Tail(_KEPT_TRANSFERS)
        self.skipped = 0
        """How many tasks were left out because there were too many."""

    async def read(self) -> None:
        """Read what is new, unless that was done a moment ago."""
        async with self._lock:
            now = time.monotonic()
            if now - self._looked > _FORGET_AFTER:
                self._forget()
            self._looked = now
            if now < self._due:
                return
            await self._read()
            self._due = time.monotonic() + max(_INTERVAL, _WORKER_INTERVAL * len(self._next))

    def _forget(self) -> None:
        self.origin = float(int(time.time()))
        self._next.clear()
        self.tasks.clear()
        self.transfers.clear()
        self.skipped = 0

    async def _read(self) -> None:
        workers = list(self._sources.peers.workers)
        if not workers:
            return
        questions = {}
        for worker in workers:
            after, transfers_after = self._next.get(worker, (0, 0))
            limit = max((_AT_ONCE if worker in self._next else _AT_FIRST) // len(workers), 2)
            questions[worker] = pb.ReadRecentRecordsRequest(after=after, transfers_after=transfers_after, limit=limit)
        answers = await self._sources.diagnostics.read_recent(questions)
        tasks: list[Any] = []
        transfers: list[Any] = []
        for worker, answer in answers.found.items():
            self.skipped += answer.skipped
            self._next[worker] = (answer.next, answer.next_transfer)
            tasks += [self._task(worker, record) for record in answer.records.tasks]
            transfers += [self._transfer(worker, record) for record in answer.records.transfers]
        self._next = {worker: numbers for worker, numbers in self._next.items() if worker in answers.found}
        self.tasks.extend(sorted(tasks, key=_end))
        self.transfers.extend(sorted(transfers, key=lambda row: row[2] + row[3]))

    def _task(self, worker: str, record: records_pb2.TaskRecord) -> list[Any]:
        origin = self.origin
        activities = [
            [each.kind, round(each.start - origin, 5), round(each.stop - each.start, 6)] for each in record.activities
        ]
        return [
            worker,
            str(record.thread),
            record.key[:_KEY_LENGTH],
            prefix_name(record.key)[:_KEY_LENGTH],
            activities,
            record.nbytes,
            record.type_name,
            record.error[:_KEY_LENGTH],
        ]

    def _transfer(self, worker: str, record: records_pb2.TransferRecord) -> list[Any]:
        seconds = round(record.stop - record.start, 6)
        return [worker, record.source, round(record.start - self.origin, 5), seconds, record.keys, record.nbytes]


def _end(row: list[Any]) -> float:
    activities = row[4]
    return float(activities[-1][1] + activities[-1][2]) if activities else 0.0


class Tail:
    """The latest rows, each with a number."""

    def __init__(self, length: int) -> None:
        self._rows: deque[Any] = deque(maxlen=length)
        self.next = 0

    def extend(self, rows: list[Any]) -> None:
        """Add rows."""
        self._rows.extend(rows)
        self.next += len(rows)

    def since(self, number: int, limit: int) -> list[Any]:
        """Return the latest rows with this number or a higher one, at most `limit`."""
        count = min(self.next - number, len(self._rows), limit)
        return list(islice(self._rows, len(self._rows) - count, None))

    def clear(self) -> None:
        """Forget the rows; the numbers go on."""
        self._rows.clear()


class RecentReader:
    """Tells one viewer of new tasks or transfers."""

    def __init__(self, recent: RecentTasks, tail: Tail) -> None:
        self._recent = recent
        self._tail = tail
        self._next = 0
        self._origin = 0.0

    async def news(self) -> dict[str, Any] | None:
        """Return new rows; ``origin`` is set if all earlier rows are void."""
        recent, tail = self._recent, self._tail
        await recent.read()
        rows = tail.since(self._next, _MOST_ROWS)
        is_first = self._origin != recent.origin
        self._next, self._origin = tail.next, recent.origin
        if not rows and not is_first:
            return None
        news: dict[str, Any] = {"rows": rows, "skipped": recent.skipped}
        return {**news, "origin": recent.origin} if is_first else news

    def close(self) -> None:
        """Forget the viewer."""
