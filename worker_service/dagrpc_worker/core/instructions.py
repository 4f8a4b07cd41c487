"""Everything that the worker's core may ask for, as data.

`Report*` go to the scheduler, in order. The others are carried out on the worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(slots=True)
class Execute:
    """Run a task: hand it to its pool of threads. Ends with one of the ``Execute*`` events of the same run.

    Tasks may be handed over a little ahead of the threads that will run them (see `Withdraw`), so that a thread
    that ends a very short task finds the next one without a turn of the event loop.
    """

    key: str
    run_id: int
    work: Any
    dependencies: Sequence[str]
    """Keys of the results that it uses; all are in the store."""
    actor: bool = False
    executor: str = ""
    annotations: str = ""


@dataclass(slots=True)
class Withdraw:
    """If no thread has taken up the task yet, do not run it: `ExecuteSkipped`. Otherwise let it run to its end."""

    key: str
    run_id: int


@dataclass(slots=True)
class GatherData:
    """Fetch results from a peer. Ends with one of the ``Gather*`` events for the same peer."""

    worker: str
    keys: Sequence[str]
    total_nbytes: int


@dataclass(slots=True)
class DropData:
    """Remove results from the store."""

    keys: Sequence[str]


@dataclass(slots=True)
class RetryPeerLater:
    """Send `PeerRetryDue` for a busy peer after `delay` seconds."""

    worker: str
    delay: float


@dataclass(slots=True)
class ReportFinished:
    """A task was run and its result is here."""

    key: str
    run_id: int
    nbytes: int
    type_name: str
    start: float
    stop: float
    payload: Any = None


@dataclass(slots=True)
class ReportErred:
    """A task failed."""

    key: str
    run_id: int
    failure: Any
    start: float
    stop: float


@dataclass(slots=True)
class ReportRescheduled:
    """A task asked to be run elsewhere or again."""

    key: str
    run_id: int


@dataclass(slots=True)
class ReportLongRunning:
    """A task left the pool of threads and goes on by itself."""

    key: str
    run_id: int
    duration: float


@dataclass(slots=True)
class ReportReplicasAdded:
    """Copies of results are here."""

    sizes: Mapping[str, int]


@dataclass(slots=True)
class ReportReplicasRemoved:
    """Copies are no longer here, or no longer for the scheduler to count on.

    Also said of copies that it had freed, if their announcement by `ReportReplicasAdded` may have crossed that order.
    """

    keys: Sequence[str]


@dataclass(slots=True)
class ReportDataMissing:
    """A result was not where the scheduler said."""

    key: str
    worker: str


@dataclass(slots=True)
class ReportStealAnswer:
    """The answer to a `StealRequested`: the state that the task was in."""

    key: str
    run_id: int
    state: str


Instruction: TypeAlias = (
    Execute
    | Withdraw
    | GatherData
    | DropData
    | RetryPeerLater
    | ReportFinished
    | ReportErred
    | ReportRescheduled
    | ReportLongRunning
    | ReportReplicasAdded
    | ReportReplicasRemoved
    | ReportDataMissing
    | ReportStealAnswer
)
