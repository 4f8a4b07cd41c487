"""Records the runs of tasks and the transfers of their dependencies: the latest always, all while somebody asks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from heapq import nlargest
from itertools import count, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from dagrpc._common.task_activities import startstop
from dagrpc.v1 import records_pb2 as pb
from dagrpc.v1.diagnostics_service_pb2 import ReadRecentRecordsResponse as RecentRecords

if TYPE_CHECKING:
    from dagrpc.v1.worker_session_pb2 import RunDetails
    from dagrpc_worker.execute.task_context import TaskContext

BATCH = 20_000
"""Maximum number of records in one message."""
_PENDING = 100_000
"""Maximum number of records that wait to be sent."""
_FETCHED = 10_000
"""Maximum number of transfers remembered for the tasks that use the received results."""
RECENT_RUNS = 10_000
"""How many runs are always kept; each takes about 300 bytes and its key."""
RECENT_TRANSFERS = 2_000
"""How many transfers are always kept."""
_SHORTEST_LOAD = 0.001


RunFacts: TypeAlias = tuple[str, int, float, float, float, Sequence[tuple[str, float, float]], int, str, str]
"""The fields of a `Run` without the type of the result, which must not be kept alive."""
RecentRun: TypeAlias = tuple[int, int, RunFacts]
"""Number of the run, state of recording when it ended, facts."""
TransferFacts: TypeAlias = tuple[str, float, float, int, int]
"""Source, start, stop, number of results, bytes."""
RecentTransfer: TypeAlias = tuple[int, TransferFacts]
"""Number of the transfer, facts."""
Kept = TypeVar("Kept", RecentRun, RecentTransfer)


class Run(NamedTuple):
    """A run of a task that has ended."""

    key: str
    thread: int
    begun: float
    loaded: float
    stop: float
    fetched: Sequence[tuple[str, float, float]]
    nbytes: int
    type_name: str
    error: str
    result_type: type | None

    def activities(self) -> list[tuple[pb.ActivityKind, float, float, str]]:
        """Return the run's activities in order of time: kind, start, stop, and the source of transferred data."""
        # Results that were received together share a transfer.
        transfers = dict.fromkeys(self.fetched)
        found = [(pb.ACTIVITY_KIND_TRANSFER, start, stop, source) for source, start, stop in transfers]
        begun = self.begun
        if self.loaded - begun >= _SHORTEST_LOAD:
            found.append((pb.ACTIVITY_KIND_DESERIALIZE, begun, self.loaded, ""))
            begun = self.loaded
        if self.stop > begun:
            found.append((pb.ACTIVITY_KIND_COMPUTE, begun, self.stop, ""))
        elif not found:
            found.append((pb.ACTIVITY_KIND_COMPUTE, self.begun, max(self.stop, self.begun), ""))
        return found

    def startstops(self) -> list[dict[str, Any]]:
        """Return the run's activities as users see them."""
        return [startstop(*each) for each in self.activities()]


