"""Who needs what: reference counts, and what becomes of tasks that nobody needs.

A task is needed by the clients that want its result, by its dependents that are to be computed, and by a graph of
which more parts are to come. A task that is not needed is not computed and its result is not kept. It is forgotten
once it has no dependents left either: until then, one of them may have to be computed again and need it. A graph on
its way may also only keep a task: then it is not forgotten, but not computed for the sake of the graph either.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dagrpc_scheduler.core.cluster import ClientState, GraphRecord
from dagrpc_scheduler.core.instructions import ReportCancelled, ReportErred, ReportFinished
from dagrpc_scheduler.core.model import ACTIVE, ERRED, FORGOTTEN, MEMORY, RELEASED, WAITING, TaskState, is_needed
from dagrpc_scheduler.core.state import SchedulerState

LOST_DEPENDENCIES: Final = "lost dependencies"
"""Reason for which a task is cancelled that can never be computed."""


def want(state: SchedulerState, client: ClientState, task: TaskState) -> None:
    """Have a client want a task, and tell it at once what has become of the task already."""
    note_want(client, task)
    if task.state == RELEASED:
        state.recommendations.append((task, WAITING))
    elif task.state == MEMORY:
        state.effects.append(ReportFinished(client.name, task.key, task.type_name, task.nbytes))
    elif task.error is not None and task.state == ERRED:
        state.effects.append(ReportErred(client.name, task.key, task.error.failure, task.error.origin_key))


def note_want(client: ClientState, task: TaskState) -> None:
    """Have a client want a task."""
    # A task knows as well who wants it, and is at hand.
    if not task.wanted_by:
        task.wanted_by = client.alone
    elif client not in task.wanted_by:
        task.wanted_by = (*task.wanted_by, client)
    else:
        return
    client.wants[task] = None


def stop_wanting(state: SchedulerState, client: ClientState, task: TaskState) -> None:
    """Have a client no longer want a task that it wants."""
    del client.wants[task]
    wanted_by = task.wanted_by
    task.wanted_by = () if len(wanted_by) == 1 else tuple([other for other in wanted_by if other is not client])
    release_unneeded(state, task)


def unpin(state: SchedulerState, record: GraphRecord) -> None:
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
        state.shared.release(digest, state.effects)
    # Else only the garbage collector could remove it.
    record.alone = ()
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


def no_longer_active(state: SchedulerState, task: TaskState) -> None:
    """Take note that a task is not to be computed any more: it does not need its dependencies."""
    for dependency in task.dependencies:
        dependency.waiters -= 1
        if not dependency.waiters:
            release_unneeded(state, dependency)


def abandon(state: SchedulerState, roots: Iterable[TaskState], reason: str, message: str) -> None:
    """Have nobody want these tasks any more, nor those that depend on them, and tell who did.

    That is what cancels them: what nobody needs is stopped and forgotten.
    """
    doomed = {root: root for root in roots if root not in state.abandoned}
    stack = list(reversed(doomed))
    while stack:
        task = stack.pop()
        for dependent in task.dependents or ():
            if dependent not in doomed and dependent not in state.abandoned:
                doomed[dependent] = doomed[task]
                stack.append(dependent)
    _drop_wants(state, doomed, reason, message)


def abandon_lost_data(state: SchedulerState, root: TaskState, message: str) -> None:
    """Do the same for data that is gone for good, but spare dependents that were computed in time.

    They may turn out to be lost, too, before all has settled: `abandon_stranded` looks at the root again then.
    """
    doomed = {root: root}
    stack = [root]
    while stack:
        for dependent in stack.pop().dependents or ():
            if dependent.state not in ACTIVE or dependent in doomed:
                continue
            if dependent not in state.abandoned or is_needed(dependent):
                doomed[dependent] = root
                stack.append(dependent)
    state.announced.pop(root, None)
    state.stranded[root] = message
    _drop_wants(state, doomed, LOST_DEPENDENCIES, message)


def abandon_stranded(state: SchedulerState) -> None:
    """Abandon once more what can never be computed and is needed all the same.

    While need spread from results that were lost, this had been abandoned already. Each time fewer tasks are wanted,
    so that it comes to an end.
    """
    stranded, state.stranded = state.stranded, {}
    for task, message in stranded.items():
        if task.state == RELEASED and is_needed(task):
            abandon_lost_data(state, task, message)


def _drop_wants(state: SchedulerState, doomed: dict[TaskState, TaskState], reason: str, message: str) -> None:
    """Have nobody want these tasks; each comes with the task that is the reason."""
    effects = state.effects
    # Another one may be abandoned before these have left: their dependents need not be walked through again.
    state.abandoned |= doomed
    for task, root in doomed.items():
        for client in task.wanted_by:
            del client.wants[task]
            if task is root:
                effects.append(ReportCancelled(client.name, task.key, reason, message))
            else:
                consequence = f"it depends on {root.key!r}: {message or reason}"
                effects.append(ReportCancelled(client.name, task.key, LOST_DEPENDENCIES, consequence))
        task.wanted_by = ()
        task.pins = task.kept = ()
    for task in doomed:
        release_unneeded(state, task)
