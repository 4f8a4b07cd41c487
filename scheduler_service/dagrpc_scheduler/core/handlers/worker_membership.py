"""Workers join, leave, pause, disconnect and reconnect."""

from __future__ import annotations

from typing import Any

from dagrpc_scheduler.core.assignment import unassign
from dagrpc_scheduler.core.events import (
    ALL_ABILITIES,
    WorkerAbilitiesChanged,
    WorkerAdded,
    WorkerDisconnected,
    WorkerExplained,
    WorkerRemoved,
    WorkerResourcesChanged,
    WorkerResumed,
    WorkerStatusChanged,
)
from dagrpc_scheduler.core.handlers.steal_requests import relieve
from dagrpc_scheduler.core.instructions import CoreFailure
from dagrpc_scheduler.core.model import (
    DISCONNECTED,
    ERRED,
    PAUSED,
    RUNNING,
    WAITING,
    ErrorRecord,
    TaskState,
    WorkerState,
)
from dagrpc_scheduler.core.refcounts import cancel_lost_data
from dagrpc_scheduler.core.rejoin import reclaim_results, remember_removed
from dagrpc_scheduler.core.replica_table import replica_lost
from dagrpc_scheduler.core.restrictions import forget_allowed, may_run
from dagrpc_scheduler.core.state import SchedulerState

LOSS_REASONS_KEPT = 100
"""Number of lost workers for which the reason of the loss is kept."""


def worker_added(state: SchedulerState, event: WorkerAdded) -> None:
    """Add a worker, and place the tasks that waited for one like it."""
    previous = state.workers.get(event.address)
    if previous is not None:
        # The shell refuses a taken address. If a duplicate arrives all the same, the old worker is gone.
        _remove(state, previous, expected=False, reason="another worker took its address")
    worker = WorkerState(
        event.address,
        event.name or event.address,
        event.host,
        event.nthreads,
        event.memory_limit,
        event.resources,
        event.nanny,
        state.config.worker_saturation,
    )
    worker.abilities = event.abilities
    state.workers[worker.address] = worker
    state.aliases[worker.name] = worker
    state.hosts.setdefault(worker.host, {})[worker] = None
    worker.identity = event.identity
    if event.held or event.identity in state.removed_workers:
        reclaim_results(state, worker, event.held)
    _add_running(state, worker)


def worker_removed(state: SchedulerState, event: WorkerRemoved) -> None:
    """Remove a worker: its tasks run elsewhere, and results that only it held are computed again."""
    worker = state.workers.get(event.address)
    if worker is not None:
        _remove(state, worker, event.expected, event.reason, event.exit)


def worker_explained(state: SchedulerState, event: WorkerExplained) -> None:
    """Record why a worker was lost."""
    if event.address in state.loss_reasons:
        state.loss_reasons[event.address] = event.reason


def worker_status_changed(state: SchedulerState, event: WorkerStatusChanged) -> None:
    """Change a worker's status. Tasks stay on the worker, except on a paused one if others can run them."""
    worker = state.workers.get(event.address)
    if worker is None:
        return
    if worker.status == DISCONNECTED:
        worker.status_on_return = event.status
    else:
        set_status(state, worker, event.status)


def set_status(state: SchedulerState, worker: WorkerState, status: str) -> None:
    """Change a worker's status, and everything that follows from it."""
    if worker.status == status:
        return
    if worker.status == RUNNING:
        _remove_running(state, worker)
    worker.status = status
    if status == RUNNING:
        _add_running(state, worker)
    else:
        _place_queued_elsewhere(state)
        if worker.status == PAUSED:
            relieve(state, worker)


def worker_disconnected(state: SchedulerState, event: WorkerDisconnected) -> None:
    """Give a disconnected worker nothing new; it keeps what it has and continues."""
    worker = state.workers.get(event.address)
    if worker is None or worker.status == DISCONNECTED:
        return
    status_on_return = worker.status
    set_status(state, worker, DISCONNECTED)
    worker.status_on_return = status_on_return


def worker_resumed(state: SchedulerState, event: WorkerResumed) -> None:
    """Give a worker tasks again after it reconnected, and let others retry the fetches that failed."""
    worker = state.workers.get(event.address)
    if worker is None or worker.status != DISCONNECTED:
        return
    unreachable_for, worker.unreachable_for = worker.unreachable_for, None
    for task, readers in (unreachable_for or {}).items():
        if task in worker.has_what:
            for reader in readers:
                state.refresh.setdefault(reader, {})[task] = None
    status, worker.status_on_return = worker.status_on_return, ""
    set_status(state, worker, status)


def worker_resources_changed(state: SchedulerState, event: WorkerResourcesChanged) -> None:
    """Record a worker's resources, and place the tasks that waited for them."""
    worker = state.workers.get(event.address)
    if worker is None:
        return
    worker.resources = dict(event.resources)
    forget_allowed(state)
    if worker.status == RUNNING:
        _place_unrunnable(state, worker)
        _place_queued_elsewhere(state)


