"""Everything that can happen to the scheduler, as data.

The core's state is a function of its events, their order and their times. Strings that name peers are worker addresses
(``host:port``) and client ids. Opaque values (``work``, ``failure``, ``payload``) are passed through without a look
inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from dagrpc._common.cheap_dataclass import record


@dataclass(slots=True, frozen=True)
class SpanName:
    """The spans around a task, the outermost first."""

    names: tuple[str, ...]
    ids: tuple[str, ...]
    """One id for each name; at least one."""


@dataclass(slots=True, frozen=True)
class TaskOptions:
    """How tasks are run. All tasks of a graph part with equal options share one object."""

    workers: tuple[str, ...] = ()
    """Addresses, names or host names of the workers that may run the task; empty: any."""
    allow_other_workers: bool = False
    """Whether other workers may run the task while none of `workers` is running."""
    resources: Mapping[str, float] = field(default_factory=dict)
    """Amounts of abstract resources that the task occupies while it runs."""
    retries: int = 0
    """How many times the task is run again after an exception."""
    priority: float = 0.0
    """Tasks with a higher priority run first."""
    actor: bool = False
    """Whether the result is an actor, which is pinned to its worker."""
    executor: str = ""
    """Name of the worker's executor; empty: the default one."""
    annotations: str = ""
    """Other annotations as a JSON object, passed through; empty: none."""
    span: SpanName | None = None
    """The span that the task was submitted in; it is also one of the annotations."""
    timeout: float = 0.0
    """Seconds that the task may run; 0: no limit."""
    function: str = ""
    """Name of the function that the task calls; empty: the task is code, which only workers that take code run."""
    advised: bool = False
    """Whether `workers` was derived from the location of the task's data, rather than given by a user."""


NO_OPTIONS = TaskOptions()


@dataclass(slots=True, frozen=True)
class Abilities:
    """The functions and the kinds of work that a worker can run."""

    functions: frozenset[str] | None = None
    """Names of the functions that it exports; None: it has not said so, and is taken to have every function."""
    patterns: tuple[str, ...] = ()
    """Shell patterns of further functions that it lets callers call."""
    takes_code: bool = True
    """Whether it runs tasks that are code; otherwise it only runs calls by name."""

    def has(self, function: str) -> bool:
        """Tell whether a function can be called by this name."""
        functions = self.functions
        if functions is None or function in functions:
            return True
        return any(fnmatchcase(function, pattern) for pattern in self.patterns)

    def can_run(self, options: TaskOptions) -> bool:
        """Tell whether tasks with these options are code that the worker takes, or a call that it knows."""
        return self.has(options.function) if options.function else self.takes_code


ALL_ABILITIES = Abilities()


@record
class NewTask:
    """A task as a client submits it."""

    key: str
    dependencies: Sequence[str] = ()
    work: Any = None
    """The code to run, opaque."""
    shared: tuple[bytes, ...] = ()
    """Digests of the shared blobs that `work` refers to."""
    options: TaskOptions = NO_OPTIONS
    order: int = 0
    """Position in the graph's order; lower runs first."""
    wanted: bool = False
    """Whether the submitting client wants the result."""


@record
class GraphSubmitted:
    """A part of a graph arrived, in topological order."""

    client: str
    graph_id: str
    tasks: Sequence[NewTask]
    last: bool = True
    shared: Mapping[bytes, bytes] = field(default_factory=dict)
    """Shared blobs of this part by digest; all others must be known already."""
    fifo_timeout: float = 0.0
    """Seconds within which submissions share a generation."""
    stimulus: str = ""
    has_spans: bool = False
    """Whether some of the tasks may be in a span."""
    submitter: str = ""
    """Key of the task that submits the graph while it runs; empty: none."""
    groups: Sequence[str] = ()
    """Groups of tasks in the whole graph, except for those whose names other graphs may share."""


@record
class SharedHeld:
    """A client will refer to these shared blobs until it releases them."""

    client: str
    shared: Mapping[bytes, bytes]


@record
class SharedReleased:
    """A client will not refer to these shared blobs again."""

    client: str
    digests: Sequence[bytes]


@record
class ClientAdded:
    """A client opened its session."""

    client: str


@record
class ClientRemoved:
    """A client is gone for good and wants nothing any more."""

    client: str
    stimulus: str = ""


@record
class KeysWanted:
    """A client wants results of existing tasks. Their state is reported at once; unknown keys are reported as
    cancelled.
    """

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
    interrupt: bool = False
    """Whether tasks that run are interrupted, as `force` does, too."""


