"""Everything that can happen to a worker, as data.

Opaque values (``work``, ``failure``, ``payload``) are passed through and never looked into.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, TypeAlias

from dagrpc._common.cheap_dataclass import record


@record
class ComputeRequested:
    """The scheduler wants a task run."""

    key: str
    run_id: int
    priority: tuple[float, ...]
    """Lower runs first."""
    work: Any = None
    """What to run, opaque; handed back in `instructions.Execute`."""
    dependencies: Sequence[tuple[str, int, tuple[str, ...]]] = ()
    """Key, size in bytes and holders (addresses) of each result that the task uses."""
    resources: Mapping[str, float] = field(default_factory=dict)
    actor: bool = False
    executor: str = ""
    annotations: str = ""
    duration: float = -1.0
    """Seconds that the scheduler expects it to take; negative: unknown."""
    timeout: float = 0.0
    """Seconds that it may run; 0: no limit."""
    stimulus: str = ""


@record
class KeysFreed:
    """The scheduler has no more use here for results, or for tasks that were not started."""

    keys: Sequence[str]
    interrupt: bool = False
    """Whether tasks among them that run are to be broken off."""
    stimulus: str = ""
    discard: bool = False
    """Whether what is here of their results, or is being computed, is not to be taken for later ones."""


@record
class StealRequested:
    """The scheduler wants a task back if it was not started."""

    key: str
    run_id: int
    stimulus: str = ""


@record
class ReplicasRequested:
    """The scheduler wants copies of results here."""

    data: Sequence[tuple[str, int, tuple[str, ...]]]
    """Key, size in bytes and holders of each."""
    stimulus: str = ""


@record
class ReplicasUnwanted:
    """The scheduler wants copies dropped, unless a task here needs them."""

    keys: Sequence[str]
    stimulus: str = ""


@record
class WhoHasRefreshed:
    """The scheduler says who holds results now; no holders: nobody at the moment."""

    data: Sequence[tuple[str, int, tuple[str, ...]]]
    stimulus: str = ""


@record
class SessionRenewed:
    """The scheduler has given the worker up, and takes it anew: of what it asked for before, nothing is wanted."""

    stimulus: str = ""


@record
class DataPut:
    """Somebody put data here."""

    sizes: Mapping[str, int]
    """Size in bytes by key."""
    stimulus: str = ""


@record
class ExecuteSucceeded:
    """A task's function returned, and its result is in the store."""

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
    """A task could not be run, or its function raised."""

    key: str
    run_id: int
    failure: Any
    start: float = 0.0
    stop: float = 0.0
    stimulus: str = ""


@record
class ExecuteRescheduled:
    """A task asked to be run elsewhere or again."""

    key: str
    run_id: int
    stimulus: str = ""


@record
class ExecuteSkipped:
    """A task was dropped before a thread took it up: nothing of it ran (see `instructions.CancelExecution`)."""

    key: str
    run_id: int
    stimulus: str = ""


@record
class ExecuteKept:
    """A task that was reclaimed has been taken up by a thread, or has ended (see `instructions.Reclaim`)."""

    key: str
    run_id: int
    stimulus: str = ""


@record
class ExecuteStarted:
    """The function of a task whose time is limited is being called."""

    key: str
    run_id: int
    start: float
    """When, in seconds since the epoch."""
    stimulus: str = ""


@record
class ExecuteInterrupted:
    """A running task whose time is up was told to stop. It may take its time, or never do it."""

    key: str
    run_id: int
    stimulus: str = ""


@record
class DeadlineReached:
    """The time for which `instructions.WakeLater` asked has come."""

    stimulus: str = ""


@record
class TaskSeceded:
    """A running task left its pool of threads: its place is free for another."""

    key: str
    run_id: int
    duration: float
    stimulus: str = ""


@record
class GatherSucceeded:
    """A transfer from a peer ended; what came is in the store."""

    worker: str
    sizes: Mapping[str, int]
    """Size in bytes by key of what came."""
    missing: Sequence[str] = ()
    """Keys that the peer does not hold."""
    failed: Mapping[str, Any] = field(default_factory=dict)
    """Keys that the peer cannot encode or that could not be decoded here, with the failure to report."""
    deferred: Sequence[str] = ()
    """Keys that the peer left out for now: to be asked for again."""
    stimulus: str = ""


@record
class GatherRefused:
    """A peer is too busy for a transfer."""

    worker: str
    keys: Sequence[str]
    stimulus: str = ""


@record
class GatherFailed:
    """A transfer from a peer broke, or the peer cannot be reached. Nothing of it was kept."""

    worker: str
    keys: Sequence[str]
    gone: bool = False
    """Whether the peer's host says that nobody listens at its address: the process has ended."""
    stimulus: str = ""


@record
class PeerRetryDue:
    """The pause after a peer was too busy is over (see `instructions.RetryPeerLater`)."""

    worker: str
    stimulus: str = ""


@record
class Paused:
    """Memory is short: start nothing new."""

    stimulus: str = ""


@record
class Resumed:
    """There is memory again."""

    stimulus: str = ""


@record
class Leaving:
    """The worker is about to leave: what has not begun is given back, and nothing more is taken."""

    stimulus: str = ""


@record
class ResourcesSet:
    """The worker offers other amounts of some resources."""

    resources: Mapping[str, float]
    stimulus: str = ""


@record
class ExecutorOffered:
    """Tasks may ask for an executor of this name, which runs so many of them at once."""

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
