"""Notes which tasks ran when and what was fetched for them, while somebody wants to know."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from dagrpc.v1 import records_pb2 as pb

if TYPE_CHECKING:
    from dagrpc_worker.execute.context import TaskContext

BATCH = 20_000
"""Most records of one message."""
_PENDING = 100_000
"""Most records that wait to be told."""
_FETCHED = 10_000
"""Transfers that are remembered for the tasks that use what they brought."""
_SHORTEST_LOAD = 0.001


class _Run(NamedTuple):
    key: str
    thread: int
    begun: float
    loaded: float
    stop: float
    fetched: Sequence[tuple[str, float, float]]
    nbytes: int
    type_name: str
    error: str


class Recorder:
    """What a worker's tasks and transfers did. May be told from any thread.

    Attributes
    ----------
    on : bool
        Whether somebody wants to know. To be looked at before it is told anything.
    handing_over : asyncio.Lock
        Held by whoever drains it until what was drained has arrived: nobody says meanwhile that there is no more.
    """

    def __init__(self) -> None:
        self.on = False
        self.handing_over = asyncio.Lock()
        self._changes = 0
        self._runs: deque[_Run] = deque()
        self._transfers: deque[tuple[str, float, float, int, int]] = deque()
        self._fetched: dict[str, tuple[str, float, float]] = {}
        self._dropped = 0

    def follow(self, recording: int) -> None:
        """Begin or end to note things as the scheduler wants it; see `FlushRecordsRequest.recording`."""
        if recording > self._changes:
            self._changes = recording
            self.on = recording % 2 == 1

    def task(
        self,
        context: TaskContext | None,
        dependencies: Iterable[str],
        stop: float,
        nbytes: int = 0,
        type_name: str = "",
        error: str = "",
    ) -> None:
        """Note that a task has ended."""
        if context is None:
            return
        fetched = [found for key in dependencies if (found := self._fetched.pop(key, None)) is not None]
        loaded = context.loaded
        if not loaded:
            # It began before anything was noted, or its arguments could not be had.
            loaded = stop if error else context.started
        self._runs.append(
            _Run(context.key, context.thread, context.started, loaded, stop, fetched, nbytes, type_name, error)
        )
        if len(self._runs) > _PENDING:
            self._runs.popleft()
            self._dropped += 1

    def transfer(self, source: str, start: float, stop: float, sizes: dict[str, int]) -> None:
        """Note that results came from another worker: their sizes in bytes by key."""
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


def _fill(record: pb.TaskRecord, run: _Run) -> None:
    record.key = run.key
    record.thread = run.thread
    record.nbytes = run.nbytes
    record.type_name = run.type_name
    record.error = run.error
    add = record.activities.add
    # Results that came together share a transfer.
    for source, start, stop in dict.fromkeys(run.fetched):
        add(kind=pb.ACTIVITY_KIND_TRANSFER, start=start, stop=stop, source=source)
    begun = run.begun
    if run.loaded - begun >= _SHORTEST_LOAD:
        add(kind=pb.ACTIVITY_KIND_DESERIALIZE, start=begun, stop=run.loaded)
        begun = run.loaded
    if run.stop > begun:
        add(kind=pb.ACTIVITY_KIND_COMPUTE, start=begun, stop=run.stop)
    elif not record.activities:
        add(kind=pb.ACTIVITY_KIND_COMPUTE, start=run.begun, stop=max(run.stop, run.begun))
