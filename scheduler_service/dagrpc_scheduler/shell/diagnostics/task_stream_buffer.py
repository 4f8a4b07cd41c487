"""What workers have recorded of their tasks and transfers: as they sent it, the latest of it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import islice

from dagrpc.v1 import records_pb2

LIMIT = 100_000
"""Most records that are kept."""
_PIECE = 5_000
"""Most records of tasks in what `select` returns at a time."""


@dataclass(slots=True, frozen=True)
class Entry:
    """A batch as a worker sent it. Nothing is done with its records until somebody asks."""

    number: int
    """How many batches had come before it."""
    worker: str
    batch: records_pb2.RecordBatch


class Records:
    """The latest records, whole batches at a time.

    Attributes
    ----------
    recording : int
        How often it has changed whether workers are to record: odd while they are.
    cursor : int
        How many batches have come.
    dropped : int
        How many of them are not here any more, or were dropped by workers that had too many.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.recording = 0
        self.cursor = 0
        self.dropped = 0
        self._limit = limit
        self._entries: deque[Entry] = deque()
        self._held = 0
        self._clients: set[str] = set()
        """Those that have asked, outside of blocks."""
        self._blocks: Counter[str] = Counter()
        """How many blocks of code clients have recorded."""
        self._readers: set[str] = set()
        """Clients that have asked and are here: what was recorded is kept for them."""
        self._metadata: dict[str, bytes] = {}
        """What plugins of workers noted about tasks, by key."""

    def want(self, client: str, *, block: bool = False, more: bool = False) -> None:
        """Note that a client asks: for a block of code, one more or one that it has, or for good."""
        self._readers.add(client)
        if not block:
            self._clients.add(client)
        elif more:
            self._blocks[client] += 1
        self._decide()

    def end(self, client: str) -> None:
        """Note that a block of a client's code has ended."""
        self._blocks[client] -= 1
        if self._blocks[client] <= 0:
            del self._blocks[client]
        self._decide()

    def client_gone(self, client: str) -> None:
        """Note that a client has left."""
        self._clients.discard(client)
        self._blocks.pop(client, None)
        self._readers.discard(client)
        self._decide()
        if not self._readers:
            self._entries.clear()
            self._metadata.clear()
            self._held = self.dropped = 0

    def _decide(self) -> None:
        wanted = bool(self._clients or self._blocks)
        if wanted != (self.recording % 2 == 1):
            self.recording += 1

    def add(self, worker: str, batch: records_pb2.RecordBatch) -> None:
        """Keep what a worker recorded."""
        if not self._readers:
            return
        self.dropped += batch.dropped
        if not batch.tasks and not batch.transfers:
            return
        # A message of its own, lest it keep alive the one that it came with.
        kept = records_pb2.RecordBatch()
        kept.CopyFrom(batch)
        self._entries.append(Entry(self.cursor, worker, kept))
        self.cursor += 1
        self._held += _size(kept)
        while self._held - _size(self._entries[0].batch) >= self._limit:
            oldest = self._entries.popleft().batch
            self._held -= _size(oldest)
            self.dropped += len(oldest.tasks)

    def note_metadata(self, key: str, metadata: bytes) -> None:
        """Keep what plugins of a worker noted about a task, for the record of its run."""
        if self._readers:
            if len(self._metadata) >= self._limit:
                del self._metadata[next(iter(self._metadata))]
            self._metadata[key] = metadata

    def add_metadata(self, batch: records_pb2.RecordBatch) -> None:
        """Add it to records."""
        for record in batch.tasks if self._metadata else ():
            record.metadata = self._metadata.get(record.key, b"")

    def batches(self, after: int = 0) -> list[Entry]:
        """Return what came after a cursor, in order."""
        return [entry for entry in self._entries if entry.number >= after]


def select(
    entries: Sequence[Entry], start: float = 0.0, stop: float = 0.0, count: int = 0, *, transfers: bool = False
) -> list[tuple[str, records_pb2.RecordBatch]]:
    """Return records with the workers that they are of, in the order in which they came.

    Parameters
    ----------
    entries : sequence of Entry
        What there is.
    start, stop : float
        Only what ended after, and began before that; 0: no bound.
    count : int
        Only so many tasks, those that ended last; 0: all.
    transfers : bool
        Whether to return transfers, too.
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
