"""What the scheduler knows of tasks: the task, the group that it belongs to, and the kind of work that it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from dagrpc_scheduler.core.events import TaskOptions

if TYPE_CHECKING:
    from dagrpc_scheduler.core.cluster import ClientState, GraphRecord, WorkerState

StateName: TypeAlias = Literal[
    "released", "waiting", "no-worker", "queued", "processing", "memory", "erred", "forgotten"
]

RELEASED: Final = "released"
"""Known, but neither computed nor to be computed: nobody needs the result at the moment."""
WAITING: Final = "waiting"
"""To be computed once its dependencies are in memory; or data that a client is about to put on a worker."""
NO_WORKER: Final = "no-worker"
"""Ready to be computed, but there is no worker that may do it."""
QUEUED: Final = "queued"
"""Ready to be computed; kept back until a worker has room for it."""
PROCESSING: Final = "processing"
"""Assigned to a worker."""
MEMORY: Final = "memory"
"""At least one worker holds the result."""
ERRED: Final = "erred"
"""Failed, or cannot be computed because a dependency failed."""
FORGOTTEN: Final = "forgotten"
"""Gone; only a stale reference sees this."""

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
"""States of a task that is going to be computed and needs its dependencies for that."""

Priority: TypeAlias = tuple[float, ...]


@dataclass(slots=True)
class ErrorRecord:
    """Why tasks are in error. All tasks that failed for the same reason share it."""

    failure: Any
    """As a worker reported it, or a `CoreFailure`."""
    origin_key: str
    """The task that failed first."""


class TaskPrefix:
    """What is learned about all tasks that do the same kind of work."""

    __slots__ = ("duration", "groups", "name", "nbytes")

    def __init__(self, name: str, duration: float) -> None:
        """Make a prefix; a negative `duration` is not known yet."""
        self.name = name
        self.duration = duration
        """Seconds that a task takes, on average; negative: unknown."""
        self.nbytes = -1.0
        """Bytes of a result, on average; negative: unknown."""
        self.groups = 0
        """How many groups of this prefix there are."""


class TaskGroup:
    """Tasks that came about together, such as the chunks of one array operation."""

    __slots__ = ("counts", "dependencies", "last_worker", "last_worker_room", "live", "name", "prefix", "size")

    def __init__(self, name: str, prefix: TaskPrefix) -> None:
        """Make an empty group."""
        self.name = name
        self.prefix = prefix
        self.size = 0
        """How many tasks were ever in it."""
        self.live = 0
        """How many of them are not forgotten; the group goes with the last one."""
        self.counts: dict[StateName, int] = dict.fromkeys(STATES, 0)
        """How many of its live tasks are in each state."""
        self.dependencies: dict[TaskGroup, None] | None = None
        """Groups that its tasks depend on, up to as many as tell that these are not root tasks."""
        self.last_worker: WorkerState | None = None
        """Where the group's last task was placed, if neighbours are placed together."""
        self.last_worker_room = 0
        """How many more tasks of the group that worker is to get in a row."""


class TaskState:
    """Facts about one task.

    Collections are made when they get their first element: empty ones would be most of a task's memory. Those that
    nearly always have one element are tuples, and tasks share them (`WorkerState.as_tuple`).
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
        """What to run. None: the task is data that a client put on workers, which cannot be computed again."""
        self.shared = shared
        """Digests of the shared values that the work refers to."""
        self.options = options
        self.dependencies = dependencies
        """Tasks whose results it uses, each once; all of them are live as long as this one is."""
        self.rank = rank
        """What the user asked for, negative, and the generation. All tasks of a part that have the same share it."""
        self.order = order
        """Place among those of the same rank."""
        self.state: StateName = RELEASED
        self.dependents: dict[TaskState, None] | None = None
        """Live tasks that use its result."""
        self.missing = 0
        """While waiting: how many of its dependencies are not in memory."""
        self.waiters = 0
        """How many of its dependents are in an active state."""
        self.pins: tuple[GraphRecord, ...] = ()
        """Graphs that have not arrived completely, of which it is a part, and that have it computed meanwhile."""
        self.kept: tuple[GraphRecord, ...] = ()
        """The same, but these only keep it from being forgotten, since it may turn out that nobody needs it."""
        self.wanted_by: tuple[ClientState, ...] = ()
        self.who_has: tuple[WorkerState, ...] = ()
        """Workers that hold the result, in the order in which they got it."""
        self.processing_on: WorkerState | None = None
        self.run_id = 0
        """Names the latest assignment to a worker."""
        self.nbytes = -1
        """Size of the result; negative: not computed yet."""
        self.type_name = ""
        self.retries = options.retries
        """How many more times it is run again after an exception."""
        self.suspicious = 0
        """How many workers died while they ran it."""
        self.error: ErrorRecord | None = None
        self.avoid: WorkerState | None = None
        """The worker on which it asked to be run elsewhere."""

    @property
    def priority(self) -> Priority:
        """Lower runs first. Made when it is asked for: a task waits long, and is assigned once."""
        return (*self.rank, self.order)

    def __repr__(self) -> str:
        """Show key and state."""
        return f"<Task {self.key!r} {self.state}>"


def is_needed(task: TaskState) -> bool:
    """Tell whether somebody needs the result: a client, a task that is to be computed, or a graph on its way."""
    return bool(task.waiters or task.wanted_by or task.pins)


def is_lost(task: TaskState) -> bool:
    """Tell whether the task is data that is gone for good."""
    return task.work is None and task.state == RELEASED