def worker_abilities_changed(state: SchedulerState, event: WorkerAbilitiesChanged) -> None:
    """Record the functions that a worker exports, and place the calls that waited for them."""
    worker = state.workers.get(event.address)
    if worker is None or worker.abilities == event.abilities:
        return
    running = worker.status == RUNNING
    if running:
        state.by_load.discard(worker)
        state.by_free_slots.discard(worker)
    worker.abilities = event.abilities
    forget_allowed(state)
    if running:
        if worker.abilities.takes_code:
            state.by_load.add(worker, state.now)
            state.by_free_slots.add(worker, state.now)
        _place_unrunnable(state, worker)
        _place_queued_elsewhere(state)


def _add_running(state: SchedulerState, worker: WorkerState) -> None:
    state.running[worker] = None
    state.total_nthreads += worker.nthreads
    state.spans.threads_changed(state.now, state.total_nthreads)
    if worker.abilities.takes_code:
        state.by_load.add(worker, state.now)
        state.by_free_slots.add(worker, state.now)
    forget_allowed(state)
    if worker.abilities is not ALL_ABILITIES:
        _place_queued_elsewhere(state)
    _place_unrunnable(state, worker)
    state.balance_due = True


def _place_unrunnable(state: SchedulerState, worker: WorkerState) -> None:
    """Place the tasks that no worker could run until now, if this worker can."""
    answers: dict[int, bool] = {}
    for task in state.unrunnable:
        if task.who_has:
            # The worker has just reconnected with the task's result.
            continue
        options = task.options
        # The tasks keep their options alive, so that the identity distinguishes them.
        answer = answers.get(id(options))
        if answer is None:
            answer = answers[id(options)] = may_run(worker, options)
        if answer:
            state.recommend(task, WAITING)


def _place_queued_elsewhere(state: SchedulerState) -> None:
    """Place queued tasks again that no running worker may run any more."""
    for task in state.queueing.without_workers():
        state.recommend(task, WAITING)


def _remove_running(state: SchedulerState, worker: WorkerState) -> None:
    del state.running[worker]
    state.total_nthreads -= worker.nthreads
    state.spans.threads_changed(state.now, state.total_nthreads)
    state.by_load.discard(worker)
    state.by_free_slots.discard(worker)
    forget_allowed(state)
    if not state.running:
        state.no_workers_since = state.now


def _note_orphaned_scatters(state: SchedulerState, worker: WorkerState) -> None:
    """Record the uploads that have no target worker left after this worker went."""
    for task, uploaders in state.pending_scatters.items():
        for client, places in uploaders.items():
            if worker.address in places:
                places.discard(worker.address)
                if not places:
                    state.orphaned_scatters[task, client] = state.now
    if state.orphaned_scatters:
        give_up_orphaned_scatters(state)


def give_up_orphaned_scatters(state: SchedulerState) -> None:
    """Treat data as lost whose client has found no other worker in time."""
    latest = state.now - state.config.orphaned_scatter_patience
    for (task, client), since in list(state.orphaned_scatters.items()):
        if since > latest:
            continue
        del state.orphaned_scatters[task, client]
        uploaders = state.pending_scatters.get(task)
        if uploaders is not None and uploaders.pop(client, None) is not None and not uploaders:
            cancel_lost_data(state, task, f"the workers left to which the data of {task.key!r} was uploaded")


def _remove(state: SchedulerState, worker: WorkerState, expected: bool, reason: str, exit: Any = None) -> None:
    if worker.status == RUNNING:
        _remove_running(state, worker)
    if worker.identity and not expected:
        remember_removed(state, worker)
    worker.status, worker.status_on_return, worker.unreachable_for = "closed", "", None
    del state.workers[worker.address]
    if state.aliases.get(worker.name) is worker:
        del state.aliases[worker.name]
    neighbours = state.hosts[worker.host]
    del neighbours[worker]
    if not neighbours:
        del state.hosts[worker.host]
    state.shared_blobs.forget_worker(worker)
    _place_queued_elsewhere(state)
    if not expected:
        _note_loss(state, worker.address, reason)

    if state.pending_scatters:
        _note_orphaned_scatters(state, worker)
    for task in list(worker.processing):
        unassign(state, task, worker)
        if not expected:
            task.suspicious += 1
            task.group.prefix.suspicious += 1
        if task.suspicious > state.config.allowed_failures:
            task.error = _killed(task, worker, reason, exit)
            state.killed_tasks += 1
            state.recommend(task, ERRED)
        else:
            state.recommend(task, WAITING)
    why = f"worker {worker.address} left" + (f": {reason}" if reason else "")
    for task in list(worker.has_what):
        replica_lost(state, task, worker, why)
    worker.as_tuple = ()


def _note_loss(state: SchedulerState, address: str, reason: str) -> None:
    state.lost_workers += 1
    reasons = state.loss_reasons
    reasons[address] = reason
    reasons.move_to_end(address)
    if len(reasons) > LOSS_REASONS_KEPT:
        reasons.popitem(last=False)


def _killed(task: TaskState, worker: WorkerState, reason: str, exit: Any) -> ErrorRecord:
    message = (
        f"{task.suspicious} workers died while the task {task.key!r} was assigned to them, "
        f"the last of them {worker.address}" + (f" ({reason})" if reason else "")
    )
    return ErrorRecord(CoreFailure("killed-worker", message, worker.address, task.suspicious, exit, reason), task.key)
