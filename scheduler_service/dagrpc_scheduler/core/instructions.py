"""Everything that the scheduler's core may ask for, as data.

An effect is addressed to one peer: to a worker if it has a `worker`, to a client if it has a `client`. Effects for
one peer must reach it in the order in which the core made them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from dagrpc._common.cheap_dataclass import record
from dagrpc_scheduler.core.events import TaskOptions


@record
class ComputeTask:
    """`worker` is to run a task."""

    worker: str
    key: str
    run_id: int
    priority: tuple[float, ...]
    """Lower runs first."""
    work: Any
    shared: tuple[bytes, ...]
    """Digests of the shared values that the work refers to."""
    new_shared: tuple[tuple[bytes, bytes], ...]
    """Those of them (digest and value) that the worker does not hold yet."""
    dependencies: Sequence[tuple[str, int, tuple[str, ...]]]
    """Key, size in bytes and holders of each result that it uses."""
    options: TaskOptions
    duration: float
    """Seconds that it is expected to take; negative: unknown."""


@record
class FreeKeys:
    """`worker` is to drop results, and tasks that it has not started."""

    worker: str
    keys: Sequence[str]
    interrupt: bool = False
    """Whether tasks among them that it has started are to be broken off."""
    discard: bool = False
    """Whether results are not to be taken for those of later runs, should they still be there then."""


@record
class RequestSteal:
    """`worker` is to give a task back, unless it has started it, and to say so."""

    worker: str
    key: str
    run_id: int


@record
class AcquireReplicas:
    """`worker` is to fetch copies of results and keep them."""

    worker: str
    data: Sequence[tuple[str, int, tuple[str, ...]]]
    """Key, size in bytes and holders of each."""


@record
class RemoveReplicas:
    """`worker` is to drop copies of results unless its own tasks need them."""

    worker: str
    keys: Sequence[str]


@record
class RefreshWhoHas:
    """`worker` is told who holds results now; no holders: nobody at the moment."""

    worker: str
    data: Sequence[tuple[str, int, tuple[str, ...]]]


@record
class FreeShared:
    """`worker` is to drop shared values."""

    worker: str
    digests: Sequence[bytes]


@record
class CloseWorker:
    """`worker` is to leave."""

    worker: str
    reason: str
    restart: bool = False


@record
class EndShuffle:
    """`worker` is to forget a run of a shuffle, and those before it."""

    worker: str
    shuffle_id: str
    run_id: int


@record
class ReportFinished:
    """`client` is told that a result is there."""

    client: str
    key: str
    type_name: str
    nbytes: int
    payload: Any = None


@record
class ReportErred:
    """`client` is told that a task failed."""

    client: str
    key: str
    failure: Any
    """As a worker reported it, or a `CoreFailure`."""
    origin_key: str
    """The task that failed first."""


@record
class CoreFailure:
    """A failure that the scheduler itself declares."""

    kind: str
    """``killed-worker``, ``lost-actor``, ``lost-data`` or ``no-valid-worker``."""
    message: str
    worker: str = ""
    """The last worker involved."""
    deaths: int = 0
    """How many workers died while they ran the task."""
    exit: Any = None
    """How the process of the last of them ended, opaque; None: not known."""


@record
class ReportLost:
    """`client` is told that a result was lost and is being computed again."""

    client: str
    key: str


@record
class ReportCancelled:
    """`client` is told that a task will never finish."""

    client: str
    key: str
    reason: str
    message: str = ""


@record
class ReportRetried:
    """`client` is told that a failed task runs again."""

    client: str
    key: str


@record
class RejectGraph:
    """`client` is told that a graph part was refused, whole."""

    client: str
    graph_id: str
    keys: Sequence[str]
    """The wanted keys that will not be computed because of it."""
    message: str
    reason: str = ""
    """Why the keys are cancelled, where the graph is not at fault: what it builds on is gone."""


Instruction: TypeAlias = (
    ComputeTask
    | FreeKeys
    | RequestSteal
    | AcquireReplicas
    | RemoveReplicas
    | RefreshWhoHas
    | FreeShared
    | CloseWorker
    | EndShuffle
    | ReportFinished
    | ReportErred
    | ReportLost
    | ReportCancelled
    | ReportRetried
    | RejectGraph
)
