"""Changes of facts that several handlers have in common. Each notes the tasks whose state may follow."""

from __future__ import annotations

from dagrpc_worker.core.events import ComputeRequested
from dagrpc_worker.core.fetch_planning import queue_fetch
from dagrpc_worker.core.instructions import CancelExecution, ReportFinished, ReportReplicasRemoved, ReportRescheduled
from dagrpc_worker.core.model import FETCH, MEMORY, NO_RUN, TaskState, WorkerState


def drop_request(state: WorkerState, task: TaskState) -> None:
    """Note that a run is no longer wanted. If it was handed over, it keeps what it uses until it ends."""
    task.request = None
    if task.execution == NO_RUN:
        release_dependencies(state, task)
    elif not task.cancelled:
        task.cancelled = True
        state.reports.append(CancelExecution(task.key, task.execution))
    state.touched.append(task)


def give_back(state: WorkerState, task: TaskState) -> None:
    """Have a task run elsewhere that was not handed over, if it is one."""
    if task.request is not None and task.execution == NO_RUN:
        state.reports.append(ReportRescheduled(task.key, task.request.run_id))
        drop_request(state, task)


def release_dependencies(state: WorkerState, task: TaskState) -> None:
    """Note that a run needs its dependencies no more."""
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
    """Note what a run uses. Tell the sizes of those which are here without the scheduler counting on them."""
    unreported: dict[str, int] = {}
    if task.dependencies is None:
        task.dependencies = []
    for key, nbytes, holders in request.dependencies:
        dependency = state.task(key)
        if dependency.dependents is None:
            dependency.dependents = {}
        elif task in dependency.dependents:
            if dependency.stale:
                # What is here is for the execution that goes on. Should it be skipped, the next needs the new result.
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
    """Note that a result is wanted here. Add it to `unreported` if it is here already, unknown to the scheduler."""
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
    """Note who is said to hold a result that is not here."""
    if state.address in holders:
        # The scheduler counts on a copy that does not exist: it must learn of it, or it would count on it for ever.
        holders = tuple(holder for holder in holders if holder != state.address)
        state.reports.append(ReportReplicasRemoved([task.key]))
    if holders == task.holders:
        return
    task.holders = tuple(holders)
    state.touched.append(task)
    if holders and task.state == FETCH:
        queue_fetch(state, task)


def remove_holder(task: TaskState, holder: str) -> None:
    """Note that a peer does not hold a result. Not for tasks in `FETCH`, which are queued with their holders."""
    task.holders = tuple(other for other in task.holders if other != holder)


def report_replica(task: TaskState, unreported: dict[str, int]) -> None:
    """Note that the scheduler is told of a result, by a `ReportReplicasAdded` of what is in `unreported`."""
    task.reported = True
    task.reported_as_replica = True
    unreported[task.key] = task.nbytes


def retract_replica(task: TaskState, retracted: list[str]) -> None:
    """Note that the scheduler does not count on a result any more.

    Add it to `retracted`, to be reported removed, if the scheduler may yet come to count on it: an announcement by
    `ReportReplicasAdded`, other than the end of a run, is believed even if it comes after the order to free the key.
    """
    task.reported = False
    if task.reported_as_replica:
        task.reported_as_replica = False
        retracted.append(task.key)


def give_up_replica(state: WorkerState, task: TaskState) -> None:
    """Give up a copy of what nobody holds: the scheduler will not tell when it was freed, or lost, meanwhile."""
    if task.replica and not task.holders:
        task.replica = False
        state.touched.append(task)


def is_wanted(task: TaskState) -> bool:
    """Tell whether a result is to be had from a peer."""
    return task.replica or bool(task.dependents)


def store_result(state: WorkerState, task: TaskState, nbytes: int) -> None:
    """Note that a result is in the store."""
    if task.stored:
        state.stored_nbytes -= task.nbytes
    task.stored = True
    task.stale = False
    task.nbytes = nbytes
    state.stored_nbytes += nbytes
    # It may have been dropped earlier in the same batch: what is there now is the new one.
    state.dropped.pop(task.key, None)
    state.touched.append(task)


def discard_result(state: WorkerState, task: TaskState) -> None:
    """Have a task's result computed anew, should it be asked for again. Executions that use it keep what they have."""
    if task.stored:
        state.stored_nbytes -= task.nbytes
        task.stored = False
        task.stale = True
    task.outdated = task.execution != NO_RUN
    state.touched.append(task)


def receive_result(state: WorkerState, task: TaskState, nbytes: int, unreported: dict[str, int]) -> None:
    """Note that a result came from elsewhere, and report its run finished if one was wanted.

    Add it to `unreported` if the scheduler is still to be told that it is here.
    """
    store_result(state, task, nbytes)
    if task.request is not None:
        report_finished_before(state, task, task.request)
        drop_request(state, task)
        return
    if not task.reported and is_wanted(task):
        report_replica(task, unreported)


def report_finished_before(state: WorkerState, task: TaskState, request: ComputeRequested) -> None:
    """Report a run finished for which nothing had to be run: its result is here. It has no times."""
    task.reported = True
    task.replica = False
    task.made_by = request.run_id
    state.reports.append(ReportFinished(task.key, request.run_id, task.nbytes, task.type_name, 0.0, 0.0))
