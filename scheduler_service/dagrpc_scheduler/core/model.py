"""The records of the scheduler: tasks with their groups and prefixes, workers, clients, and graphs in transit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from dagrpc._common.histogram import Histogram
from dagrpc_scheduler.core.events import ALL_ABILITIES, Abilities, TaskOptions

StateName: TypeAlias = Literal[
    "released", "waiting", "no-worker", "queued", "processing", "memory", "erred", "forgotten"
]

RELEASED: Final = "released"
"""The task is known, but nobody needs its result at the moment."""
WAITING: Final = "waiting"
"""The task waits for its dependencies, or (scattered data) for the client that uploads it."""
NO_WORKER: Final = "no-worker"
"""The task is ready, but no running worker may run it."""
QUEUED: Final = "queued"
"""The task is ready and waits on the scheduler for a free slot on a worker."""
PROCESSING: Final = "processing"
"""The task is assigned to a worker."""
MEMORY: Final = "memory"
"""At least one worker holds the result."""
ERRED: Final = "erred"
"""The task failed, or a dependency of it failed."""
FORGOTTEN: Final = "forgotten"
"""The task was removed; only stale references show this state."""

STATES: Final[tuple[StateName, ...]] = (
    RELEASED,
    WAITING,
    NO_WORKER,
    QUEUED,
    PROCESSING,
    MEMORY,
    ERRED,
    FORGOTTEN,
)
ACTIVE: Final = frozenset({WAITING, NO_WORKER, QUEUED, PROCESSING})
"""States of a task that will be computed and therefore needs its dependencies."""

RUNNING: Final = "running"
"""The only worker status in which a worker is given tasks."""
PAUSED: Final = "paused"
"""The status of a worker that is short of memory and starts none of its tasks."""
DISCONNECTED: Final = "disconnected"
"""The status of a worker whose connection broke and that may reconnect."""
STAYING: Final = frozenset({RUNNING, PAUSED})
"""Statuses of workers that will keep the results they hold."""

NO_LIMIT: Final = 2**62
"""Larger than any number of tasks."""

SECONDS: Final = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 300.0, 3600.0)
"""Upper bounds of the classes of durations and waits of tasks."""

Priority: TypeAlias = tuple[float, ...]


@dataclass(slots=True)
class ErrorRecord:
    """The reason why tasks are in error; all tasks that failed for the same reason share one record."""

    failure: Any
    """The failure as a worker reported it, or a `CoreFailure`."""
    origin_key: str
    """Key of the task that failed first."""


class ErredTask(NamedTuple):
    """A task that failed itself, as it was then."""

    key: str
    time: float
    """When it failed, in seconds since the epoch."""
    failure: Any
    """See `ErrorRecord.failure`."""


class TaskPrefix:
    """Averages over all tasks that do the same kind of work."""

    __slots__ = (
        "compute_seconds",
        "duration",
        "durations",
        "groups",
        "name",
        "nbytes",
        "output_bytes",
        "suspicious",
        "totals",
        "waits",
    )

    def __init__(self, name: str, duration: float) -> None:
        """Make a prefix; a negative `duration` means unknown."""
        self.name = name
        self.duration = duration
        """Average seconds of a run; negative: unknown."""
        self.nbytes = -1.0
        """Average bytes of a result; negative: unknown."""
        self.groups = 0
        """Number of groups with this prefix."""
        self.totals: dict[StateName, int] = dict.fromkeys(STATES, 0)
        """How often tasks have entered each state."""
        self.output_bytes = 0
        """Bytes of the results in memory, each counted once."""
        self.compute_seconds = 0.0
        """Sum of the seconds of all runs that yielded a result."""
        self.suspicious = 0
        """How often a worker died while it had one of the tasks."""
        self.durations = Histogram(SECONDS)
        """Seconds of the runs that yielded a result."""
        self.waits = Histogram(SECONDS)
        """Seconds from when these runs could begin until their results were there, without the runs themselves."""


class TaskGroup:
    """Tasks that were created together, such as the chunks of one array operation."""

    __slots__ = ("counts", "dependencies", "last_worker", "last_worker_quota", "live", "name", "prefix", "size")

    def __init__(self, name: str, prefix: TaskPrefix) -> None:
        """Make an empty group."""
        self.name = name
        self.prefix = prefix
        self.size = 0
        """Number of tasks that were ever in the group."""
        self.live = 0
        """Number of tasks that are not forgotten; the group is dropped with the last one."""
        self.counts: dict[StateName, int] = dict.fromkeys(STATES, 0)
        """Number of live tasks by state."""
        self.dependencies: dict[TaskGroup, None] | None = None
        """Groups that its tasks depend on; collected only up to the number that rules out root tasks."""
        self.last_worker: WorkerState | None = None
        """The worker of the group's last task, when neighbouring tasks are placed together."""
        self.last_worker_quota = 0
        """How many more consecutive tasks of the group `last_worker` gets."""


