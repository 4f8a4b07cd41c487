"""The state of the worker's core: facts about tasks and peers, and the queues and counters derived from them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from dagrpc_worker.core.config import WorkerCoreConfig
from dagrpc_worker.core.events import ComputeRequested
from dagrpc_worker.core.instructions import Instruction
from dagrpc_worker.core.resources import Demand, Resources
from dagrpc_worker.core.story import Story
from dagrpc_worker.core.task_queue import TaskQueue

RELEASED: Final = "released"
"""New: its first state has not been derived yet."""
WAITING: Final = "waiting"
"""Requested; some of its dependencies are not on this worker yet."""
READY: Final = "ready"
"""Requested; starts when a thread is free."""
CONSTRAINED: Final = "constrained"
"""Requested; starts when a thread and the task's resources are free."""
EXECUTING: Final = "executing"
"""Handed over to its pool of threads."""
LONG_RUNNING: Final = "long-running"
"""Running outside of its pool, in which another thread has taken its thread's place."""
FETCH: Final = "fetch"
"""Waiting to be fetched from a peer."""
FLIGHT: Final = "flight"
"""Being transferred from a peer."""
MISSING: Final = "missing"
"""Waiting to be fetched, but no holder is known."""
MEMORY: Final = "memory"
"""Its result is in the store, and is used here or was reported to the scheduler."""
ERRED: Final = "error"
"""The run failed. A passing state: once the failure is reported, the worker forgets the task."""
CANCELLED: Final = "cancelled"
"""No longer wanted, but its execution or its transfer cannot be stopped and has not ended."""
FORGOTTEN: Final = "forgotten"
"""Removed from the worker's state."""

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
"""The run id of a task that is not being executed."""
NO_TICKET: Final = 0
"""The ticket of a task that is in no queue."""
REPLICA_PRIORITY: Final = (float("inf"),)
"""Priority of replicas that no task waits for: they are fetched last."""
NO_ALARM: Final = float("inf")
"""The time of an alarm that is not set."""


class Deadline(NamedTuple):
    """The time at which a running task is to be interrupted, or counts as failed."""

    when: float
    run_id: int
    key: str
    interrupted: bool
    """Whether the task was interrupted before; then it counts as failed at this deadline."""
    start: float
    """When the task's function was called."""


class AverageDuration:
    """The average duration of the tasks of one prefix on this worker, in seconds; negative: unknown."""

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        """Start as unknown."""
        self.seconds = -1.0


class TaskState:
    """Facts about one key, from which its state is derived: see `transitions.state_from_facts`.

    Facts about running work are separate from facts about what is wanted: an execution or a transfer cannot be undone,
    so it goes on, and is accounted for, when the key is no longer wanted or is wanted in another way.
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
        """Create a task that nothing is wanted of."""
        self.key = key
        self.state: str = RELEASED

        # Facts about what is wanted.
        self.request: ComputeRequested | None = None
        """The newest request to run the task, until that run has ended."""
        self.replica = False
        """Whether the scheduler has requested a replica that is not in the store yet."""
        self.dependents: dict[TaskState, None] | None = None
        """Requested and running tasks of this worker that use the result. A dict keeps their order."""

        # Facts about the result.
        self.stored = False
        """Whether the result is in the store."""
        self.stale = False
        """Whether the store has a discarded result, which only executions that began with it may use."""
        self.reported = False
        """Whether the result was reported to the scheduler, which has not freed it since."""
        self.reported_as_replica = False
        """Whether the result was reported by `ReportReplicasAdded` rather than as the end of a run."""
        self.erred = False
        """Whether its run has just failed."""
        self.made_by = 0
        """The run whose end reported the result; 0: none."""
        self.nbytes = 0
        """Size of the result in bytes, wherever the result is."""
        self.type_name = ""
        """Type of the result if it was computed on this worker."""
        self.holders: tuple[str, ...] = ()
        """Peers that hold the result, as far as is known."""

        # Facts about running work.
        self.execution = NO_RUN
        """The run that was handed over and has not ended; by now, another run may be wanted."""
        self.executed: ComputeRequested | None = None
        """The request behind the execution, for the resources that it occupies."""
        self.cancelled = False
        """Whether the execution was cancelled: it may end without having begun."""
        self.reclaimed = NO_RUN
        """The run that the scheduler wants back unless a thread has begun with it."""
        self.outdated = False
        """Whether the result of the execution was discarded in advance."""
        self.seceded = -1.0
        """Seconds after which the execution left its pool; negative: it has not."""
        self.peer = ""
        """The peer that the result is being transferred from."""

        # Data for the run and for the queues.
        self.dependencies: list[TaskState] | None = None
        """Tasks whose results the run uses, until the run has ended."""
        self.waiting_for = 0
        """Number of dependencies that are not in memory."""
        self.priority: tuple[float, ...] = REPLICA_PRIORITY
        """Priority of the run, or of the most urgent task that waits for the result. The lowest goes first."""
        self.ticket = NO_TICKET
        """Makes the task's entries in queues valid; see `TaskQueue`."""
        self.average: AverageDuration | None = None
        """The average duration of the task's prefix."""
        self.expected = -1.0
        """Seconds that the execution adds to its pool's short work; negative: it is not short."""

    def __repr__(self) -> str:
        """Show the key and the state."""
        return f"<TaskState {self.key!r} {self.state}>"


