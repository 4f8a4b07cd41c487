"""Notes which tasks ran when and what was fetched for them, while somebody wants to know."""

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
"""Most records of one message."""
_PENDING = 100_000
"""Most records that wait to be told."""
_FETCHED = 10_000
"""Transfers that are remembered for the tasks that use what they brought."""
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
        """Return what was done for it, in order of time: what, from when to when, and where data came from."""
        # Results that came together share a transfer.
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
        """Return the same as users see it."""
        return [startstop(*each) for each in self.activities()]


class Recorder:
    """What a worker's tasks and transfers did. May be told from any thread.

    Attributes
    ----------
    on : bool
        Whether somebody wants to know. To be looked at before it is told anything.
    runs : dict
        The last runs by key, while plugins of the scheduler want to know more of each when it has ended.
    handing_over : asyncio.Lock
        Held by whoever drains it until what was drained has arrived: nobody says meanwhile that there is no more.
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
        """Begin or end to note things as the scheduler wants it; see `FlushRecordsRequest`."""
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
        """Note that a task has ended."""
        if context is None:
            return
        fetched = [found for key in dependencies if (found := self._fetched.pop(key, None)) is not None]
        loaded = context.loaded
        if not loaded:
            # It began before anything was noted, or its arguments could not be had.
            loaded = stop if error else context.started
        thread = context.thread
        run = Run(context.key, thread, context.started, loaded, stop, fetched, nbytes, type_name, error, result_type)
        if self._details % 2:
            if len(self.runs) > _PENDING:
                # Nobody takes them: they are of runs that nobody wants any more.
                self.runs.clear()
            self.runs[context.key] = run
        if not self._recording % 2:
            return
        self._runs.append(run)
        if len(self._runs) > _PENDING:
            self._runs.popleft()
            self._dropped += 1

    def transfer(self, source: str, start: float, stop: float, sizes: dict[str, int]) -> None:
        """Note that results came from another worker: their sizes in bytes by key."""
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
        """Whether there is something to tell."""
        return bool(self._runs or self._transfers)

    def drain(self) -> pb.RecordBatch:
        """Return what was noted and not returned before, as far as it fits into one message.

        By one at a time; see `handing_over`.
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
    """Tell what was done for a run."""
    for kind, start, stop, source in run.activities():
        record.activities.add(kind=kind, start=start, stop=stop, source=source)
