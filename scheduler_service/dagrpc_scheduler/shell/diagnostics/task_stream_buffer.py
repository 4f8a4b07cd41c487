"""The latest records of tasks and transfers, as workers sent them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import islice

from dagrpc.v1 import records_pb2
from dagrpc.v1.diagnostics_service_pb2 import ReadRecentRecordsRequest as RecentQuestion

LIMIT = 100_000
"""How many records are kept."""
_PIECE = 5_000
"""How many records of tasks a batch that `select` returns has at most."""


@dataclass(slots=True, frozen=True)
class Entry:
    """A batch as a worker sent it; its records are looked at when a client asks."""

    number: int
    """How many batches came before it."""
    worker: str
    batch: records_pb2.RecordBatch


class TaskStreamBuffer:
    """The latest records of tasks and transfers, in whole batches."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.recording = 0
        """Counts the changes between not recording (even) and recording (odd)."""
        self.cursor = 1
        """How many batches have come, plus one: the past that workers had kept has the number 0."""
        self.dropped = 0
        """How many records were dropped, here or by workers that had too many."""
        self._limit = limit
        self._entries: deque[Entry] = deque()
        self._held = 0
        self._clients: set[str] = set()
        """Clients that want records for good."""
        self._blocks: Counter[str] = Counter()
        """How many blocks of code each client records."""
        self._readers: set[str] = set()
        """Connected clients that have asked for records: batches are kept for them."""
        self._kept_since = 0
        """The value of `recording` at which the oldest batch may have come."""
        self._has_past = False
        self._metadata: dict[str, bytes] = {}
        """Metadata that worker plugins set on tasks, by wire key."""

    def want(self, client: str, *, block: bool = False, more: bool = False) -> None:
        """Note that a client wants records: for a `block` of code, with `more` for one more block, or for good."""
        is_first = not self._readers
        self._readers.add(client)
        if not block:
            self._clients.add(client)
        elif more:
            self._blocks[client] += 1
        self._decide()
        if is_first:
            self._kept_since = self.recording

    def end(self, client: str) -> None:
        """Note the end of a client's block of code."""
        self._blocks[client] -= 1
        if self._blocks[client] <= 0:
            del self._blocks[client]
        self._decide()

    def client_gone(self, client: str) -> None:
        """Drop a client's wishes, and the batches if no other client wants them."""
        self._clients.discard(client)
        self._blocks.pop(client, None)
        self._readers.discard(client)
        self._decide()
        if not self._readers:
            self._entries.clear()
            self._metadata.clear()
            self._held = self.dropped = 0
            self._has_past = False

    def _decide(self) -> None:
        wanted = bool(self._clients or self._blocks)
        if wanted != (self.recording % 2 == 1):
            self.recording += 1

    def add(self, worker: str, batch: records_pb2.RecordBatch) -> None:
        """Keep a worker's batch."""
        if not self._readers:
            return
        self.dropped += batch.dropped
        if not batch.tasks and not batch.transfers:
            return
        kept = _copy(batch)
        self._entries.append(Entry(self.cursor, worker, kept))
        self.cursor += 1
        self._held += _size(kept)
        self._drop_oldest()

    def wanted_past(self, workers: int) -> RecentQuestion | None:
        """Return what to ask each of so many workers about the time before they recorded; None: it is known."""
        if self._has_past or not workers:
            return None
        self._has_past = True
        return RecentQuestion(limit=max(self._limit // workers, 1), untold_before=self._kept_since)

    def add_past(self, worker: str, batch: records_pb2.RecordBatch) -> None:
        """Keep what a worker recorded before somebody asked."""
        if self._readers and (batch.tasks or batch.transfers):
            kept = _copy(batch)
            self._entries.appendleft(Entry(0, worker, kept))
            self._held += _size(kept)
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        while self._held - _size(self._entries[0].batch) >= self._limit:
            oldest = self._entries.popleft().batch
            self._held -= _size(oldest)
            self.dropped += len(oldest.tasks)

    def note_metadata(self, key: str, metadata: bytes) -> None:
        """Keep the metadata of a task for the record of its run."""
        if self._readers:
            if len(self._metadata) >= self._limit:
                del self._metadata[next(iter(self._metadata))]
            self._metadata[key] = metadata

    def add_metadata(self, batch: records_pb2.RecordBatch) -> None:
        """Add the kept metadata to records."""
        for record in batch.tasks if self._metadata else ():
            record.metadata = self._metadata.get(record.key, b"")

    def batches(self, after: int = 0) -> list[Entry]:
        """Return the batches after a cursor, in order."""
        return [entry for entry in self._entries if entry.number >= after]


def select(
    entries: Sequence[Entry], start: float = 0.0, stop: float = 0.0, count: int = 0, *, transfers: bool = False
) -> list[tuple[str, records_pb2.RecordBatch]]:
    """Return records with their workers, in the order in which they came.

    Only records that end after `start` and begin before `stop` are returned (0: no bound), and only the `count` tasks
    that ended last (0: all). Transfers come along on request.
    """
    chosen: list[tuple[str, records_pb2.RecordBatch]] = []
    latest: list[tuple[str, records_pb2.TaskRecord]] = []
    for entry in entries:
        tasks = [record for record in entry.batch.tasks if _overlaps(*_times(record), start, stop)]
        moved = [each for each in entry.batch.transfers if _overlaps(each.start, each.stop, start, stop)]
        if count:
            latest = nlargest(count, [*latest, *((entry.worker, record) for record in tasks)], key=_end)
            tasks = []
        chosen += [(entry.worker, piece) for piece in _pieces(tasks, moved if transfers else ())]
    by_worker: dict[str, list[records_pb2.TaskRecord]] = {}
    for worker, record in reversed(latest):
        by_worker.setdefault(worker, []).append(record)
    return chosen + [(worker, piece) for worker, found in by_worker.items() for piece in _pieces(found, ())]


def _end(found: tuple[str, records_pb2.TaskRecord]) -> float:
    return _times(found[1])[1]


def _copy(batch: records_pb2.RecordBatch) -> records_pb2.RecordBatch:
    """Return a copy of a batch: a part of a message keeps the whole message alive."""
    kept = records_pb2.RecordBatch()
    kept.CopyFrom(batch)
    return kept


def _size(batch: records_pb2.RecordBatch) -> int:
    return len(batch.tasks) + len(batch.transfers)


def _times(record: records_pb2.TaskRecord) -> tuple[float, float]:
    activities = record.activities
    return (activities[0].start, activities[-1].stop) if activities else (0.0, 0.0)


def _overlaps(begun: float, ended: float, start: float, stop: float) -> bool:
    return ended >= start and (not stop or begun <= stop)


def _pieces(
    tasks: Sequence[records_pb2.TaskRecord], transfers: Iterable[records_pb2.TransferRecord]
) -> Iterator[records_pb2.RecordBatch]:
    rest, moved = iter(tasks), iter(transfers)
    while True:
        piece = records_pb2.RecordBatch(tasks=islice(rest, _PIECE), transfers=islice(moved, _PIECE))
        if not piece.tasks and not piece.transfers:
            return
        yield piece
