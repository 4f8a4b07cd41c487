"""Workers report results that they hold, lost, or could not fetch."""

from __future__ import annotations

from dagrpc_scheduler.core.assignment import use_result
from dagrpc_scheduler.core.events import DataMissing, ReplicasAdded, ReplicasRemoved
from dagrpc_scheduler.core.handlers.replica_plan_steps import freed_recently, verify_replica
from dagrpc_scheduler.core.instructions import RefreshWhoHas
from dagrpc_scheduler.core.model import ACTIVE, DISCONNECTED, MEMORY, PROCESSING, TaskState, WorkerState
from dagrpc_scheduler.core.replica_table import add_replica, replica_lost
from dagrpc_scheduler.core.state import SchedulerState


def replicas_added(state: SchedulerState, event: ReplicasAdded) -> None:
    """Record results that a worker holds, and free those that are not needed."""
    worker = state.workers.get(event.worker)
    if worker is None:
        return
    for key, nbytes in event.sizes.items():
        if event.kept:
            worker.pending_frees.pop(key, None)
        task = state.tasks.get(key)
        if task is not None and task.options.actor:
            # Other workers hold proxies of an actor, which only the task that fetched the proxy can use.
            if task not in worker.has_what and task.processing_on is not worker:
                state.free(worker, key)
        elif task is not None and task.state == MEMORY:
            if task not in worker.has_what:
                add_replica(state, task, worker)
        elif task is not None and task.state in ACTIVE:
            use_result(state, task, worker, nbytes)
        else:
            state.free(worker, key)


def replicas_removed(state: SchedulerState, event: ReplicasRemoved) -> None:
    """Record that a worker no longer holds results."""
    worker = state.workers.get(event.worker)
    if worker is None:
        return
    for key in event.keys:
        worker.pending_frees.pop(key, None)
        task = state.tasks.get(key)
        if task is not None and task in worker.has_what:
            replica_lost(state, task, worker, f"worker {worker.address} dropped it")


def data_missing(state: SchedulerState, event: DataMissing) -> None:
    """Handle a worker's report that it could not fetch a result from a listed holder."""
    task = state.tasks.get(event.key)
    holder = state.workers.get(event.holder)
    reader = state.workers.get(event.worker)
    if task is not None and holder is not None and task in holder.has_what:
        if reader is not None and holder.status == DISCONNECTED and len(task.who_has) == 1:
            # When the holder reconnects, the reader is told; if it does not, everything that depends on it is
            # rescheduled.
            if holder.unreachable_for is None:
                holder.unreachable_for = {}
            holder.unreachable_for.setdefault(task, {})[reader] = None
            return
        if len(task.who_has) == 1 and freed_recently(state, holder, task.key):
            # The holder may have received the result again since it was asked; then it has the only copy.
            verify_replica(state, task, holder)
        else:
            _drop_replica(state, task, holder, event.worker)
    if reader is None:
        return
    if task is None:
        state.instructions.append(RefreshWhoHas(reader.address, [(event.key, 0, ())]))
    else:
        state.refresh.setdefault(reader, {})[task] = None


def _drop_replica(state: SchedulerState, task: TaskState, holder: WorkerState, reader: str) -> None:
    replica_lost(state, task, holder, f"worker {reader} could not fetch it from {holder.address}")
    # If the holder has the result after all, nobody will use it, and the holder's own tasks can fetch another copy.
    state.free(holder, task.key)
    _tell_tasks_of(state, holder, task)


def _tell_tasks_of(state: SchedulerState, worker: WorkerState, task: TaskState) -> None:
    for dependent in task.dependents or ():
        if dependent.state == PROCESSING and dependent.processing_on is worker:
            state.refresh.setdefault(worker, {})[task] = None
            return