class TaskState:
    """The facts about one task.

    Collections are created with their first element: empty ones would be most of a task's memory. Collections that
    nearly always have one element are tuples, and tasks share the tuples (`WorkerState.as_tuple`).
    """

    __slots__ = (
        "avoid",
        "dependencies",
        "dependents",
        "error",
        "group",
        "kept",
        "key",
        "missing",
        "nbytes",
        "options",
        "order",
        "pins",
        "processing_on",
        "rank",
        "ready_at",
        "retries",
        "run_id",
        "shared",
        "state",
        "suspicious",
        "type_name",
        "waiters",
        "wanted_by",
        "who_has",
        "work",
    )

    def __init__(
        self,
        key: str,
        group: TaskGroup,
        work: Any,
        shared: tuple[bytes, ...],
        options: TaskOptions,
        dependencies: Sequence[TaskState],
        rank: tuple[float, float],
        order: float,
    ) -> None:
        """Make a task in state released that nobody needs yet."""
        self.key = key
        self.group = group
        self.work = work
        """The code to run, opaque. None: the task is scattered data, which cannot be recomputed."""
        self.shared = shared
        """Digests of the shared blobs that `work` refers to."""
        self.options = options
        self.dependencies = dependencies
        """Tasks whose results the task uses, each once; they live at least as long as the task."""
        self.rank = rank
        """The user's priority, negated, and the generation. Tasks of a graph part with equal ranks share the tuple."""
        self.order = order
        """Position among tasks of the same rank."""
        self.state: StateName = RELEASED
        self.dependents: dict[TaskState, None] | None = None
        """Live tasks that use the result."""
        self.missing = 0
        """While waiting: the number of dependencies that are not in memory."""
        self.ready_at = 0.0
        """When the task could first be placed, since it last began to wait for its dependencies; 0: not yet."""
        self.waiters = 0
        """The number of dependents in an active state."""
        self.pins: tuple[GraphRecord, ...] = ()
        """Incomplete graphs that contain the task and have it computed meanwhile."""
        self.kept: tuple[GraphRecord, ...] = ()
        """Incomplete graphs that contain the task and only keep it from being forgotten."""
        self.wanted_by: tuple[ClientState, ...] = ()
        self.who_has: tuple[WorkerState, ...] = ()
        """Workers that hold the result, in the order in which they received it."""
        self.processing_on: WorkerState | None = None
        self.run_id = 0
        """Number of the latest assignment to a worker."""
        self.nbytes = -1
        """Size of the result in bytes; negative: not computed yet."""
        self.type_name = ""
        self.retries = options.retries
        """How many more times the task is run again after an exception."""
        self.suspicious = 0
        """Number of workers that died while they ran the task."""
        self.error: ErrorRecord | None = None
        self.avoid: WorkerState | None = None
        """The worker on which the task asked to be rescheduled."""

    @property
    def priority(self) -> Priority:
        """Lower runs first. Computed on demand: a task waits long and is assigned once."""
        return (*self.rank, self.order)

    def __repr__(self) -> str:
        """Show key and state."""
        return f"<Task {self.key!r} {self.state}>"


def is_needed(task: TaskState) -> bool:
    """Tell whether a client, an active dependent or an incomplete graph needs the result."""
    return bool(task.waiters or task.wanted_by or task.pins)


def is_lost(task: TaskState) -> bool:
    """Tell whether the task is scattered data of which no copy is left."""
    return task.work is None and task.state == RELEASED


