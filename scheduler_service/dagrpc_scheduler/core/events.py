"""Everything that can happen to the scheduler, as data.

The core's state is a function of the events that it was given, in their order, with the times at which they were
given. Strings that name peers are addresses of workers (``host:port``) and ids of clients. Opaque values (``work``,
``failure``, ``payload``) are passed through and never looked into.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from dagrpc._common.cheap_dataclass import record


@dataclass(slots=True, frozen=True)
class SpanName:
    """The spans around a task, the outermost first."""

    names: tuple[str, ...]
    ids: tuple[str, ...]
    """As many as there are names; at least one."""


@dataclass(slots=True, frozen=True)
class TaskOptions:
    """How tasks are to be run. One object serves all tasks of a graph part whose options are equal."""

    workers: tuple[str, ...] = ()
    """Addresses, names or host names of the workers that may run the task; empty: any."""
    allow_other_workers: bool = False
    """Whether others may run it while none of `workers` is there."""
    resources: Mapping[str, float] = field(default_factory=dict)
    """Amounts of abstract resources that it occupies while it runs."""
    retries: int = 0
    """How many times to run it again after an exception."""
    priority: float = 0.0
    """Higher runs first."""
    actor: bool = False
    """Whether the result is an actor, pinned to its worker."""
    executor: str = ""
    """Name of the worker's thread pool; empty: the default one."""
    annotations: str = ""
    """Other annotations, a JSON object, passed through; empty: none."""
    span: SpanName | None = None
    """The span that it was submitted in, which is one of those annotations, too."""
    timeout: float = 0.0
    """Seconds that the task may run; 0: no limit."""
    advised: bool = False
    """Whether `workers` is where the task's data is, rather than a user's wish."""


NO_OPTIONS = TaskOptions()


@record
class NewTask:
    """A task as a client submits it."""

    key: str
    dependencies: Sequence[str] = ()
    work: Any = None
    """What to run, opaque."""
    shared: tuple[bytes, ...] = ()
    """Digests of the shared values that the work refers to."""
    options: TaskOptions = NO_OPTIONS
    order: int = 0
    """Place in the graph's order; lower runs first."""
    wanted: bool = False
    """Whether the submitting client wants the result."""


@record
class GraphSubmitted:
    """A part of a graph came, in topological order."""

    client: str
    graph_id: str
    tasks: Sequence[NewTask]
    last: bool = True
    shared: Mapping[bytes, bytes] = field(default_factory=dict)
    """Shared values that the part brings, by digest. Others must be known already."""
    fifo_timeout: float = 0.0
    """Seconds within which submissions share a generation."""
    stimulus: str = ""
    has_spans: bool = False
    """Whether some of the tasks may be in a span."""
    submitter: str = ""
    """The task that submits the graph while it runs; empty: none."""
    groups: Sequence[str] = ()
    """Groups of tasks that the whole graph has, as far as their names are not those of other graphs, too."""


@record
class SharedHeld:
    """A client will refer to these shared values until it releases them."""

    client: str
    shared: Mapping[bytes, bytes]


@record
class SharedReleased:
    """A client will not refer to these shared values again."""

    client: str
    digests: Sequence[bytes]


@record
class ClientAdded:
    """A client opened its session."""

    client: str


@record
class ClientRemoved:
    """A client is gone for good: it wants nothing any more."""

    client: str
    stimulus: str = ""


@record
class KeysWanted:
    """A client wants results of existing tasks. Their state is reported at once; unknown keys as cancelled."""

    client: str
    keys: Sequence[str]
    stimulus: str = ""


@record
class KeysReleased:
    """A client no longer wants results."""

    client: str
    keys: Sequence[str]
    stimulus: str = ""


@record
class KeysCancelled:
    """A client cancels tasks; their dependents are cancelled with reason ``lost dependencies``."""

    client: str
    keys: Sequence[str]
    force: bool = False
    reason: str = "unknown"
    message: str = ""
    stimulus: str = ""


@record
class KeysRetried:
    """A client asks for failed tasks to be run again, with the failed dependencies that made them fail."""

    client: str
    keys: Sequence[str]
    stimulus: str = ""


@record
class ScatterAnnounced:
    """A client will put data on workers. The keys count as wanted by the client; they have no work."""

    client: str
    sizes: Mapping[str, int]
    """Size in bytes by key."""
    stimulus: str = ""
    places: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Addresses of the workers on which it is to be put, by key; keys are left out where that is not known."""


@record
class WorkerAdded:
    """A worker opened its session."""

    address: str
    name: str
    nthreads: int
    host: str = ""
    memory_limit: int = 0
    """In bytes; 0: none."""
    resources: Mapping[str, float] = field(default_factory=dict)
    nanny: str = ""
    stimulus: str = ""
    identity: bytes = b""
    """The same for a worker that comes back after it was removed. Empty: it never does."""
    held: Sequence[tuple[str, int, int]] = ()
    """What it holds that comes back: key, size in bytes, and the run that made it there; 0: a copy."""


@record
class WorkerRemoved:
    """A worker is gone."""

    address: str
    expected: bool = False
    """True if it left in good order: the tasks that it ran are not to blame."""
    reason: str = ""
    stimulus: str = ""
    exit: Any = None
    """How its process ended, opaque; None: not known."""


@record
class WorkerExplained:
    """How the process of a worker ended that was removed before that was known."""

    address: str
    reason: str
    stimulus: str = ""


@record
class WorkerDisconnected:
    """A worker's connection broke. It may come back and go on with what it has; until then it is given nothing new."""

    address: str
    stimulus: str = ""


