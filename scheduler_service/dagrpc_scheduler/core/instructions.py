"""Everything that the scheduler's core asks its shell to do, as data.

Each instruction is for one worker or one client. Instructions for the same peer must reach it in the order in which the
core made them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from dagrpc._common.cheap_dataclass import record
from dagrpc_scheduler.core.events import TaskOptions


class WorkerInstruction:
    """An instruction for a worker."""

    __slots__ = ()
    worker: str
    """The worker's address."""


class ClientInstruction:
    """An instruction for a client."""

    __slots__ = ()
    client: str
    """The client's id."""


Instruction: TypeAlias = WorkerInstruction | ClientInstruction


@record
class ComputeTask(WorkerInstruction):
    """`worker` runs a task."""

    worker: str
    key: str
    run_id: int
    priority: tuple[float, ...]
    """Lower runs first."""
    work: Any
    shared: tuple[bytes, ...]
    """Digests of the shared blobs that `work` refers to."""
    new_shared: tuple[tuple[bytes, bytes], ...]
    """Digest and content of those blobs that the worker does not hold yet."""
    dependencies: Sequence[tuple[str, int, tuple[str, ...]]]
    """Key, size in bytes and holders of each dependency."""
    options: TaskOptions
    duration: float
    """Expected seconds of the run; negative: unknown."""


@record
class FreeKeys(WorkerInstruction):
    """`worker` drops results, and tasks that it has not started."""

    worker: str
    keys: Sequence[str]
    interrupt: bool = False
    """Whether the worker also interrupts tasks that it has started."""
    discard: bool = False
    """Whether the worker must not use results that remain for later runs of the same keys."""


@record
class RequestSteal(WorkerInstruction):
    """`worker` gives a task back unless it has started the task, and reports which of the two."""

    worker: str
    key: str
    run_id: int


@record
class AcquireReplicas(WorkerInstruction):
    """`worker` fetches replicas of results and keeps them."""

    worker: str
    data: Sequence[tuple[str, int, tuple[str, ...]]]
    """Key, size in bytes and holders of each result."""


@record
class RemoveReplicas(WorkerInstruction):
    """`worker` drops replicas of results unless its own tasks need them."""

    worker: str
    keys: Sequence[str]


@record
class RefreshWhoHas(WorkerInstruction):
    """`worker` learns the current holders of results; an empty list of holders: nobody at the moment."""

    worker: str
    data: Sequence[tuple[str, int, tuple[str, ...]]]


@record
class FreeShared(WorkerInstruction):
    """`worker` drops shared blobs."""

    worker: str
    digests: Sequence[bytes]


@record
class CloseWorker(WorkerInstruction):
    """`worker` shuts down."""

    worker: str
    reason: str
    restart: bool = False


@record
class EndShuffle(WorkerInstruction):
    """`worker` forgets a run of a shuffle and all earlier runs."""

    worker: str
    shuffle_id: str
    run_id: int


@record
class ReportFinished(ClientInstruction):
    """`client` learns that a result is in memory."""

    client: str
    key: str
    type_name: str
    nbytes: int
    payload: Any = None


@record
class ReportErred(ClientInstruction):
    """`client` learns that a task failed."""

    client: str
    key: str
    failure: Any
    """The failure as a worker reported it, or a `CoreFailure`."""
    origin_key: str
    """Key of the task that failed first."""


@record
class CoreFailure:
    """A failure that the scheduler itself declares."""

    kind: str
    """``killed-worker``, ``lost-actor``, ``lost-data`` or ``no-valid-worker``."""
    message: str
    worker: str = ""
    """Address of the last worker involved."""
    deaths: int = 0
    """Number of workers that died while they ran the task."""
    exit: Any = None
    """How the process of the last of these workers ended, opaque; None: unknown."""
    loss: str = ""
    """Why the last of these workers is gone, in words."""


@record
class ReportLost(ClientInstruction):
    """`client` learns that a result was lost and is being computed again."""

    client: str
    key: str


@record
class ReportCancelled(ClientInstruction):
    """`client` learns that a task will never finish."""

    client: str
    key: str
    reason: str
    message: str = ""


@record
class ReportRetried(ClientInstruction):
    """`client` learns that a failed task runs again."""

    client: str
    key: str


@record
class RejectGraph(ClientInstruction):
    """`client` learns that a graph part was refused as a whole."""

    client: str
    graph_id: str
    keys: Sequence[str]
    """The wanted keys that are not computed because of it."""
    message: str
    reason: str = ""
    """Reason for the cancellation of the keys if the graph itself is valid and its dependencies are gone."""
