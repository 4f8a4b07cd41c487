"""Everything that the worker's core may ask for, as data.

`Report*` go to the scheduler, in order. The others are carried out on the worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from dagrpc._common.cheap_dataclass import record


@record
class Execute:
    """Run a task: hand it to its pool of threads. Ends with one of the ``Execute*`` events of the same run.

    Tasks may be handed over a little ahead of the threads that will run them (see `CancelExecution`), so that a thread
    that ends a very short task finds the next one without a turn of the event loop.
    """

    key: str
    run_id: int
    work: Any
    dependencies: Sequence[str] = ()
    """Keys of the results that it uses; all are in the store."""
    actor: bool = False
    executor: str = ""
    annotations: str = ""
    timeout: float = 0.0
    """Seconds that it may run; if there is a limit, `ExecuteStarted` is to come when its function is called."""


@record
class CancelExecution:
    """If no thread has taken up the task yet, do not run it: `ExecuteSkipped`. Otherwise let it run to its end."""

    key: str
    run_id: int


@record
class Reclaim:
    """If no thread has taken up the task yet, do not run it: `ExecuteSkipped`. Otherwise tell so: `ExecuteKept`."""

    key: str
    run_id: int


@record
class Interrupt:
    """Break a running task off, as far as that can be done. It still ends with one of the ``Execute*`` events."""

    key: str
    run_id: int
    limit: float = 0.0
    """Seconds that it was allowed: it fails with a `TaskTimeout`, and `ExecuteInterrupted` tells that it was told. 0:
    nobody wants it any more, and `ExecuteSkipped` ends it."""


@record
class DetachThread:
    """A task that was broken off goes on: its run has failed, and what it comes to does not matter any more."""

    key: str
    run_id: int
    replace: bool
    """Whether another thread is to take the place of the one that it occupies."""


@record
class WakeLater:
    """Send `DeadlineReached` after `delay` seconds. Replaces what was asked for before."""

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
    """Send `PeerRetryDue` for a busy peer after `delay` seconds."""

    worker: str
    delay: float


@record
class ReportFinished:
    """A task was run and its result is here."""

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
    """A task failed: it ran longer than it may, and could not be broken off."""

    key: str
    run_id: int
    limit: float
    worker: str
    start: float
    stop: float


@record
class ReportRescheduled:
    """A task asked to be run elsewhere or again."""

    key: str
    run_id: int


@record
class ReportLongRunning:
    """A task left the pool of threads and goes on by itself."""

    key: str
    run_id: int
    duration: float


@record
class ReportReplicasAdded:
    """Copies of results are here."""

    sizes: Mapping[str, int]
    kept: bool = False
    """Whether they were to be dropped, and are not."""


@record
class ReportReplicasRemoved:
    """Copies are no longer here, or no longer for the scheduler to count on.

    Also said of copies that it had freed, if their announcement by `ReportReplicasAdded` may have crossed that order.
    """

    keys: Sequence[str]


@record
class ReportDataMissing:
    """A result was not where the scheduler said."""

    key: str
    worker: str


@record
class ReportStealAnswer:
    """The answer to a `StealRequested`: the state that the task was in."""

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
