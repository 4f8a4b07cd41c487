"""Records the runs of tasks and the transfers of their dependencies, while the scheduler asks for records."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dagrpc._common.task_activities import startstop
from dagrpc.v1 import records_pb2 as pb

if TYPE_CHECKING:
    from dagrpc.v1.worker_session_pb2 import RunDetails
    from dagrpc_worker.execute.task_context import TaskContext

BATCH = 20_000
"""Maximum number of records in one message."""
_PENDING = 100_000
"""Maximum number of records that wait to be sent."""
_FETCHED = 10_000
"""Maximum number of transfers remembered for the tasks that use the received results."""
_SHORTEST_LOAD = 0.001


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
        Whether records are wanted; to be checked before anything is recorded.
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
        self._transfers: deque[tuple[str, float, float, int, int]] = deque()
        self._fetched: dict[str, tuple[str, float, float]] = {}
        self._dropped = 0

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
        fetched = [found for key in dependencies if (found := self._fetched.pop(key, None)) is not None]
        loaded = context.loaded
        if not loaded:
            # The task began before recording was on, or its arguments could not be loaded.
            loaded = stop if error else context.started
        thread = context.thread
        run = Run(context.key, thread, context.started, loaded, stop, fetched, nbytes, type_name, error, result_type)
        if self._details % 2:
            if len(self.runs) > _PENDING:
                # The details of these runs were never asked for: the runs are no longer wanted.
                self.runs.clear()
            self.runs[context.key] = run
        if not self._recording % 2:
            return
        self._runs.append(run)
        if len(self._runs) > _PENDING:
            self._runs.popleft()
            self._dropped += 1

    def transfer(self, source: str, start: float, stop: float, sizes: dict[str, int]) -> None:
        """Record a transfer from another worker; `sizes` are the bytes of its results by key."""
        if self._recording % 2:
            self._transfers.append((source, start, stop, len(sizes), sum(sizes.values())))
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
            source, start, stop, keys, nbytes = self._transfers.popleft()
            batch.transfers.add(source=source, start=start, stop=stop, keys=keys, nbytes=nbytes)
        return batch


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
