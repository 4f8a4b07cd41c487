"""Handlers of the scheduler's requests."""

from __future__ import annotations

from typing import Final

from dagrpc_worker.core.events import (
    ComputeRequested,
    KeysFreed,
    ReplicasRequested,
    ReplicasUnwanted,
    SessionRenewed,
    StealRequested,
    WhoHasRefreshed,
)
from dagrpc_worker.core.facts import (
    add_dependencies,
    discard_result,
    drop_request,
    give_back,
    give_up_replica,
    release_dependencies,
    report_finished_before,
    report_replica,
    retract_replica,
    set_holders,
    want_data,
)
from dagrpc_worker.core.instructions import (
    Interrupt,
    Reclaim,
    ReportLongRunning,
    ReportReplicasAdded,
    ReportReplicasRemoved,
    ReportRescheduled,
    ReportStealAnswer,
)
from dagrpc_worker.core.model import (
    CONSTRAINED,
    EXECUTING,
    FORGOTTEN,
    MEMORY,
    NO_RUN,
    READY,
    REPLICA_PRIORITY,
    WAITING,
    TaskState,
    WorkerState,
)
from dagrpc_worker.core.ready_tasks import queue_run

_RETURNABLE: Final = (WAITING, READY, CONSTRAINED)
"""States in which a task has not begun and can be given back."""


def on_compute_requested(state: WorkerState, request: ComputeRequested) -> None:
    """Run a task, unless its result is in the store or it is being executed: equal keys stand for equal work."""
    task = state.task(request.key)
    state.touched.append(task)
    if task.stored:
        if request.actor:
            # The stored result is a proxy of an earlier actor, or the earlier actor itself, which a running task uses.
            # The new actor must be created on another worker, or here a moment later.
            state.reports.append(ReportRescheduled(task.key, request.run_id))
        else:
            report_finished_before(state, task, request)
        return
    if task.seceded >= 0.0:
        state.reports.append(ReportLongRunning(task.key, request.run_id, task.seceded))
    if task.execution == NO_RUN and task.dependencies is not None:
        release_dependencies(state, task)
    task.request = request
    task.priority = request.priority
    if request.dependencies:
        unreported = add_dependencies(state, task, request)
        if unreported:
            state.reports.append(ReportReplicasAdded(unreported))
    if state.leaving:
        give_back(state, task)
    elif task.state == READY or task.state == CONSTRAINED:
        _requeue(state, task)


def _requeue(state: WorkerState, task: TaskState) -> None:
    """Put a task that was requested again into the queue of its new priority and resources."""
    assert task.request is not None
    if not task.waiting_for and (task.state == CONSTRAINED) == bool(task.request.resources):
        queue_run(state, task)


def on_keys_freed(state: WorkerState, event: KeysFreed) -> None:
    """Free results and drop requests. A result that a task here uses stays, unreported, until the task has ended."""
    tasks = state.tasks
    touched = state.touched
    retracted: list[str] = []
    for key in event.keys:
        task = tasks.get(key)
        if task is not None:
            if task.reported_as_replica:
                retract_replica(task, retracted)
            task.reported = False
            task.replica = False
            if event.discard:
                discard_result(state, task)
            if task.request is not None:
                drop_request(state, task)
            else:
                touched.append(task)
            if event.interrupt and task.execution != NO_RUN:
                state.reports.append(Interrupt(key, task.execution))
    if retracted:
        state.reports.append(ReportReplicasRemoved(retracted))


def on_steal_requested(state: WorkerState, event: StealRequested) -> None:
    """Give a task back if it has not begun. If it was handed over early, only the runner knows whether it has begun."""
    key = event.key
    task = state.tasks.get(key)
    # If the run has ended, its report is on the way to the scheduler and takes precedence over this answer.
    answer = FORGOTTEN
    if task is not None:
        if task.request is not None and task.request.run_id == event.run_id:
            answer = task.state
            if answer == EXECUTING and task.expected >= 0.0:
                task.reclaimed = event.run_id
                state.reports.append(Reclaim(key, task.execution))
                return
            if answer in _RETURNABLE:
                drop_request(state, task)
        elif task.state == MEMORY:
            answer = MEMORY
    state.reports.append(ReportStealAnswer(key, event.run_id, answer))


def on_replicas_requested(state: WorkerState, event: ReplicasRequested) -> None:
    """Fetch replicas, after the results that tasks wait for."""
    unreported: dict[str, int] = {}
    for key, nbytes, holders in event.data:
        task = state.task(key)
        want_data(state, task, nbytes, holders, REPLICA_PRIORITY, unreported)
        task.replica = not task.stored
        give_up_replica(state, task)
    if unreported:
        state.reports.append(ReportReplicasAdded(unreported))


def on_replicas_unwanted(state: WorkerState, event: ReplicasUnwanted) -> None:
    """Drop the replicas that no task here uses. The scheduler expects a report on each: dropped or kept."""
    kept: dict[str, int] = {}
    gone: list[str] = []
    for key in event.keys:
        task = state.tasks.get(key)
        if task is None:
            gone.append(key)
            continue
        task.replica = False
        if task.stored and task.dependents:
            report_replica(task, kept)
        else:
            task.reported = task.reported_as_replica = False
            gone.append(key)
        state.touched.append(task)
    if kept:
        state.reports.append(ReportReplicasAdded(kept, kept=True))
    if gone:
        state.reports.append(ReportReplicasRemoved(gone))


def on_who_has_refreshed(state: WorkerState, event: WhoHasRefreshed) -> None:
    """Update the holders of wanted results."""
    for key, _, holders in event.data:
        task = state.tasks.get(key)
        if task is not None and not task.stored:
            set_holders(state, task, holders)
            give_up_replica(state, task)


def on_session_renewed(state: WorkerState, event: SessionRenewed) -> None:
    """Drop all requests. Reported results stay: the worker reports them again, and the scheduler frees some of them."""
    for task in list(state.tasks.values()):
        # A result that is reported on registering cannot cross a request to free it.
        task.reported_as_replica = False
        task.replica = False
        if task.request is not None:
            drop_request(state, task)
        else:
            state.touched.append(task)