class Recorder:
    """Records of a worker's runs and transfers. From any thread.

    Attributes
    ----------
    on : bool
        Whether somebody wants all records.
    runs : dict
        The latest runs by key, while plugins of the scheduler want the details of each run that ends.
    handing_over : asyncio.Lock
        Held while drained records are sent: no other caller may say meanwhile that there are no more records.
    """

    def __init__(self) -> None:
        self.on = False
        self.runs: dict[str, Run] = {}
        self.handing_over = asyncio.Lock()
        self._recording = self._details = 0
        self._runs: deque[Run] = deque()
        self._transfers: deque[TransferFacts] = deque()
        self._fetched: dict[str, tuple[str, float, float]] = {}
        self._dropped = 0
        self._recent_runs: deque[RecentRun] = deque(maxlen=RECENT_RUNS)
        self._recent_transfers: deque[RecentTransfer] = deque(maxlen=RECENT_TRANSFERS)
        # Unlike an attribute that is added to, these count right in several threads.
        self._run_numbers, self._transfer_numbers = count(), count()

    def follow(self, recording: int, details: int) -> None:
        """Start or stop recording as the scheduler wants; see `FlushRecordsRequest`."""
        self._recording = max(self._recording, recording)
        self._details = max(self._details, details)
        self.on = self._recording % 2 == 1 or self._details % 2 == 1

    def task(
        self,
        context: TaskContext | None,
        dependencies: Iterable[str],
        stop: float,
        nbytes: int = 0,
        type_name: str = "",
        error: str = "",
        result_type: type | None = None,
    ) -> None:
        """Record the end of a task."""
        if context is None:
            return
        fetched: Sequence[tuple[str, float, float]] = ()
        if dependencies and self._fetched:
            fetched = [found for key in dependencies if (found := self._fetched.pop(key, None)) is not None]
        loaded = context.loaded
        if not loaded:
            # Its arguments could not be loaded.
            loaded = stop if error else context.started
        facts = (context.key, context.thread, context.started, loaded, stop, fetched, nbytes, type_name, error)
        recording = self._recording
        self._recent_runs.append((next(self._run_numbers), recording, facts))
        if not self.on:
            return
        run = Run(*facts, result_type)
        if self._details % 2:
            if len(self.runs) > _PENDING:
                # The details of these runs were never asked for: the runs are no longer wanted.
                self.runs.clear()
            self.runs[context.key] = run
        if not recording % 2:
            return
        self._runs.append(run)
        if len(self._runs) > _PENDING:
            self._runs.popleft()
            self._dropped += 1

    def transfer(self, source: str, start: float, stop: float, sizes: dict[str, int]) -> None:
        """Record a transfer from another worker; `sizes` are the bytes of its results by key."""
        facts = (source, start, stop, len(sizes), sum(sizes.values()))
        self._recent_transfers.append((next(self._transfer_numbers), facts))
        if self._recording % 2:
            self._transfers.append(facts)
            if len(self._transfers) > _PENDING:
                self._transfers.popleft()
                self._dropped += 1
        if len(self._fetched) > _FETCHED:
            self._fetched.clear()
        for key in sizes:
            self._fetched[key] = (source, start, stop)

    @property
    def waits(self) -> bool:
        """Whether there are records to send."""
        return bool(self._runs or self._transfers)

    def drain(self) -> pb.RecordBatch:
        """Return the records that were not returned before, as far as they fit into one message.

        One caller at a time; see `handing_over`.
        """
        batch = pb.RecordBatch(dropped=self._dropped)
        self._dropped = 0
        for _ in range(min(len(self._runs), BATCH)):
            _fill(batch.tasks.add(), self._runs.popleft())
        for _ in range(min(len(self._transfers), BATCH)):
            _fill_transfer(batch.transfers.add(), self._transfers.popleft())
        return batch

    def recent(self, after: int, transfers_after: int, limit: int, untold_before: int) -> RecentRecords:
        """Return the latest records; see `ReadRecentRecordsRequest`. Nothing is taken away."""
        runs = _since(self._recent_runs, after)
        transfers = _since(self._recent_transfers, transfers_after)
        upcoming = runs[-1][0] + 1 if runs else after
        skipped = upcoming - after - len(runs) if after else 0
        if untold_before:
            runs = [kept for kept in runs if kept[1] % 2 == 0 or kept[1] < untold_before]
        chosen = _chosen(runs, limit, _run_time)
        skipped += len(runs) - len(chosen)
        found = RecentRecords(
            next=upcoming, next_transfer=transfers[-1][0] + 1 if transfers else transfers_after, skipped=skipped
        )
        for _, _, facts in chosen:
            _fill(found.records.tasks.add(), Run(*facts, None))
        for _, moved in _chosen(transfers, limit, _transfer_time):
            _fill_transfer(found.records.transfers.add(), moved)
        return found


def _since(kept: deque[Kept], number: int) -> list[Kept]:
    """Return the records with this number or a higher one. Threads add records meanwhile, so a copy is searched."""
    return list(takewhile(lambda each: each[0] >= number, reversed(kept.copy())))[::-1]


def _chosen(kept: list[Kept], limit: int, time_of: Callable[[Kept], float]) -> list[Kept]:
    """Return at most so many records: the latest half, and those of the rest that took longest, in order of time."""
    if len(kept) <= limit:
        return kept
    latest = len(kept) - (limit + 1) // 2
    longest = nlargest(limit // 2, kept[:latest], key=time_of)
    return sorted(longest, key=lambda each: each[0]) + kept[latest:]


def _run_time(kept: RecentRun) -> float:
    facts = kept[2]
    return facts[4] - facts[2]


def _transfer_time(kept: RecentTransfer) -> float:
    facts = kept[1]
    return facts[2] - facts[1]


def _fill_transfer(record: pb.TransferRecord, facts: TransferFacts) -> None:
    record.source, record.start, record.stop, record.keys, record.nbytes = facts


def _fill(record: pb.TaskRecord, run: Run) -> None:
    record.key = run.key
    record.thread = run.thread
    record.nbytes = run.nbytes
    record.type_name = run.type_name
    record.error = run.error
    fill_activities(record, run)


def fill_activities(record: pb.TaskRecord | RunDetails, run: Run) -> None:
    """Add the activities of a run to a message."""
    for kind, start, stop, source in run.activities():
        record.activities.add(kind=kind, start=start, stop=stop, source=source)
