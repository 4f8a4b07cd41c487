"""Reference counts of tasks: who needs a task, and what happens when nobody does.

A task is needed by the clients that want its result, by its active dependents and by the incomplete graphs that pin it.
A task that is not needed is not computed, and its result is not kept. The task itself is forgotten once it has no
dependents either: until then, a dependent may have to be computed again and need it. An incomplete graph may also
merely keep a task, which is then neither forgotten nor computed for the graph.
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
"""Reason for the cancellation of a task that can never be computed."""


def add_want(state: SchedulerState, client: ClientState, task: TaskState) -> None:
    """Add a client to those that want a task, and report the task's state if it is finished or failed."""
    record_want(client, task)
    if task.state == RELEASED:
        state.recommendations.append((task, WAITING))
    elif task.state == MEMORY:
        state.instructions.append(ReportFinished(client.name, task.key, task.type_name, task.nbytes))
    elif task.error is not None and task.state == ERRED:
        state.instructions.append(ReportErred(client.name, task.key, task.error.failure, task.error.origin_key))


def record_want(client: ClientState, task: TaskState) -> None:
    """Add a client to those that want a task."""
    # The task is at hand, so its tuple is searched rather than the client's dictionary.
    if not task.wanted_by:
        task.wanted_by = client.as_tuple
    elif client not in task.wanted_by:
        task.wanted_by = (*task.wanted_by, client)
    else:
        return
    client.wants[task] = None


def remove_want(state: SchedulerState, client: ClientState, task: TaskState) -> None:
    """Remove a client from those that want a task."""
    del client.wants[task]
    wanted_by = task.wanted_by
    task.wanted_by = () if len(wanted_by) == 1 else tuple([other for other in wanted_by if other is not client])
    release_unneeded(state, task)


def unpin_graph(state: SchedulerState, record: GraphRecord) -> None:
    """Release the tasks and shared blobs of a graph that is complete or given up."""
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
    # Reference cycles would leave the record to the garbage collector.
    record.as_tuple = ()
    record.tasks = []
    record.shared = {}


def release_unneeded(state: SchedulerState, task: TaskState) -> None:
    """Recommend the transition of a task that nobody needs."""
    if task.waiters or task.wanted_by or task.pins:
        return
    if task.state in ACTIVE:
        state.recommendations.append((task, RELEASED))
    elif not task.dependents and not task.kept:
        state.recommendations.append((task, FORGOTTEN))
    elif task.state == MEMORY:
        state.recommendations.append((task, RELEASED))


def release_dependencies(state: SchedulerState, task: TaskState) -> None:
    """Release the dependencies of a task that is no longer active."""
    for dependency in task.dependencies:
        dependency.waiters -= 1
        if not dependency.waiters:
            release_unneeded(state, dependency)


def cancel_tree(state: SchedulerState, roots: Iterable[TaskState], reason: str, message: str) -> None:
    """Cancel tasks and all their dependents, and report this to the clients that want them.

    Cancelling removes the wants; tasks that nobody needs are then stopped and forgotten.
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
    """Cancel the active dependents of data that is lost for good; finished dependents are spared.

    Finished dependents may turn out to be lost as well before all transitions have run: `cancel_uncomputable` then
    looks at the root again.
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
    """Cancel again what is needed once more although it can never be computed.

    The need came back while it spread from lost results. Each time fewer tasks are wanted, so that this comes to an
    end.
    """
    uncomputable, state.uncomputable = state.uncomputable, {}
    for task, message in uncomputable.items():
        if task.state == RELEASED and is_needed(task):
            cancel_lost_data(state, task, message)


def _drop_wants(state: SchedulerState, cancelled: dict[TaskState, TaskState], reason: str, message: str) -> None:
    """Remove all wants of tasks; `cancelled` maps each task to the task on whose account it is cancelled."""
    instructions = state.instructions
    # Later cancellations in the same event need not walk through the dependents of these tasks again.
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
