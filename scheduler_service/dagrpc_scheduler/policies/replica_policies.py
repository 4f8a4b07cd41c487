"""The policies of the active memory manager.

Each policy is a generator that yields suggestions and is sent the worker that was chosen for each, or None.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, MutableMapping
from typing import Literal, NamedTuple, TypeAlias

from dagrpc_scheduler.core.model import ACTIVE, RUNNING, TaskState, WorkerState
from dagrpc_scheduler.core.replica_table import is_safe
from dagrpc_scheduler.policies.replica_plan import ReplicaPlan

ATTEMPTS = 5
"""How many times in a row one worker is asked to fetch the same result before another worker is asked."""


class Suggestion(NamedTuple):
    """A suggestion to create or to drop one replica of a result."""

    op: Literal["replicate", "drop"]
    task: TaskState
    candidates: set[WorkerState] | None = None
    """The workers to choose from; None: any."""


Suggestions: TypeAlias = Generator[Suggestion, WorkerState | None, None]


def apply_suggestions(plan: ReplicaPlan, suggestions: Suggestions) -> None:
    """Add suggestions to a plan as far as possible."""
    chosen: WorkerState | None = None
    first = True
    while True:
        try:
            suggestion = next(suggestions) if first else suggestions.send(chosen)
        except StopIteration:
            return
        first = False
        act = plan.replicate if suggestion.op == "replicate" else plan.drop
        chosen = act(suggestion.task, suggestion.candidates)


def reduce_replicas(plan: ReplicaPlan) -> Suggestions:
    """Leave one replica of each result, or one for each worker that is about to use it.

    Only results with several replicas are examined.
    """
    for task in list(plan.state.replicated):
        if plan.is_full:
            return
        pending = plan.pending.get(task)
        copies = len(task.who_has) - (len(pending[1]) if pending is not None else 0)
        surplus = copies - (_places_of_use(task, copies) if task.waiters else 1)
        while surplus > 0 and (yield Suggestion("drop", task)) is not None:
            surplus -= 1


def _places_of_use(task: TaskState, limit: int) -> int:
    """Return the number of workers that are about to use a result, up to a limit.

    A task that has not been placed counts as a worker of its own, since its place is unknown.
    """
    places: set[object] = set()
    for dependent in task.dependents or ():
        if dependent.state in ACTIVE:
            places.add(dependent.processing_on or dependent)
            if len(places) >= limit:
                break
    return max(len(places), 1)


def is_only_on(task: TaskState, worker: WorkerState) -> bool:
    """Tell whether a leaving worker is the only certain holder of a result."""
    return not any(holder is not worker and is_safe(task, holder) for holder in task.who_has)


def only_on(worker: WorkerState) -> Iterator[TaskState]:
    """Yield the results that are lost with a leaving worker, except for actors, which cannot be copied."""
    for task in worker.has_what:
        if not task.options.actor and is_only_on(task, worker):
            yield task


def has_recipients(plan: ReplicaPlan, worker: WorkerState) -> bool:
    """Tell whether another worker can take a worker's results."""
    return any(other is not worker and other.abilities.takes_code for other in plan.state.running)


def retire_worker(plan: ReplicaPlan, worker: WorkerState, asked: MutableMapping[str, tuple[str, int]]) -> Suggestions:
    """Copy the results elsewhere that would be lost with a leaving worker.

    `asked` belongs to the retirement of the worker: which worker was asked to fetch which result, and how many times. A
    transfer may take longer than one round, and a second worker must not start the same transfer.
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
            chosen = yield Suggestion("replicate", task, {before})
        if chosen is None:
            times = 0
            others = set(plan.state.running) - {worker, before} if before is not None else None
            chosen = yield Suggestion("replicate", task, others or None)
        if chosen is not None:
            asked[task.key] = (chosen.address, times + 1)
