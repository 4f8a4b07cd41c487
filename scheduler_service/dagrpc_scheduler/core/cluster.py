"""What the scheduler knows of its peers: workers and clients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagrpc_scheduler.core.model import TaskState

RUNNING: Final = "running"
"""The only status in which a worker is given tasks."""
PAUSED: Final = "paused"
"""The status of a worker that starts none of the tasks which it has, for want of memory."""
STAYING: Final = frozenset({RUNNING, "paused"})
"""Status of workers that will keep what they hold."""

DISCONNECTED: Final = "disconnected"
"""The status of a worker whose connection broke and that may come back."""

NO_LIMIT: Final = 2**62
"""Larger than any number of tasks."""


class WorkerState:
    """Facts about one worker."""

    __slots__ = (
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
        """What restrictions may call it. Whether addresses have a scheme is for the workers to say."""
        self.nthreads = nthreads
        self.memory_limit = memory_limit
        self.resources = dict(resources)
        self.nanny = nanny
        self.identity = b""
        """The same if it comes back after it was removed; empty: it never does."""
        self.status = RUNNING
        self.status_on_return = ""
        """While disconnected: the status that it will have when it comes back."""
        self.unreachable_for: dict[TaskState, dict[WorkerState, None]] | None = None
        """While disconnected: results that others could not get from it, and who they are."""

        self.processing: dict[TaskState, float] = {}
        """Tasks assigned to it, with the seconds that each is expected to occupy it."""
        self.long_running: dict[TaskState, None] = {}
        """Those of them that left its pool of threads."""
        self.occupancy = 0.0
        """Sum of these seconds."""
        self.last_task_start = 0.0
        """When a thread of its pool took up a task last, as far as can be told from here."""
        self.used_resources: dict[str, float] = {}
        """Resources of all tasks assigned to it. They may exceed `resources`: the worker runs what fits."""
        self.has_what: dict[TaskState, None] = {}
        """Tasks whose results it holds."""
        self.nbytes = 0
        """Sum of their sizes."""
        self.pending_frees: dict[str, None] = {}
        """Keys of what it was told to drop, and has not answered: what it says of them may be older than that."""
        self.recent_frees: dict[str, float] = {}
        """Keys of what it was told to drop lately, and when."""
        self.actors = 0
        """How many of its tasks, and of the results that it holds, are actors."""
        self.known_shared: dict[bytes, None] = {}
        """Digests of the shared values that it was sent."""

        self.slots = slots(nthreads, saturation)
        """How many tasks it is given from the queue whatever they are."""
        self.low_water_mark = NO_LIMIT
        """How few tasks it must have before it gets more than `slots`."""

        self.as_tuple: tuple[WorkerState, ...] = (self,)
        """The tuple of just this worker, shared by all the tasks that only it holds."""
        self.addresses: tuple[str, ...] = (address,)
        self.free_batch: list[str] | None = None
        """Keys of the `FreeKeys` that can still be added to."""

    def __repr__(self) -> str:
        """Show address and status."""
        return f"<Worker {self.address} {self.status}>"


class RemovedWorker:
    """What a worker had that was removed and may come back."""

    __slots__ = ("results", "runs", "when")

    def __init__(self, worker: WorkerState, when: float) -> None:
        """Note what a worker has."""
        self.when = when
        self.results = dict(worker.has_what)
        """Results that it held. By task, not by key: a key may be given to other work meanwhile."""
        self.runs = {task: task.run_id for task in worker.processing}
        """The runs that it was to do, and may have done."""


def slots(nthreads: int, saturation: float) -> int:
    """Return how many tasks from the queue keep a worker saturated.

    >>> slots(1, 1.1), slots(10, 1.1), slots(4, 0.1)
    (2, 11, 1)
    """
    if math.isinf(saturation):
        return NO_LIMIT
    # 10 * 1.1 is a little more than 11.
    return max(1, math.ceil(round(nthreads * saturation, 6)))


class GraphRecord:
    """A graph of which a part was seen and the last part was not."""

    __slots__ = ("as_tuple", "cautious", "generation", "graph_id", "reason", "refused", "shared", "tasks")

    def __init__(self, graph_id: str, generation: float) -> None:
        """Make a graph without tasks."""
        self.graph_id = graph_id
        self.generation = generation
        """All its parts have the same."""
        self.tasks: list[TaskState] = []
        """Tasks that are kept, needed or not, until the last part has come; and some that were, and were cancelled."""
        self.cautious = False
        """Whether some of its tasks are known. What is to lead to them may be of no use: it is not begun yet."""
        self.shared: dict[bytes, None] = {}
        """Digests of shared values that are kept likewise."""
        self.refused = ""
        """Why a part was refused, and therefore all later ones are; empty: none was."""
        self.reason = ""
        """See `RejectGraph.reason`."""
        self.as_tuple: tuple[GraphRecord, ...] = (self,)
        """The tuple of just this graph, shared by all the tasks that only it pins."""


class ClientState:
    """Facts about one client."""

    __slots__ = ("as_tuple", "graphs", "held_shared", "name", "wants")

    def __init__(self, name: str) -> None:
        """Make a client that wants nothing."""
        self.name = name
        self.wants: dict[TaskState, None] = {}
        """Tasks whose results it wants."""
        self.held_shared: dict[bytes, None] = {}
        """Digests of the shared values that it holds."""
        self.graphs: dict[str, GraphRecord] = {}
        """Its graphs that have not arrived completely."""
        self.as_tuple: tuple[ClientState, ...] = (self,)
        """The tuple of just this client, shared by all the tasks that only it wants."""

    def __repr__(self) -> str:
        """Show the name."""
        return f"<Client {self.name}>"
