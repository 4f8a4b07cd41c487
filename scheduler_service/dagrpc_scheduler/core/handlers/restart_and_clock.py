"""Restarts of the cluster, and time-outs."""

from __future__ import annotations

from typing import Final

from dagrpc_scheduler.core import unknown_keys
from dagrpc_scheduler.core.events import RestartRequested, TimePassed
from dagrpc_scheduler.core.handlers.worker_membership import give_up_orphaned_scatters
from dagrpc_scheduler.core.instructions import CoreFailure, ReportCancelled
from dagrpc_scheduler.core.model import ERRED, ErrorRecord, TaskState
from dagrpc_scheduler.core.refcounts import release_unneeded, unpin_graph
from dagrpc_scheduler.core.rejoin import forget_removed
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.core.worker_shortage import why_nobody

RESTART: Final = "scheduler-restart"


def restart_requested(state: SchedulerState, event: RestartRequested) -> None:
    """Forget all tasks."""
    for client in state.clients.values():
        for record in client.graphs.values():
            if not record.refused:
                record.refused = "the cluster was restarted while the graph was being submitted"
                record.reason = RESTART
            unpin_graph(state, record)
        for task in client.wants:
            state.instructions.append(ReportCancelled(client.name, task.key, RESTART))
            task.wanted_by = ()
        client.wants = {}
    unknown_keys.restart(state)
    state.pending_scatters = {}
    state.orphaned_scatters = {}
    for task in state.tasks.values():
        release_unneeded(state, task)


def time_passed(state: SchedulerState, event: TimePassed) -> None:
    """Give up wanted keys that nobody submits, uploads without a worker, and tasks that no worker may run."""
    if state.removed_workers:
        forget_removed(state)
    if state.unknown_keys:
        unknown_keys.give_up(state)
    if state.orphaned_scatters:
        give_up_orphaned_scatters(state)
    timeout = state.config.no_workers_timeout
    if timeout is None:
        return
    for task, since in state.unrunnable.items():
        if state.now - since < timeout:
            break
        _give_up(state, task, timeout)
    if state.queue.size and not state.running and state.now - state.no_workers_since >= timeout:
        for task in state.queue.tasks():
            _give_up(state, task, timeout)


def _give_up(state: SchedulerState, task: TaskState, timeout: float) -> None:
    failure = CoreFailure("no-valid-worker", why_nobody(state, timeout, task))
    task.error = ErrorRecord(failure, task.key)
    state.recommend(task, ERRED)