class WorkerState:
    """The facts about one worker."""

    __slots__ = (
        "abilities",
        "actors",
        "address",
        "addresses",
        "as_tuple",
        "free_batch",
        "has_what",
        "host",
        "identity",
        "known_shared",
        "last_task_start",
        "long_running",
        "low_water_mark",
        "match_names",
        "memory_limit",
        "name",
        "nanny",
        "nbytes",
        "nthreads",
        "occupancy",
        "pending_frees",
        "processing",
        "recent_frees",
        "resources",
        "slots",
        "status",
        "status_on_return",
        "unreachable_for",
        "used_resources",
    )

    def __init__(
        self,
        address: str,
        name: str,
        host: str,
        nthreads: int,
        memory_limit: int,
        resources: Mapping[str, float],
        nanny: str,
        saturation: float,
    ) -> None:
        """Make a worker without tasks."""
        self.address = address
        self.name = name
        self.host = host
        self.match_names = frozenset((address, address.rpartition("://")[2], name, host))
        """Names that match the worker in `TaskOptions.workers`: address with and without scheme, name, host."""
        self.nthreads = nthreads
        self.memory_limit = memory_limit
        self.resources = dict(resources)
        self.nanny = nanny
        self.abilities: Abilities = ALL_ABILITIES
        """Which functions the worker has, and whether it takes code."""
        self.identity = b""
        """Identifies the worker when it reconnects after it was removed; empty: it never does."""
        self.status = RUNNING
        self.status_on_return = ""
        """While disconnected: the status that the worker has when it reconnects."""
        self.unreachable_for: dict[TaskState, dict[WorkerState, None]] | None = None
        """While disconnected: results that other workers failed to fetch from it, and these workers."""

        self.processing: dict[TaskState, float] = {}
        """Tasks assigned to the worker, with the seconds that each is expected to occupy it."""
        self.long_running: dict[TaskState, None] = {}
        """Tasks in `processing` that left the worker's thread pool."""
        self.occupancy = 0.0
        """Sum of the seconds in `processing`."""
        self.last_task_start = 0.0
        """When a thread of the pool last started a task, as far as the scheduler can tell."""
        self.used_resources: dict[str, float] = {}
        """Resources of all assigned tasks. They may exceed `resources`: the worker runs as many tasks as fit."""
        self.has_what: dict[TaskState, None] = {}
        """Tasks whose results the worker holds."""
        self.nbytes = 0
        """Sum of the sizes of these results."""
        self.pending_frees: dict[str, None] = {}
        """Keys whose removal the worker has not confirmed; its reports about them may be older than the request."""
        self.recent_frees: dict[str, float] = {}
        """Keys that the worker was recently told to drop, and when."""
        self.actors = 0
        """Number of actors among its tasks and results."""
        self.known_shared: dict[bytes, None] = {}
        """Digests of the shared blobs that were sent to the worker."""

        self.slots = saturation_slots(nthreads, saturation)
        """Number of tasks of any duration that the worker is given from the queue."""
        self.low_water_mark = NO_LIMIT
        """The worker gets more than `slots` tasks only once it has this few."""

        self.as_tuple: tuple[WorkerState, ...] = (self,)
        """The tuple of just this worker, shared by all tasks whose only replica it holds."""
        self.addresses: tuple[str, ...] = (address,)
        self.free_batch: list[str] | None = None
        """Keys of the latest `FreeKeys`, while more keys may still be added to it."""

    def __repr__(self) -> str:
        """Show address and status."""
        return f"<Worker {self.address} {self.status}>"


def saturation_slots(nthreads: int, saturation: float) -> int:
    """Return the number of queued tasks that keep a worker saturated.

    >>> saturation_slots(1, 1.1), saturation_slots(10, 1.1), saturation_slots(4, 0.1)
    (2, 11, 1)
    """
    if math.isinf(saturation):
        return NO_LIMIT
    # 10 * 1.1 is slightly more than 11.
    return max(1, math.ceil(round(nthreads * saturation, 6)))


class AllowedWorkers(NamedTuple):
    """The running workers that may run tasks with certain options."""

    options: TaskOptions
    """Kept alive with the answer, which is looked up by the identity of the options."""
    workers: list[WorkerState]
    members: frozenset[WorkerState]


class RemovedWorker:
    """The results and runs of a worker that was removed and may reconnect."""

    __slots__ = ("results", "runs", "when")

    def __init__(self, worker: WorkerState, when: float) -> None:
        """Copy the facts from the worker."""
        self.when = when
        self.results = dict(worker.has_what)
        """Results that the worker held. By task, not by key: a key may be given to other work meanwhile."""
        self.runs = {task: task.run_id for task in worker.processing}
        """Runs that were assigned to the worker, which may have finished them."""


class GraphRecord:
    """A graph whose last part has not arrived."""

    __slots__ = ("as_tuple", "cautious", "generation", "graph_id", "reason", "refused", "shared", "tasks")

    def __init__(self, graph_id: str, generation: float) -> None:
        """Make a graph without tasks."""
        self.graph_id = graph_id
        self.generation = generation
        """The generation of all its parts."""
        self.tasks: list[TaskState] = []
        """Tasks that are kept until the last part arrives; some of them may have been cancelled since."""
        self.cautious = False
        """Whether some tasks were known before. Tasks leading to them may be useless and are not started yet."""
        self.shared: dict[bytes, None] = {}
        """Digests of the shared blobs that the graph keeps."""
        self.refused = ""
        """Why a part was refused, and with it all later parts; empty: none was refused."""
        self.reason = ""
        """See `RejectGraph.reason`."""
        self.as_tuple: tuple[GraphRecord, ...] = (self,)
        """The tuple of just this graph, shared by all tasks that only it pins."""


class ClientState:
    """The facts about one client."""

    __slots__ = ("as_tuple", "graphs", "held_shared", "name", "wants")

    def __init__(self, name: str) -> None:
        """Make a client that wants nothing."""
        self.name = name
        self.wants: dict[TaskState, None] = {}
        """Tasks whose results the client wants."""
        self.held_shared: dict[bytes, None] = {}
        """Digests of the shared blobs that the client holds."""
        self.graphs: dict[str, GraphRecord] = {}
        """The client's incomplete graphs."""
        self.as_tuple: tuple[ClientState, ...] = (self,)
        """The tuple of just this client, shared by all tasks that only it wants."""

    def __repr__(self) -> str:
        """Show the name."""
        return f"<Client {self.name}>"
