"""The decisions of the scheduler that are made by exchangeable policies.

The core knows these protocols only. `dagrpc_scheduler.policies.choice` says which implementations a configuration
selects, and is the one place to register another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from dagrpc_scheduler.core.model import TaskState, WorkerState


class PlacementPolicy(Protocol):
    """Decides which worker runs a task that does not have to wait."""

    def choose(self, task: TaskState) -> WorkerState | None:
        """Return the worker for a ready task; None: no running worker may run it."""
        ...


class ReadyQueue(Protocol):
    """The tasks in state queued, in whatever order the queue policy needs."""

    @property
    def size(self) -> int:
        """Number of tasks in the queue."""
        ...

    def add(self, task: TaskState) -> None:
        """Add a task that becomes queued."""

    def remove(self, task: TaskState) -> None:
        """Remove a task whose state changes, or has just changed, to another one."""

    def tasks(self) -> list[TaskState]:
        """Return all tasks in the queue."""
        ...


class Account(NamedTuple):
    """The use that a client has made of the cluster, and the number of its waiting tasks."""

    seconds: float
    """How long the client's runs that have ended occupied threads."""
    runs: int
    """Number of these runs."""
    waiting: int
    """Number of the client's queued tasks."""
    weight: float


class QueuePolicy(Protocol):
    """Decides which ready tasks wait on the scheduler, and which of them a free slot gets."""

    queue: ReadyQueue
    queues_all_tasks: bool = False
    """Whether all tasks that several workers may run wait in the queue. An idle worker then gets its work from the
    queue, and work stealing only moves tasks back to it."""

    def choose(self, task: TaskState) -> WorkerState | Literal["queued", "no-worker"]:
        """Return the worker for a ready task, or the state in which the task waits."""
        ...

    def fill(self) -> None:
        """Assign queued tasks to workers with free slots."""

    def would_queue(self, task: TaskState) -> bool:
        """Tell whether a task that is taken from its worker now could wait in the queue for several other workers."""
        ...

    def idle_slot(self) -> tuple[WorkerState, TaskState] | None:
        """Return a free slot and the queued task that it should have been given; for invariant checks after `fill`."""
        ...

    def without_workers(self) -> Iterable[TaskState]:
        """Return the queued tasks that no running worker may run any more. Called when workers change."""
        return ()

    def submitted(self, tasks: Sequence[TaskState], client: str, submitter: str) -> None:
        """Note who submitted tasks: a client, or its task with the key `submitter` while it runs."""

    def run_ended(self, run_id: int, seconds: float) -> None:
        """Note that a run gave up its thread after `seconds`. May come twice for a run, and for runs given up."""

    def accounts(self) -> Mapping[str, Account] | None:
        """Return what each client has had, by client id (empty: clients that are gone); None: nobody keeps accounts."""
        return None


class StealMove(NamedTuple):
    """A task that its worker should give back."""

    task: TaskState
    thief: WorkerState | None
    """The worker that runs the task instead; None: the task is placed again like any ready task."""
    seconds: float
    """How long the task is expected to occupy the thief."""


class StealingPolicy(Protocol):
    """Decides which assigned tasks move to other workers."""

    def plan(self) -> Sequence[StealMove]:
        """Return the moves that are worth their cost at this moment."""
        ...