@record
class WorkerResumed:
    """A worker whose connection broke is back, and goes on where it was."""

    address: str
    stimulus: str = ""


@record
class WorkerStatusChanged:
    """A worker can do more, or less, than before."""

    address: str
    status: str
    """``running``, ``paused``, ``retiring`` or ``closing``; while it is disconnected: the one that it returns to."""
    stimulus: str = ""


@record
class WorkerResourcesChanged:
    """A worker offers other amounts of resources. Tasks that it was given stay there."""

    address: str
    resources: Mapping[str, float]
    stimulus: str = ""


@record
class TaskFinished:
    """A worker ran a task and holds its result."""

    worker: str
    key: str
    run_id: int
    nbytes: int
    type_name: str
    start: float
    stop: float
    payload: Any = None
    """The encoded result if it is small, opaque, passed on to the clients that want it and not kept."""
    stimulus: str = ""


@record
class TaskErred:
    """A task failed on a worker."""

    worker: str
    key: str
    run_id: int
    failure: Any
    start: float = 0.0
    stop: float = 0.0
    stimulus: str = ""


@record
class TaskRescheduled:
    """A task asked to be run again, here or elsewhere."""

    worker: str
    key: str
    run_id: int
    stimulus: str = ""


@record
class TaskLongRunning:
    """A task left its worker's pool of threads: it no longer occupies the worker."""

    worker: str
    key: str
    run_id: int
    duration: float
    stimulus: str = ""


@record
class StealAnswered:
    """A worker answers an `RequestSteal`."""

    worker: str
    key: str
    run_id: int
    state: str
    """What the task's state was there: it was given up unless it had been started."""
    stimulus: str = ""


@record
class ReplicasAdded:
    """A worker holds copies of results (fetched, or put there by a client)."""

    worker: str
    sizes: Mapping[str, int]
    """Size in bytes by key."""
    stimulus: str = ""
    kept: bool = False
    """Whether that is the answer to a `RemoveReplicas`: its tasks need them."""


@record
class ReplicasRemoved:
    """A worker lost, or dropped by itself, copies of results."""

    worker: str
    keys: Sequence[str]
    stimulus: str = ""


@record
class DataMissing:
    """A worker did not find a result at a peer that was said to hold it."""

    worker: str
    key: str
    holder: str
    """The peer that does not have it, or cannot be reached."""
    stimulus: str = ""


@record
class ReplicasPlanned:
    """Somebody has decided which workers are to get copies of results, and which are to drop theirs.

    What was decided may be out of date: what would lose a result, or takes it from a task that is about to use it, is
    not done.
    """

    gains: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Keys by the address of the worker that is to fetch them."""
    drops: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Keys by the address of the worker that is to drop them."""
    stimulus: str = ""


@record
class ResultsDiscarded:
    """Results are of no use any more, in memory or in the making: those that are needed are computed again."""

    keys: Sequence[str]
    stimulus: str = ""


@record
class PlacesAdvised:
    """Tasks had best run on certain workers, unless users have said where."""

    places: Mapping[str, str]
    """Address of a worker by key."""
    stimulus: str = ""


@record
class RestartRequested:
    """All tasks are to be forgotten; what clients wanted is cancelled with reason ``scheduler-restart``."""

    stimulus: str = ""


@record
class BalanceDue:
    """It is time to look whether idle workers could help busy ones."""

    stimulus: str = ""


@record
class TimePassed:
    """Nothing happened; time-outs may be due."""


Event: TypeAlias = (
    GraphSubmitted
    | SharedHeld
    | SharedReleased
    | ClientAdded
    | ClientRemoved
    | KeysWanted
    | KeysReleased
    | KeysCancelled
    | KeysRetried
    | ScatterAnnounced
    | WorkerAdded
    | WorkerRemoved
    | WorkerExplained
    | WorkerDisconnected
    | WorkerResumed
    | WorkerStatusChanged
    | WorkerResourcesChanged
    | TaskFinished
    | TaskErred
    | TaskRescheduled
    | TaskLongRunning
    | StealAnswered
    | ReplicasAdded
    | ReplicasRemoved
    | DataMissing
    | ReplicasPlanned
    | ResultsDiscarded
    | PlacesAdvised
    | RestartRequested
    | BalanceDue
    | TimePassed
)
