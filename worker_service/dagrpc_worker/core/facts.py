"""Changes of facts that several handlers share. Each adds the tasks whose state may change to `WorkerState.touched`."""

from __future__ import annotations

from dagrpc_worker.core.events import ComputeRequested
from dagrpc_worker.core.fetch_planning import queue_fetch
from dagrpc_worker.core.instructions import CancelExecution, ReportFinished, ReportReplicasRemoved, ReportRescheduled
from dagrpc_worker.core.model import FETCH, MEMORY, NO_RUN, TaskState, WorkerState


def drop_request(state: WorkerState, task: TaskState) -> None:
    """Drop the request for a run. A run that was handed over keeps its dependencies until it ends."""
    task.request = None
    if task.execution == NO_RUN:
        release_dependencies(state, task)
    elif not task.cancelled:
        task.cancelled = True
        state.reports.append(CancelExecution(task.key, task.execution))
    state.touched.append(task)


def give_back(state: WorkerState, task: TaskState) -> None:
    """Give a requested task back to the scheduler unless it was handed over."""
    if task.request is not None and task.execution == NO_RUN:
        state.reports.append(ReportRescheduled(task.key, task.request.run_id))
        drop_request(state, task)


def release_dependencies(state: WorkerState, task: TaskState) -> None:
    """Release the dependencies of a run."""
    dependencies = task.dependencies
    if dependencies is None:
        return
    for dependency in dependencies:
        dependents = dependency.dependents
        assert dependents is not None
        del dependents[task]
        state.touched.append(dependency)
    task.dependencies = None
    task.waiting_for = 0


def add_dependencies(state: WorkerState, task: TaskState, request: ComputeRequested) -> dict[str, int]:
    """Add the dependencies of a run. Return the sizes of those in the store that the scheduler does not know of."""
    unreported: dict[str, int] = {}
    if task.dependencies is None:
        task.dependencies = []
    for key, nbytes, holders in request.dependencies:
        dependency = state.task(key)
        if dependency.dependents is None:
            dependency.dependents = {}
        elif task in dependency.dependents:
            if dependency.stale:
                # The stale result is for the execution under way. If that is skipped, the next one needs a new result.
                want_data(state, dependency, nbytes, holders, request.priority, unreported)
            continue
        dependency.dependents[task] = None
        task.dependencies.append(dependency)
        if dependency.state != MEMORY:
            task.waiting_for += 1
        want_data(state, dependency, nbytes, holders, request.priority, unreported)
    return unreported


def want_data(
    state: WorkerState,
    task: TaskState,
    nbytes: int,
    holders: tuple[str, ...],
    priority: tuple[float, ...],
    unreported: dict[str, int],
) -> None:
    """Note that a result is wanted. Add it to `unreported` if it is in the store and the scheduler does not know."""
    state.touched.append(task)
    if task.stored:
        if not task.reported:
            report_replica(task, unreported)
        return
    task.nbytes = nbytes
    if task.request is None and priority < task.priority:
        task.priority = priority
        if task.state == FETCH:
            queue_fetch(state, task)
    set_holders(state, task, holders)


def set_holders(state: WorkerState, task: TaskState, holders: tuple[str, ...]) -> None:
    """Set the peers that hold a result, as far as is known."""
    if state.address in holders:
        # The scheduler counts on a replica here that does not exist; unless it is told, it does so for ever.
        holders = tuple(holder for holder in holders if holder != state.address)
        state.reports.append(ReportReplicasRemoved([task.key]))
    if holders == task.holders:
        return
    task.holders = tuple(holders)
    state.touched.append(task)
    if holders and task.state == FETCH:
        queue_fetch(state, task)


def remove_holder(task: TaskState, holder: str) -> None:
    """Remove a peer from a result's holders. Not for tasks in `FETCH`, which are queued with their holders."""
    task.holders = tuple(other for other in task.holders if other != holder)


def report_replica(task: TaskState, unreported: dict[str, int]) -> None:
    """Add a result to `unreported`, which the caller sends as a `ReportReplicasAdded`."""
    task.reported = True
    task.reported_as_replica = True
    unreported[task.key] = task.nbytes


def retract_replica(task: TaskState, retracted: list[str]) -> None:
    """Note that the scheduler has freed a result; add the key to `retracted` if it must be reported as removed.

    A `ReportReplicasAdded` that crosses the scheduler's `KeysFreed` is believed, other than the report of a run's end.
    So a result that was reported as a replica must be retracted.
    """
    task.reported = False
    if task.reported_as_replica:
        task.reported_as_replica = False
        retracted.append(task.key)


def give_up_replica(state: WorkerState, task: TaskState) -> None:
    """Drop the request for a replica without holders: the scheduler does not report that the key was freed or lost."""
    if task.replica and not task.holders:
        task.replica = False
        state.touched.append(task)


def is_wanted(task: TaskState) -> bool:
    """Return whether a result is wanted from a peer."""
    return task.replica or bool(task.dependents)


def store_result(state: WorkerState, task: TaskState, nbytes: int) -> None:
    """Note that a result is in the store."""
    if task.stored:
        state.stored_nbytes -= task.nbytes
    task.stored = True
    task.stale = False
    task.nbytes = nbytes
    state.stored_nbytes += nbytes
    # An event of the same batch may have dropped the result that this one replaces.
    state.dropped.pop(task.key, None)
    state.touched.append(task)


def discard_result(state: WorkerState, task: TaskState) -> None:
    """Discard a task's result: a later request computes it again. Executions that use the result keep it."""
    if task.stored:
        state.stored_nbytes -= task.nbytes
        task.stored = False
        task.stale = True
    task.outdated = task.execution != NO_RUN
    state.touched.append(task)


def receive_result(state: WorkerState, task: TaskState, nbytes: int, unreported: dict[str, int]) -> None:
    """Note that a result was received, and report its run finished if one was requested.

    Otherwise add the result to `unreported` if it is wanted and the scheduler does not know of it.
    """
    store_result(state, task, nbytes)
    if task.request is not None:
        report_finished_before(state, task, task.request)
        drop_request(state, task)
        return
    if not task.reported and is_wanted(task):
        report_replica(task, unreported)


def report_finished_before(state: WorkerState, task: TaskState, request: ComputeRequested) -> None:
    """Report a requested run as finished, without times: its result is in the store already."""
    task.reported = True
    task.replica = False
    task.made_by = request.run_id
    state.reports.append(ReportFinished(task.key, request.run_id, task.nbytes, task.type_name, 0.0, 0.0))
