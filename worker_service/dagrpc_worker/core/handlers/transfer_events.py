"""How transfers end, and data that others put here."""

from __future__ import annotations

from typing import Any

from dagrpc_worker.core.events import DataPut, GatherFailed, GatherRefused, GatherSucceeded, PeerRetryDue
from dagrpc_worker.core.facts import (
    drop_request,
    give_up_replica,
    is_wanted,
    receive_result,
    remove_holder,
    report_finished_before,
    report_replica,
    store_result,
)
from dagrpc_worker.core.fetch_planning import end_gather, forget_idle_peers, rest_peer
from dagrpc_worker.core.instructions import ReportDataMissing, ReportErred, ReportReplicasAdded
from dagrpc_worker.core.model import NO_RUN, TaskState, WorkerState


def on_gather_succeeded(state: WorkerState, event: GatherSucceeded) -> None:
    """Note what a transfer brought. What it was to bring and did not is asked for again."""
    mentioned = [*event.sizes, *event.missing, *event.failed, *event.deferred]
    call = end_gather(state, event.worker, mentioned)
    added: dict[str, int] = {}
    for key, nbytes in event.sizes.items():
        task = state.tasks.get(key)
        if task is None:
            state.dropped[key] = None
        else:
            receive_result(state, task, nbytes, added)
    if added:
        state.reports.append(ReportReplicasAdded(added))
    for key in event.missing:
        if key in call:
            _note_missing(state, state.tasks[key], event.worker)
    for key, failure in event.failed.items():
        if key in call:
            _fail_dependents(state, state.tasks[key], event.worker, failure)
    if event.sizes or event.missing or event.failed:
        peer = state.peers.get(event.worker)
        if peer is not None:
            peer.refusals = peer.failures = 0
    elif call:
        # All was put off: asking again at once would only be put off again.
        rest_peer(state, event.worker)
    forget_idle_peers(state)


def _note_missing(state: WorkerState, task: TaskState, holder: str) -> None:
    """Note that a peer does not hold a result. The scheduler learns it, so that it can name others."""
    remove_holder(task, holder)
    if is_wanted(task) and not task.stored:
        state.reports.append(ReportDataMissing(task.key, holder))
        give_up_replica(state, task)


def _fail_dependents(state: WorkerState, task: TaskState, holder: str, failure: Any) -> None:
    """Report failures of the tasks that wait for a result which cannot be transferred."""
    # Whoever still wants it is not to ask the same peer for the same failure, again and again.
    remove_holder(task, holder)
    # The scheduler can only be told of failed tasks; that a copy could not be made it sees from its absence.
    task.replica = False
    if task.stored:
        return
    for dependent in list(task.dependents or ()):
        request = dependent.request
        if request is not None and dependent.execution == NO_RUN:
            state.reports.append(ReportErred(dependent.key, request.run_id, failure, 0.0, 0.0))
            dependent.erred = True
            drop_request(state, dependent)


def on_gather_refused(state: WorkerState, event: GatherRefused) -> None:
    """Leave a busy peer alone for a while. Other holders may be asked meanwhile."""
    if end_gather(state, event.worker, list(event.keys)):
        rest_peer(state, event.worker)


def on_gather_failed(state: WorkerState, event: GatherFailed) -> None:
    """Try again later, or elsewhere; after too many failures, count the peer out as a holder of what it was to send.

    What else it holds is not counted out: if it was only the connection that broke, that would have the scheduler
    compute all of it again. A peer that is gone is not tried again: patience is for those that are cut off.
    """
    call = end_gather(state, event.worker, list(event.keys))
    peer = state.peers.get(event.worker)
    if not call or peer is None:
        return
    if not peer.resting:
        # Transfers that break together count once.
        peer.failures += 1
    if event.gone or peer.failures >= state.config.gather_attempts:
        for key in call:
            _note_missing(state, state.tasks[key], event.worker)
    rest_peer(state, event.worker)


def on_peer_retry_due(state: WorkerState, event: PeerRetryDue) -> None:
    """Ask a peer again."""
    peer = state.peers.get(event.worker)
    if peer is not None:
        peer.resting = False
        forget_idle_peers(state)


def on_data_put(state: WorkerState, event: DataPut) -> None:
    """Note results that somebody put here."""
    added: dict[str, int] = {}
    for key, nbytes in event.sizes.items():
        task = state.task(key)
        store_result(state, task, nbytes)
        if task.request is not None:
            report_finished_before(state, task, task.request)
            drop_request(state, task)
        else:
            report_replica(task, added)
    if added:
        state.reports.append(ReportReplicasAdded(added))
