"""The events that the worker's core handles, as data.

The core passes the opaque values ``work``, ``failure`` and ``payload`` on without looking into them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, TypeAlias

from dagrpc._common.cheap_dataclass import record


@record
class ComputeRequested:
    """The scheduler requests a task's run."""

    key: str
    run_id: int
    priority: tuple[float, ...]
    """The lowest runs first."""
    work: Any = None
    """The function and its arguments, opaque; returned in `instructions.Execute`."""
    dependencies: Sequence[tuple[str, int, tuple[str, ...]]] = ()
    """Key, size in bytes and holders' addresses of each result that the task uses."""
    resources: Mapping[str, float] = field(default_factory=dict)
    actor: bool = False
    executor: str = ""
    annotations: str = ""
    duration: float = -1.0
    """Seconds that the scheduler expects the task to take; negative: unknown."""
    timeout: float = 0.0
    """Seconds that the task may run; 0: no limit."""
    stimulus: str = ""


@record
class KeysFreed:
    """The scheduler no longer wants these results on this worker, nor these tasks run."""

    keys: Sequence[str]
    interrupt: bool = False
    """Whether running tasks among them are interrupted."""
    stimulus: str = ""
    discard: bool = False
    """Whether stored results, and those being computed, must not be used for later requests of the same keys."""


@record
class StealRequested:
    """The scheduler wants a task back unless it has begun."""

    key: str
    run_id: int
    stimulus: str = ""


@record
class ReplicasRequested:
    """The scheduler requests replicas on this worker."""

    data: Sequence[tuple[str, int, tuple[str, ...]]]
    """Key, size in bytes and holders of each."""
    stimulus: str = ""


@record
class ReplicasUnwanted:
    """The scheduler wants replicas dropped, unless a task of this worker needs them."""

    keys: Sequence[str]
    stimulus: str = ""


@record
class WhoHasRefreshed:
    """The scheduler names the present holders of results; there may be none."""

    data: Sequence[tuple[str, int, tuple[str, ...]]]
    stimulus: str = ""


@record
class SessionRenewed:
    """The worker has registered again after the scheduler had removed it: all earlier requests are void."""

    stimulus: str = ""


@record
class DataPut:
    """A client or a peer has put results into the store."""

    sizes: Mapping[str, int]
    """Size in bytes by key."""
    stimulus: str = ""


@record
class ExecuteSucceeded:
    """A task's function has returned, and its result is in the store."""

    key: str
    run_id: int
    nbytes: int
    type_name: str
    start: float
    stop: float
    payload: Any = None
    """The encoded result if it is small."""
    stimulus: str = ""


@record
class ExecuteFailed:
    """A task could not be run, or its function has raised."""

    key: str
    run_id: int
    failure: Any
    start: float = 0.0
    stop: float = 0.0
    stimulus: str = ""


@record
class ExecuteRescheduled:
    """A task has raised `Reschedule`."""

    key: str
    run_id: int
    stimulus: str = ""


@record
class ExecuteSkipped:
    """A cancelled task has ended without an outcome (see `instructions.CancelExecution`)."""

    key: str
    run_id: int
    stimulus: str = ""


@record
class ExecuteKept:
    """A thread has begun with a task that the scheduler wants back (see `instructions.Reclaim`)."""

    key: str
    run_id: int
    stimulus: str = ""


@record
class ExecuteStarted:
    """The function of a task with a timeout is being called."""

    key: str
    run_id: int
    start: float
    """When, in seconds since the epoch."""
    stimulus: str = ""


@record
class ExecuteInterrupted:
    """A running task was interrupted because of its timeout. It may take long to stop, or never stop."""

    key: str
    run_id: int
    stimulus: str = ""


@record
class DeadlineReached:
    """The delay of `instructions.WakeLater` is over."""

    stimulus: str = ""


@record
class TaskSeceded:
    """A running task has left its pool of threads: its place is free for another task."""

    key: str
    run_id: int
    duration: float
    stimulus: str = ""


@record
class GatherSucceeded:
    """A transfer from a peer has ended; the received results are in the store."""

    worker: str
    sizes: Mapping[str, int]
    """Sizes in bytes of the received results, by key."""
    missing: Sequence[str] = ()
    """Keys that the peer does not hold."""
    failed: Mapping[str, Any] = field(default_factory=dict)
    """Keys that could not be encoded by the peer or decoded by this worker, with the failure to report."""
    deferred: Sequence[str] = ()
    """Keys that the peer left out for now; they are fetched again."""
    stimulus: str = ""


@record
class GatherRefused:
    """A peer is too busy for a transfer."""

    worker: str
    keys: Sequence[str]
    stimulus: str = ""


@record
class GatherFailed:
    """A transfer from a peer failed, or the peer cannot be reached. Nothing was received."""

    worker: str
    keys: Sequence[str]
    gone: bool = False
    """Whether the peer's host refuses connections to its address: the process has ended."""
    stimulus: str = ""


@record
class PeerRetryDue:
    """The pause after a refused or failed transfer is over (see `instructions.RetryPeerLater`)."""

    worker: str
    stimulus: str = ""


@record
class Paused:
    """Memory is short: nothing new may begin."""

    stimulus: str = ""


@record
class Resumed:
    """Memory is no longer short."""

    stimulus: str = ""


@record
class Leaving:
    """The worker begins to retire: it gives back tasks that have not begun, and accepts no others."""

    stimulus: str = ""


@record
class ResourcesSet:
    """The amounts of some resources have changed."""

    resources: Mapping[str, float]
    stimulus: str = ""


@record
class ExecutorOffered:
    """There is an executor of this name, which runs `threads` tasks at once."""

    executor: str
    threads: int
    stimulus: str = ""


Event: TypeAlias = (
    ComputeRequested
    | KeysFreed
    | StealRequested
    | ReplicasRequested
    | ReplicasUnwanted
    | WhoHasRefreshed
    | SessionRenewed
    | DataPut
    | ExecuteSucceeded
    | ExecuteFailed
    | ExecuteRescheduled
    | ExecuteSkipped
    | ExecuteKept
    | ExecuteStarted
    | ExecuteInterrupted
    | DeadlineReached
    | TaskSeceded
    | GatherSucceeded
    | GatherRefused
    | GatherFailed
    | PeerRetryDue
    | Paused
    | Resumed
    | Leaving
    | ResourcesSet
    | ExecutorOffered
)
