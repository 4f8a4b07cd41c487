"""What the worker's core knows: facts about tasks and peers, and the queues and counters kept beside them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from dagrpc_worker.core.config import WorkerCoreConfig
from dagrpc_worker.core.events import ComputeRequested
from dagrpc_worker.core.instructions import Instruction
from dagrpc_worker.core.resources import Demand, Resources
from dagrpc_worker.core.story import Story
from dagrpc_worker.core.task_queue import TaskQueue

RELEASED: Final = "released"
"""New, or between two states."""
WAITING: Final = "waiting"
"""To be run here; some of its dependencies are not here yet."""
READY: Final = "ready"
"""To be run here as soon as a thread is free."""
CONSTRAINED: Final = "constrained"
"""To be run here as soon as a thread and its resources are free."""
EXECUTING: Final = "executing"
"""Handed over to its pool of threads."""
LONG_RUNNING: Final = "long-running"
"""Runs, but outside of the pool: its thread was replaced."""
FETCH: Final = "fetch"
"""To be fetched from a peer."""
FLIGHT: Final = "flight"
"""On its way from a peer."""
MISSING: Final = "missing"
"""To be fetched, but nobody is known to hold it."""
MEMORY: Final = "memory"
"""Its result is here and in use, or known to the scheduler to be here."""
ERRED: Final = "error"
"""It failed here. Passed through: once the failure is reported, the task is none of the worker's business."""
CANCELLED: Final = "cancelled"
"""Nobody wants it any more, but its execution or its transfer cannot be stopped and has not ended."""
FORGOTTEN: Final = "forgotten"
"""Gone."""

STATES: Final = (
    RELEASED,
    WAITING,
    READY,
    CONSTRAINED,
    EXECUTING,
    LONG_RUNNING,
    FETCH,
    FLIGHT,
    MISSING,
    MEMORY,
    ERRED,
    CANCELLED,
    FORGOTTEN,
)

NO_RUN: Final = -1
"""Stands for the run id of a task that is not being executed."""
NO_TICKET: Final = 0
"""Stands for the ticket of a task that is in no queue."""
REPLICA_PRIORITY: Final = (float("inf"),)
"""Copies that no task here waits for are fetched last."""


NO_ALARM: Final = float("inf")
"""When an alarm is due that nobody asked for."""


class Deadline(NamedTuple):
    """A moment at which something is to be done about a task that runs."""

    when: float
    run_id: int
    key: str
    interrupted: bool
    """Whether the task was told to stop; then its end is not waited for any longer."""
    start: float
    """When its function was called."""


class AverageDuration:
    """How long tasks of one prefix take here, in seconds. Negative: not known yet."""

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        """Know nothing yet."""
        self.seconds = -1.0


