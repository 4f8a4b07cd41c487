"""The instructions of the worker's core, as data.

The worker sends `Report*` to the scheduler, in order, and carries out the others itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from dagrpc._common.cheap_dataclass import record


@record
class Execute:
    """Hand a task to its pool of threads. Ends with one of the ``Execute*`` events of the same run.

    A short task may be handed over before a thread is free, so that a thread that ends one short task takes the next
    without a turn of the event loop.
    """

    key: str
    run_id: int
    work: Any
    dependencies: Sequence[str] = ()
    """Keys of the results that the task uses; all are in the store."""
    actor: bool = False
    executor: str = ""
    annotations: str = ""
    timeout: float = 0.0
    """Seconds that the task may run; 0: no limit. With a limit, `ExecuteStarted` is expected at its function's call."""


@record
class CancelExecution:
    """Do not run a task, unless a thread has begun with it. A task that was not run ends with `ExecuteSkipped`."""

    key: str
    run_id: int


@record
class Reclaim:
    """Give a task back unless a thread has begun with it: answered by `ExecuteSkipped` or by `ExecuteKept`."""

    key: str
    run_id: int


@record
class Interrupt:
    """Interrupt a running task, as far as Python allows. It still ends with one of the ``Execute*`` events."""

    key: str
    run_id: int
    limit: float = 0.0
    """The timeout that the task has exceeded, in seconds: `ExecuteInterrupted` follows, and the task fails with a
    `TaskTimeout`. 0: the task was cancelled, and ends with `ExecuteSkipped`."""


@record
class DetachThread:
    """A timed-out task has not stopped: its run has failed, and its outcome is ignored."""

    key: str
    run_id: int
    replace: bool
    """Whether a new thread takes the place of the task's thread."""


@record
class WakeLater:
    """Feed `DeadlineReached` after `delay` seconds. Replaces the previous request."""

    delay: float


@record
class GatherData:
    """Fetch results from a peer. Ends with one of the ``Gather*`` events for the same peer."""

    worker: str
    keys: Sequence[str]
    total_nbytes: int


@record
class DropData:
    """Remove results from the store."""

    keys: Sequence[str]


@record
class RetryPeerLater:
    """Feed `PeerRetryDue` for a busy peer after `delay` seconds."""

    worker: str
    delay: float


@record
class ReportFinished:
    """A task has run, and its result is in the store."""

    key: str
    run_id: int
    nbytes: int
    type_name: str
    start: float
    stop: float
    payload: Any = None


@record
class ReportErred:
    """A task failed."""

    key: str
    run_id: int
    failure: Any
    start: float
    stop: float


@record
class ReportTimedOut:
    """A task failed: it exceeded its timeout and did not stop when it was interrupted."""

    key: str
    run_id: int
    limit: float
    worker: str
    start: float
    stop: float


@record
class ReportRescheduled:
    """A task raised `Reschedule`, or is given back: the scheduler runs it on any worker."""

    key: str
    run_id: int


@record
class ReportLongRunning:
    """A running task has left its pool of threads."""

    key: str
    run_id: int
    duration: float


@record
class ReportReplicasAdded:
    """Replicas of results are in the store."""

    sizes: Mapping[str, int]
    kept: bool = False
    """Whether the scheduler asked for the replicas to be dropped, and the worker still uses them."""


@record
class ReportReplicasRemoved:
    """The scheduler must not count on these replicas any more.

    Replicas that the scheduler has freed are reported as well if their `ReportReplicasAdded` may have crossed its
    message.
    """

    keys: Sequence[str]


@record
class ReportDataMissing:
    """A peer does not hold a result that the scheduler says it holds."""

    key: str
    worker: str


@record
class ReportStealAnswer:
    """The answer to `StealRequested`: the state of the task when the request came."""

    key: str
    run_id: int
    state: str


Instruction: TypeAlias = (
    Execute
    | CancelExecution
    | Reclaim
    | Interrupt
    | DetachThread
    | WakeLater
    | GatherData
    | DropData
    | RetryPeerLater
    | ReportFinished
    | ReportErred
    | ReportTimedOut
    | ReportRescheduled
    | ReportLongRunning
    | ReportReplicasAdded
    | ReportReplicasRemoved
    | ReportDataMissing
    | ReportStealAnswer
)
