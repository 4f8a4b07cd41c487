"""Who needs what: reference counts, and what becomes of tasks that nobody needs.

A task is needed by the clients that want its result, by its dependents that are to be computed, and by a graph of
which more parts are to come. A task that is not needed is not computed and its result is not kept. It is forgotten
once it has no dependents left either: until then, one of them may have to be computed again and need it. A graph on
its way may also only keep a task: then it is not forgotten, but not computed for the sake of the graph either.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dagrpc_scheduler.core.instructions import ReportCancelled, ReportErred, ReportFinished
from dagrpc_scheduler.core.model import (
    ACTIVE,
    ERRED,
    FORGOTTEN,
    MEMORY,
    RELEASED,
    WAITING,
    ClientState,
    GraphRecord,
    TaskState,
    is_needed,
)
from dagrpc_scheduler.core.state import SchedulerState

LOST_DEPENDENCIES: Final = "lost dependencies"
"""Reason for which a task is cancelled that can never be computed."""


def add_want(state: SchedulerState, client: ClientState, task: TaskState) -> None:
    """Have a client want a task, and tell it at once what has become of the task already."""
    record_want(client, task)
    if task.state == RELEASED:
        state.recommendations.append((task, WAITING))
    elif task.state == MEMORY:
        state.instructions.append(ReportFinished(client.name, task.key, task.type_name, task.nbytes))
    elif task.error is not None and task.state == ERRED:
        state.instructions.append(ReportErred(client.name, task.key, task.error.failure, task.error.origin_key))


def record_want(client: ClientState, task: TaskState) -> None:
    """Have a client want a task."""
    # A task knows as well who wants it, and is at hand.
    if not task.wanted_by:
        task.wanted_by = client.as_tuple
    elif client not in task.wanted_by:
        task.wanted_by = (*task.wanted_by, client)
    else:
        return
    client.wants[task] = None


def remove_want(state: SchedulerState, client: ClientState, task: TaskState) -> None:
    """Have a client no longer want a task that it wants."""
    del client.wants[task]
    wanted_by = task.wanted_by
    task.wanted_by = () if len(wanted_by) == 1 else tuple([other for other in wanted_by if other is not client])
    release_unneeded(state, task)


def unpin_graph(state: SchedulerState, record: GraphRecord) -> None:
    """Keep the tasks of a graph no longer for its sake."""
    for task in record.tasks:
        pins = task.pins
        if record in pins:
            task.pins = () if len(pins) == 1 else tuple([other for other in pins if other is not record])
            release_unneeded(state, task)
        elif record in task.kept:
            task.kept = tuple([other for other in task.kept if other is not record])
            release_unneeded(state, task)
    for digest in record.shared:
        state.shared_blobs.release(digest, state.instructions)
    # Else only the garbage collector could remove it.
    record.as_tuple = ()
    record.tasks = []
    record.shared = {}


def release_unneeded(state: SchedulerState, task: TaskState) -> None:
    """Recommend what is to become of a task if it is not needed."""
    if task.waiters or task.wanted_by or task.pins:
        return
    if task.state in ACTIVE:
        state.recommendations.append((task, RELEASED))
    elif not task.dependents and not task.kept:
        state.recommendations.append((task, FORGOTTEN))
    elif task.state == MEMORY:
        state.recommendations.append((task, RELEASED))


def release_dependencies(state: SchedulerState, task: TaskState) -> None:
    """Take note that a task is not to be computed any more: it does not need its dependencies."""
    for dependency in task.dependencies:
        dependency.waiters -= 1
        if not dependency.waiters:
            release_unneeded(state, dependency)


def cancel_tree(state: SchedulerState, roots: Iterable[TaskState], reason: str, message: str) -> None:
    """Have nobody want these tasks any more, nor those that depend on them, and tell who did.

    That is what cancels them: what nobody needs is stopped and forgotten.
    """
    cancelled = {root: root for root in roots if root not in state.cancelled}
    stack = list(reversed(cancelled))
    while stack:
        task = stack.pop()
        for dependent in task.dependents or ():
            if dependent not in cancelled and dependent not in state.cancelled:
                cancelled[dependent] = cancelled[task]
                stack.append(dependent)
    _drop_wants(state, cancelled, reason, message)


def cancel_lost_data(state: SchedulerState, root: TaskState, message: str) -> None:
    """Do the same for data that is gone for good, but spare dependents that were computed in time.

    They may turn out to be lost, too, before all has settled: `cancel_uncomputable` looks at the root again then.
    """
    cancelled = {root: root}
    stack = [root]
    while stack:
        for dependent in stack.pop().dependents or ():
            if dependent.state not in ACTIVE or dependent in cancelled:
                continue
            if dependent not in state.cancelled or is_needed(dependent):
                cancelled[dependent] = root
                stack.append(dependent)
    state.pending_scatters.pop(root, None)
    state.uncomputable[root] = message
    _drop_wants(state, cancelled, LOST_DEPENDENCIES, message)


def cancel_uncomputable(state: SchedulerState) -> None:
    """Abandon once more what can never be computed and is needed all the same.

    While need spread from results that were lost, this had been abandoned already. Each time fewer tasks are wanted,
    so that it comes to an end.
    """
    uncomputable, state.uncomputable = state.uncomputable, {}
    for task, message in uncomputable.items():
        if task.state == RELEASED and is_needed(task):
            cancel_lost_data(state, task, message)


def _drop_wants(state: SchedulerState, cancelled: dict[TaskState, TaskState], reason: str, message: str) -> None:
    """Have nobody want these tasks; each comes with the task that is the reason."""
    instructions = state.instructions
    # Another one may be abandoned before these have left: their dependents need not be walked through again.
    state.cancelled |= cancelled
    for task, root in cancelled.items():
        for client in task.wanted_by:
            del client.wants[task]
            if task is root:
                instructions.append(ReportCancelled(client.name, task.key, reason, message))
            else:
                consequence = f"it depends on {root.key!r}: {message or reason}"
                instructions.append(ReportCancelled(client.name, task.key, LOST_DEPENDENCIES, consequence))
        task.wanted_by = ()
        task.pins = task.kept = ()
    for task in cancelled:
        release_unneeded(state, task)