class TaskState:
    """Facts about one key. The state follows from them; see `transitions.state_from_facts`.

    What goes on with a key is kept apart from what is wanted of it: an execution or a transfer cannot be undone, so
    both go on, and are accounted for, when the key is no longer wanted, or wanted in another way.
    """

    __slots__ = (
        "average",
        "cancelled",
        "dependencies",
        "dependents",
        "erred",
        "executed",
        "execution",
        "expected",
        "holders",
        "key",
        "made_by",
        "nbytes",
        "outdated",
        "peer",
        "priority",
        "reclaimed",
        "replica",
        "reported",
        "reported_as_replica",
        "request",
        "seceded",
        "stale",
        "state",
        "stored",
        "ticket",
        "type_name",
        "waiting_for",
    )

    def __init__(self, key: str) -> None:
        """Start with a key of which nothing is wanted."""
        self.key = key
        self.state: str = RELEASED

        # What is wanted.
        self.request: ComputeRequested | None = None
        """The newest request to run it, until that run has ended."""
        self.replica = False
        """Whether the scheduler asked for a copy which is not here yet."""
        self.dependents: dict[TaskState, None] | None = None
        """Tasks to be run, or running, here that use it. A dict for its order."""

        # What there is.
        self.stored = False
        """Whether its result is in the store."""
        self.stale = False
        """Whether the store has a discarded result instead, which only executions that began with it may use."""
        self.reported = False
        """Whether the scheduler was told that the result is here, and has not freed it since."""
        self.reported_as_replica = False
        """Whether it was reported by `ReportReplicasAdded`, rather than as the end of a run."""
        self.erred = False
        """Whether its run has just failed."""
        self.made_by = 0
        """The run that its result was reported as the end of; 0: none."""
        self.nbytes = 0
        """Size of its result, also if that is elsewhere."""
        self.type_name = ""
        """Type of its result if it was computed here."""
        self.holders: tuple[str, ...] = ()
        """Peers that are said to hold its result."""

        # What goes on.
        self.execution = NO_RUN
        """The run that was handed over and has not ended. Not always the run that is wanted by now."""
        self.executed: ComputeRequested | None = None
        """The request that was handed over, for what it occupies."""
        self.cancelled = False
        """Whether the execution was cancelled: it may end without having begun."""
        self.reclaimed = NO_RUN
        """The run that the scheduler wants back if no thread has taken up the execution."""
        self.outdated = False
        """Whether what the execution brings was discarded before it came."""
        self.seceded = -1.0
        """Seconds after which the execution left its pool of threads; negative: it did not."""
        self.peer = ""
        """The peer that it is on its way from."""

        # What is kept for its run, and for its place in queues.
        self.dependencies: list[TaskState] | None = None
        """What its run uses, until the run has ended."""
        self.waiting_for = 0
        """How many of its dependencies are not in memory."""
        self.priority: tuple[float, ...] = REPLICA_PRIORITY
        """That of its run, or of the most urgent task that waits for it. Lower goes first."""
        self.ticket = NO_TICKET
        """Makes its entries in queues valid; see `TaskQueue`."""
        self.average: AverageDuration | None = None
        """How long tasks of its prefix take here."""
        self.expected = -1.0
        """Seconds that its execution counts for among short ones; negative: it is not counted among them."""

    def __repr__(self) -> str:
        """Name the task and its state."""
        return f"<TaskState {self.key!r} {self.state}>"


class Pool:
    """One executor: its threads, what was handed over to it, and what waits for it."""

    __slots__ = ("constrained", "handed_over", "limit", "most", "name", "ready", "short", "short_seconds")

    def __init__(self, name: str, limit: int) -> None:
        """Describe an executor of `limit` threads."""
        self.name = name
        self.limit = limit
        self.most = limit
        """The largest limit that it has had: what was handed over under it goes on."""
        self.handed_over = 0
        """Executions that were handed over and have neither ended nor seceded."""
        self.short = 0
        """How many of them are expected to be short."""
        self.short_seconds = 0.0
        """How long these will take, in all."""
        self.ready = TaskQueue()
        self.constrained: dict[Demand, TaskQueue] = {}
        """Tasks that need resources, by what they need."""


class Peer:
    """Another worker, as long as something is to be fetched from it."""

    __slots__ = ("address", "calls", "failures", "last_call", "nbytes", "queue", "refusals", "remote", "resting")

    def __init__(self, address: str, remote: bool) -> None:
        """Describe a peer; `remote` if it is on another host."""
        self.address = address
        self.remote = remote
        self.queue = TaskQueue()
        """What could be fetched from it."""
        self.calls: list[dict[str, int]] = []
        """Transfers under way, each with the size of what it is to bring, by key."""
        self.nbytes = 0
        """Bytes under way."""
        self.last_call = 0
        """Number of its last transfer among all."""
        self.resting = False
        """Whether it is to be left alone until `PeerRetryDue`."""
        self.failures = 0
        """How many transfers broke since the last that went well."""
        self.refusals = 0
        """How many transfers it refused or broke since the last that went well."""