@record
class KeysRetried:
    """A client asks for failed tasks to be run again, with the failed dependencies that made them fail."""

    client: str
    keys: Sequence[str]
    stimulus: str = ""


@record
class ScatterAnnounced:
    """A client will upload data to workers. The client counts as wanting the keys; their tasks have no work."""

    client: str
    sizes: Mapping[str, int]
    """Size in bytes by key."""
    stimulus: str = ""
    places: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Addresses of the target workers by key; a key is left out if its workers are unknown."""


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
    """Identifies a worker that reconnects after it was removed. Empty: the worker never does."""
    held: Sequence[tuple[str, int, int]] = ()
    """Results that a reconnecting worker holds: key, size in bytes, and the run that produced each; 0: a replica."""
    abilities: Abilities = ALL_ABILITIES


@record
class WorkerRemoved:
    """A worker is gone."""

    address: str
    expected: bool = False
    """Whether the worker left in good order, so that its tasks are not suspicious."""
    reason: str = ""
    stimulus: str = ""
    exit: Any = None
    """How the worker's process ended, opaque; None: unknown."""


@record
class WorkerExplained:
    """The reason became known why a worker was lost that has been removed already."""

    address: str
    reason: str
    stimulus: str = ""


@record
class WorkerDisconnected:
    """A worker's connection broke. It may reconnect and continue; until then it is given nothing new."""

    address: str
    stimulus: str = ""


@record
class WorkerResumed:
    """A disconnected worker has reconnected and continues where it was."""

    address: str
    stimulus: str = ""


@record
class WorkerStatusChanged:
    """The status of a worker changed."""

    address: str
    status: str
    """``running``, ``paused``, ``retiring`` or ``closing``; of a disconnected worker: its status on return."""
    stimulus: str = ""


@record
class WorkerResourcesChanged:
    """A worker offers other amounts of resources. Tasks that are assigned to it stay there."""

    address: str
    resources: Mapping[str, float]
    stimulus: str = ""


@record
class WorkerAbilitiesChanged:
    """A worker exports other functions. Tasks that are assigned to it stay there."""

    address: str
    abilities: Abilities
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
    """The encoded result if it is small; opaque, passed on to the clients that want it and not kept."""
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
    """A task asked to be rescheduled, on this worker or another one."""

    worker: str
    key: str
    run_id: int
    stimulus: str = ""


@record
class TaskLongRunning:
    """A task left its worker's thread pool and no longer occupies the worker."""

    worker: str
    key: str
    run_id: int
    duration: float
    stimulus: str = ""


@record
class StealAnswered:
    """A worker answers a `RequestSteal`."""

    worker: str
    key: str
    run_id: int
    state: str
    """The task's state on the worker, which gave the task back unless the task had been started."""
    stimulus: str = ""


@record
class ReplicasAdded:
    """A worker holds replicas of results, which it fetched or a client uploaded."""

    worker: str
    sizes: Mapping[str, int]
    """Size in bytes by key."""
    stimulus: str = ""
    kept: bool = False
    """Whether the worker refuses a `RemoveReplicas` because its tasks need the results."""


@record
class ReplicasRemoved:
    """A worker no longer holds results: it lost them, or dropped them as told."""

    worker: str
    keys: Sequence[str]
    stimulus: str = ""


@record
class DataMissing:
    """A worker could not fetch a result from a peer that was listed as a holder."""

    worker: str
    key: str
    holder: str
    """Address of the peer that lacks the result or cannot be reached."""
    stimulus: str = ""


@record
class ReplicasPlanned:
    """A plan says which workers get replicas of results, and which drop theirs.

    The plan may be out of date: steps that would lose a result, or take it from a task that is about to use it, are
    skipped.
    """

    gains: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Keys by the address of the worker that fetches them."""
    drops: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Keys by the address of the worker that drops them."""
    stimulus: str = ""


@record
class ResultsDiscarded:
    """Results became useless, whether in memory or being computed; those that are needed are computed again."""

    keys: Sequence[str]
    stimulus: str = ""


@record
class PlacesAdvised:
    """Tasks should run on certain workers, unless users have restricted them."""

    places: Mapping[str, str]
    """Address of a worker by key."""
    stimulus: str = ""


@record
class RestartRequested:
    """All tasks are forgotten; the keys that clients want are cancelled with reason ``scheduler-restart``."""

    stimulus: str = ""


@record
class BalanceDue:
    """The interval has passed after which idle workers look for tasks of busy ones."""

    stimulus: str = ""


@record
class TimePassed:
    """Time has passed; time-outs may be due."""


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
    | WorkerAbilitiesChanged
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