class Pool:
    """One executor: its threads, the tasks handed over to it, and the tasks that wait for it."""

    __slots__ = ("constrained", "handed_over", "limit", "most", "name", "ready", "short", "short_seconds")

    def __init__(self, name: str, limit: int) -> None:
        """Create the pool of an executor with `limit` threads."""
        self.name = name
        self.limit = limit
        self.most = limit
        """The largest limit so far: executions that were handed over under it go on."""
        self.handed_over = 0
        """Number of executions that were handed over and have neither ended nor seceded."""
        self.short = 0
        """Number of these executions that are expected to be short."""
        self.short_seconds = 0.0
        """Expected total duration of the short executions."""
        self.ready: TaskQueue[TaskState] = TaskQueue()
        self.constrained: dict[Demand, TaskQueue[TaskState]] = {}
        """Tasks that need resources, by the amounts that they need."""


class Peer:
    """Another worker from which results are to be fetched."""

    __slots__ = ("address", "calls", "failures", "last_call", "nbytes", "queue", "refusals", "remote", "resting")

    def __init__(self, address: str, remote: bool) -> None:
        """Create a peer; `remote` tells whether it is on another host."""
        self.address = address
        self.remote = remote
        self.queue: TaskQueue[TaskState] = TaskQueue()
        """Results that can be fetched from the peer."""
        self.calls: list[dict[str, int]] = []
        """Transfers under way; each is the sizes of its results by key."""
        self.nbytes = 0
        """Bytes of the transfers under way."""
        self.last_call = 0
        """Sequence number of the peer's last transfer among all transfers."""
        self.resting = False
        """Whether the peer is not asked until `PeerRetryDue`."""
        self.failures = 0
        """Number of failed transfers since the last success."""
        self.refusals = 0
        """Number of refused and failed transfers since the last success."""


class WorkerState:
    """The state of the core, and the instructions of the batch being handled."""

    __slots__ = (
        "address",
        "alarm",
        "config",
        "counts",
        "deadlines",
        "default_pool",
        "dropped",
        "durations",
        "gathered_nbytes",
        "gathers",
        "gathers_nbytes",
        "gathers_started",
        "host",
        "last_call",
        "last_ticket",
        "leaving",
        "now",
        "nthreads",
        "paused",
        "pauses",
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
        self.pauses = 0
        self.leaving = False
        """Whether the worker is retiring and accepts no tasks."""

        self.tasks: dict[str, TaskState] = {}
        self.counts: dict[str, int] = dict.fromkeys(STATES, 0)
        """Number of tasks in each state."""
        self.stored_nbytes = 0
        """Bytes of the results in the store."""
        self.default_pool = Pool("", nthreads)
        self.pools: dict[str, Pool] = {"": self.default_pool}
        self.durations: dict[str, AverageDuration] = {}
        """Average durations by prefix."""
        self.peers: dict[str, Peer] = {}
        self.gathers = 0
        """Number of transfers under way."""
        self.gathers_nbytes = 0
        """Bytes of the transfers under way."""
        self.gathers_started = 0
        """Number of transfers that were ever begun."""
        self.gathered_nbytes = 0
        """Bytes of the results that all begun transfers asked for."""
        self.last_ticket = NO_TICKET
        self.last_call = 0

        self.deadlines: list[Deadline] = []
        """A heap; see `deadlines`."""
        self.alarm = NO_ALARM
        """The time for which `DeadlineReached` was requested."""
        self.timed_out_runs: dict[tuple[str, int], Pool | None] = {}
        """Runs that have failed but go on, by key and run; each with the pool whose thread it occupies, if any."""

        self.now = 0.0
        self.stimulus = ""
        self.touched: list[TaskState] = []
        """Tasks with a changed fact: their states must be derived again."""
        self.story = Story(config.story_length)

        self.reports: list[Instruction] = []
        """Instructions in order."""
        self.dropped: dict[str, None] = {}
        """Keys of results to remove from the store."""
        self.starts: list[Instruction] = []
        """Executions and transfers to begin after the other instructions."""

    def task(self, key: str) -> TaskState:
        """Return the task of a key; create it if there is none."""
        task = self.tasks.get(key)
        if task is None:
            task = self.tasks[key] = TaskState(key)
            self.counts[RELEASED] += 1
        return task

    def new_ticket(self, task: TaskState) -> None:
        """Give a task a new ticket, which takes it out of all queues."""
        self.last_ticket = task.ticket = self.last_ticket + 1


def host_of(address: str) -> str:
    """Return the host of an address ``host:port``."""
    return address.rpartition(":")[0]


def report_state(task: TaskState) -> dict[str, Any]:
    """Return a readable description of a task."""
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
