"""Handlers of the ends of transfers, and of results that clients and peers put into the store."""

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
    """Note the received results. Results that the transfer did not bring are fetched again."""
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
        # The peer deferred every result, and would do so again if it were asked at once.
        rest_peer(state, event.worker)
    forget_idle_peers(state)


def _note_missing(state: WorkerState, task: TaskState, holder: str) -> None:
    """Note that a peer does not hold a result, and report it: the scheduler names other holders."""
    remove_holder(task, holder)
    if is_wanted(task) and not task.stored:
        state.reports.append(ReportDataMissing(task.key, holder))
        give_up_replica(state, task)


def _fail_dependents(state: WorkerState, task: TaskState, holder: str, failure: Any) -> None:
    """Report the failure of each task that waits for a result which cannot be transferred."""
    # The result must not be fetched from the same peer again, with the same failure.
    remove_holder(task, holder)
    # There is no report for a replica that could not be made: the scheduler notices its absence.
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
    """Pause before a busy peer is asked again. Other holders may be asked meanwhile."""
    if end_gather(state, event.worker, list(event.keys)):
        rest_peer(state, event.worker)


def on_gather_failed(state: WorkerState, event: GatherFailed) -> None:
    """Fetch again later, or from another holder; after too many failures, report the requested results as missing.

    Other results of the peer are not reported: if only the connection has failed, the scheduler would compute all of
    them again. The results of a peer whose process has ended are reported at once.
    """
    call = end_gather(state, event.worker, list(event.keys))
    peer = state.peers.get(event.worker)
    if not call or peer is None:
        return
    if not peer.resting:
        # Transfers that fail together count once.
        peer.failures += 1
    if event.gone or peer.failures >= state.config.gather_attempts:
        for key in call:
            _note_missing(state, state.tasks[key], event.worker)
    rest_peer(state, event.worker)


def on_peer_retry_due(state: WorkerState, event: PeerRetryDue) -> None:
    """Allow transfers from a peer again."""
    peer = state.peers.get(event.worker)
    if peer is not None:
        peer.resting = False
        forget_idle_peers(state)


def on_data_put(state: WorkerState, event: DataPut) -> None:
    """Note results that a client or a peer has put into the store."""
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