class WorkerState:
    """All that the core knows, and the instructions of the batch being handled."""

    __slots__ = (
        "address",
        "alarm",
        "config",
        "counts",
        "deadlines",
        "default_pool",
        "dropped",
        "durations",
        "gathers",
        "gathers_nbytes",
        "host",
        "last_call",
        "last_ticket",
        "leaving",
        "now",
        "nthreads",
        "paused",
        "peers",
        "pools",
        "reports",
        "resources",
        "starts",
        "stimulus",
        "stored_nbytes",
        "story",
        "tasks",
        "timed_out_runs",
        "touched",
    )

    def __init__(self, address: str, nthreads: int, resources: Resources, config: WorkerCoreConfig) -> None:
        """Start with no tasks."""
        self.address = address
        self.host = host_of(address)
        self.nthreads = nthreads
        self.config = config
        self.resources = resources
        self.paused = False
        self.leaving = False
        """Whether it takes no more tasks."""

        self.tasks: dict[str, TaskState] = {}
        self.counts: dict[str, int] = dict.fromkeys(STATES, 0)
        """How many tasks are in each state."""
        self.stored_nbytes = 0
        """Size of the results in the store."""
        self.default_pool = Pool("", nthreads)
        self.pools: dict[str, Pool] = {"": self.default_pool}
        self.durations: dict[str, AverageDuration] = {}
        """By prefix of the tasks' keys."""
        self.peers: dict[str, Peer] = {}
        self.gathers = 0
        """Transfers under way."""
        self.gathers_nbytes = 0
        """Bytes under way."""
        self.last_ticket = NO_TICKET
        self.last_call = 0

        self.deadlines: list[Deadline] = []
        """A heap; see `deadlines`."""
        self.alarm = NO_ALARM
        """When `DeadlineReached` was asked for."""
        self.timed_out_runs: dict[tuple[str, int], Pool | None] = {}
        """Runs that failed and go on, by key and run, with the pool in which one still occupies a thread."""

        self.now = 0.0
        self.stimulus = ""
        self.touched: list[TaskState] = []
        """Tasks about which a fact changed, so that their state may no longer be the right one."""
        self.story = Story(config.story_length)

        self.reports: list[Instruction] = []
        """Instructions in the order in which they came up."""
        self.dropped: dict[str, None] = {}
        """Results to be removed from the store."""
        self.starts: list[Instruction] = []
        """Executions and transfers to begin, after all else was done."""

    def task(self, key: str) -> TaskState:
        """Give the task of a key, new if it has to be."""
        task = self.tasks.get(key)
        if task is None:
            task = self.tasks[key] = TaskState(key)
            self.counts[RELEASED] += 1
        return task

    def new_ticket(self, task: TaskState) -> None:
        """Take a task out of the queues that it is in, so that it can be put into others."""
        self.last_ticket = task.ticket = self.last_ticket + 1


def host_of(address: str) -> str:
    """Tell the host of an address ``host:port``."""
    return address.rpartition(":")[0]


def report_state(task: TaskState) -> dict[str, Any]:
    """Describe a task for people."""
    request = task.request
    return {
        "key": task.key,
        "state": task.state,
        "run_id": request.run_id if request is not None else NO_RUN,
        "priority": task.priority,
        "nbytes": task.nbytes,
        "stored": task.stored,
        "stale": task.stale,
        "reported": task.reported,
        "execution": task.execution,
        "peer": task.peer,
        "holders": task.holders,
        "dependencies": [dependency.key for dependency in task.dependencies or ()],
        "dependents": [dependent.key for dependent in task.dependents or ()],
        "waiting_for": task.waiting_for,
        "waiting_for_data": [each.key for each in task.dependencies or () if each.state != MEMORY],
        "waiters": [each.key for each in task.dependents or () if each.state == WAITING],
        "made_by": task.made_by,
        "type_name": task.type_name,
        "annotations": request.annotations if request is not None else "",
        "resources": dict(request.resources) if request is not None else {},
    }
