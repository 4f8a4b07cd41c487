"""What the scheduler asks for."""

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

_GIVEN_UP: Final = (WAITING, READY, CONSTRAINED)
"""States in which a task can be given back."""


def on_compute_requested(state: WorkerState, request: ComputeRequested) -> None:
    """Run a task, unless its result is here or it is being executed: the same key stands for the same work."""
    task = state.task(request.key)
    state.touched.append(task)
    if task.stored:
        if request.actor:
            # What is here is a proxy of an earlier actor, or that actor, which a run that goes on uses. To take it for
            # the new one would be wrong; elsewhere, or in a moment, the new one can be made.
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
    """Put a task that was asked for again where its new priority and resources belong."""
    assert task.request is not None
    if not task.waiting_for and (task.state == CONSTRAINED) == bool(task.request.resources):
        queue_run(state, task)


def on_keys_freed(state: WorkerState, event: KeysFreed) -> None:
    """Forget results and runs. What a task here uses stays, unknown to the scheduler, until it is done."""
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
    """Give a task back if it has not begun: one that was handed over ahead of a free thread may have."""
    key = event.key
    task = state.tasks.get(key)
    # The run may be over: then its report is on its way, and says more than this answer.
    answer = FORGOTTEN
    if task is not None:
        if task.request is not None and task.request.run_id == event.run_id:
            answer = task.state
            if answer == EXECUTING and task.expected >= 0.0:
                task.reclaimed = event.run_id
                state.reports.append(Reclaim(key, task.execution))
                return
            if answer in _GIVEN_UP:
                drop_request(state, task)
        elif task.state == MEMORY:
            answer = MEMORY
    state.reports.append(ReportStealAnswer(key, event.run_id, answer))


def on_replicas_requested(state: WorkerState, event: ReplicasRequested) -> None:
    """Fetch copies, after all that tasks wait for."""
    unreported: dict[str, int] = {}
    for key, nbytes, holders in event.data:
        task = state.task(key)
        want_data(state, task, nbytes, holders, REPLICA_PRIORITY, unreported)
        task.replica = not task.stored
        give_up_replica(state, task)
    if unreported:
        state.reports.append(ReportReplicasAdded(unreported))


def on_replicas_unwanted(state: WorkerState, event: ReplicasUnwanted) -> None:
    """Drop copies that no task here uses. The scheduler waits to hear of each whether it goes or stays."""
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
    """Note who holds what is wanted here."""
    for key, _, holders in event.data:
        task = state.tasks.get(key)
        if task is not None and not task.stored:
            set_holders(state, task, holders)
            give_up_replica(state, task)


def on_session_renewed(state: WorkerState, event: SessionRenewed) -> None:
    """Give up all runs and copies. What the scheduler knew to be here stays: it is told, and says what is to go."""
    for task in list(state.tasks.values()):
        # What is reported by coming back is not reported after any order to free it.
        task.reported_as_replica = False
        task.replica = False
        if task.request is not None:
            drop_request(state, task)
        else:
            state.touched.append(task)
