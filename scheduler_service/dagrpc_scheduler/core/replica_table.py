"""The workers that hold each result."""

from __future__ import annotations

from collections.abc import Container

from dagrpc_scheduler.core.events import NO_OPTIONS
from dagrpc_scheduler.core.instructions import CoreFailure, RefreshWhoHas
from dagrpc_scheduler.core.model import (
    ERRED,
    MEMORY,
    PROCESSING,
    RELEASED,
    STAYING,
    ErrorRecord,
    TaskState,
    WorkerState,
)
from dagrpc_scheduler.core.state import SchedulerState


def add_replica(state: SchedulerState, task: TaskState, worker: WorkerState) -> None:
    """Record that a worker holds a task's result; it did not before."""
    if task.who_has:
        task.who_has = (*task.who_has, worker)
        state.replicated[task] = None
    else:
        task.who_has = worker.as_tuple
    worker.has_what[task] = None
    worker.nbytes += task.nbytes
    if task.options is not NO_OPTIONS and task.options.actor:
        worker.actors += 1


def remove_replica(state: SchedulerState, task: TaskState, worker: WorkerState) -> None:
    """Record that a worker no longer holds a result."""
    task.who_has = tuple([holder for holder in task.who_has if holder is not worker])
    if len(task.who_has) == 1:
        del state.replicated[task]
    del worker.has_what[task]
    worker.nbytes -= task.nbytes
    if task.options.actor:
        worker.actors -= 1


def free_everywhere(state: SchedulerState, task: TaskState) -> None:
    """Tell all holders to drop a result."""
    if len(task.who_has) > 1:
        del state.replicated[task]
    for worker in task.who_has:
        del worker.has_what[task]
        worker.nbytes -= task.nbytes
        if task.options is not NO_OPTIONS and task.options.actor:
            worker.actors -= 1
        state.free(worker, task.key)
    task.who_has = ()


def replica_lost(state: SchedulerState, task: TaskState, worker: WorkerState, why: str) -> None:
    """Handle the loss of a replica; with the last one, the result is lost."""
    remove_replica(state, task, worker)
    if task.who_has:
        tell_readers(state, task)
    elif task.options.actor:
        message = f"Worker holding Actor was lost: {task.key!r}: {why}"
        task.error = ErrorRecord(CoreFailure("lost-actor", message, worker.address), task.key)
        state.recommend(task, ERRED)
    else:
        state.recommend(task, RELEASED)


def tell_readers(state: SchedulerState, task: TaskState) -> None:
    """Schedule an update for the workers that are about to fetch a result."""
    for dependent in task.dependents or ():
        if dependent.state == PROCESSING:
            reader = dependent.processing_on
            if reader is not None and task not in reader.has_what:
                state.refresh.setdefault(reader, {})[task] = None


def can_gain(task: TaskState, worker: WorkerState) -> bool:
    """Tell whether a worker may fetch a replica of a result."""
    return task.state == MEMORY and not task.options.actor and task not in worker.has_what


def can_drop(task: TaskState, worker: WorkerState, dropping: Container[WorkerState] = ()) -> bool:
    """Tell whether a worker may drop its replica: another replica stays, and no task on the worker uses this one.

    Replicas on workers in `dropping` do not count, because these workers drop theirs, too.
    """
    key = task.key
    if task not in worker.has_what or task.options.actor or key in worker.pending_frees:
        return False
    leaves = worker.status not in STAYING
    for other in task.who_has:
        if other is worker or key in other.pending_frees or other in dropping:
            continue
        # Another replica on a leaving worker is enough only if this worker leaves as well.
        if leaves or other.status in STAYING:
            return not task.waiters or not is_used_on(task, worker)
    return False


def is_safe(task: TaskState, holder: WorkerState) -> bool:
    """Tell whether a holder of a result stays and certainly has the result.

    A holder that was told to drop the result may have reported it before it received the request.
    """
    return holder.status in STAYING and task.key not in holder.pending_frees


def is_used_on(task: TaskState, worker: WorkerState) -> bool:
    """Tell whether a task that is assigned to a worker uses a result."""
    dependents = task.dependents or {}
    if len(worker.processing) < len(dependents):
        return any(dependent in dependents for dependent in worker.processing)
    return any(dependent.processing_on is worker for dependent in dependents)


def send_refreshes(state: SchedulerState) -> None:
    """Send the scheduled updates of the holders of results."""
    refresh, state.refresh = state.refresh, {}
    for worker, tasks in refresh.items():
        if state.workers.get(worker.address) is worker:
            worker.free_batch = None
            state.instructions.append(RefreshWhoHas(worker.address, [location(state, task) for task in tasks]))


def location(state: SchedulerState, task: TaskState) -> tuple[str, int, tuple[str, ...]]:
    """Return a result's key, size in bytes and holders, as workers are told.

    If there are many holders, a different few are listed each time, so that the holders share the load.
    """
    holders = task.who_has
    count = len(holders)
    if count == 1:
        return task.key, task.nbytes, holders[0].addresses
    limit = state.config.holders_listed
    if count > limit:
        first = state.run_id % count
        holders = holders[first : first + limit] + holders[: max(0, first + limit - count)]
    return task.key, max(task.nbytes, 0), tuple([holder.address for holder in holders])
