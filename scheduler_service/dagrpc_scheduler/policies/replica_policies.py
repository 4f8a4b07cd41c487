"""The policies of the active memory manager: what they suggest, one suggestion at a time.

Each is a generator that yields what is to be done with which task, and is sent the worker that was chosen, or None.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, MutableMapping
from typing import Literal, NamedTuple, TypeAlias

from dagrpc_scheduler.core.model import ACTIVE, RUNNING, TaskState, WorkerState
from dagrpc_scheduler.core.replica_table import is_safe
from dagrpc_scheduler.policies.replica_plan import ReplicaPlan

ATTEMPTS = 5
"""How many times in a row a worker is asked to fetch the same result before another one is."""


class Wish(NamedTuple):
    """What is to be done: one more copy, or one less."""

    op: Literal["replicate", "drop"]
    task: TaskState
    candidates: set[WorkerState] | None = None
    """The workers that may do it; None: any."""


Wishes: TypeAlias = Generator[Wish, WorkerState | None, None]


def carry_out(plan: ReplicaPlan, wishes: Wishes) -> None:
    """Take wishes into a plan, as far as they can be met."""
    chosen: WorkerState | None = None
    first = True
    while True:
        try:
            wish = next(wishes) if first else wishes.send(chosen)
        except StopIteration:
            return
        first = False
        act = plan.replicate if wish.op == "replicate" else plan.drop
        chosen = act(wish.task, wish.candidates)


def reduce_replicas(plan: ReplicaPlan) -> Wishes:
    """Leave one copy of each result, or as many as there are workers about to use it.

    Only results that several workers hold are looked at.
    """
    for task in list(plan.state.replicated):
        if plan.is_full:
            return
        pending = plan.pending.get(task)
        copies = len(task.who_has) - (len(pending[1]) if pending is not None else 0)
        surplus = copies - (_places_of_use(task, copies) if task.waiters else 1)
        while surplus > 0 and (yield Wish("drop", task)) is not None:
            surplus -= 1


def _places_of_use(task: TaskState, limit: int) -> int:
    """Return on how many workers a result is about to be used, up to a limit.

    A task that has not been placed counts as a worker of its own: nobody knows where it will run.
    """
    places: set[object] = set()
    for dependent in task.dependents or ():
        if dependent.state in ACTIVE:
            places.add(dependent.processing_on or dependent)
            if len(places) >= limit:
                break
    return max(len(places), 1)


def is_only_on(task: TaskState, worker: WorkerState) -> bool:
    """Tell whether a result is lost with a worker that is to leave: nobody else that stays holds it."""
    return not any(holder is not worker and is_safe(task, holder) for holder in task.who_has)


def only_on(worker: WorkerState) -> Iterator[TaskState]:
    """Return what is lost with a worker that is to leave, but for actors, of which there cannot be another copy."""
    for task in worker.has_what:
        if not task.options.actor and is_only_on(task, worker):
            yield task


def has_recipients(plan: ReplicaPlan, worker: WorkerState) -> bool:
    """Tell whether there is a worker to take what another one holds."""
    return any(other is not worker for other in plan.state.running)


def retire_worker(plan: ReplicaPlan, worker: WorkerState, asked: MutableMapping[str, tuple[str, int]]) -> Wishes:
    """Copy elsewhere what would be lost with a worker.

    Parameters
    ----------
    plan : ReplicaPlan
        Where the decisions are taken into.
    worker : WorkerState
        The one that is to leave.
    asked : mutable mapping
        Belongs to the worker's retirement: whom it has asked to fetch which result, and how many times. A transfer may
        take longer than it is to the next round, and another worker is not to begin the same one.
    """
    for task in list(worker.has_what):
        if task.options.actor or not is_only_on(task, worker):
            asked.pop(task.key, None)
            continue
        gains, _ = plan.pending.get(task, ((), ()))
        if gains:
            continue
        address, times = asked.get(task.key, ("", 0))
        before = plan.state.workers.get(address)
        chosen = None
        if before is not None and before.status == RUNNING and times < ATTEMPTS:
            chosen = yield Wish("replicate", task, {before})
        if chosen is None:
            times = 0
            others = set(plan.state.running) - {worker, before} if before is not None else None
            chosen = yield Wish("replicate", task, others or None)
        if chosen is not None:
            asked[task.key] = (chosen.address, times + 1)
