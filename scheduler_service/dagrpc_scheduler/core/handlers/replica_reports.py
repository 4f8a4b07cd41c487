"""Results turn up on workers, and vanish from them."""

from __future__ import annotations

from dagrpc_scheduler.core.assignment import use_result
from dagrpc_scheduler.core.events import DataMissing, ReplicasAdded, ReplicasRemoved
from dagrpc_scheduler.core.handlers.replica_plan_steps import ask_whether_held, freed_recently
from dagrpc_scheduler.core.instructions import RefreshWhoHas
from dagrpc_scheduler.core.model import ACTIVE, DISCONNECTED, MEMORY, PROCESSING, TaskState, WorkerState
from dagrpc_scheduler.core.replica_table import add_replica, replica_lost
from dagrpc_scheduler.core.state import SchedulerState


def replicas_added(state: SchedulerState, event: ReplicasAdded) -> None:
    """A worker holds results. Those that are of no use it is to drop."""
    worker = state.workers.get(event.worker)
    if worker is None:
        return
    for key, nbytes in event.sizes.items():
        if event.kept:
            worker.pending_frees.pop(key, None)
        task = state.tasks.get(key)
        if task is not None and task.options.actor:
            # What others have of an actor is a proxy: of use to the task that fetched it, and to nobody else.
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
    """A worker lost results."""
    worker = state.workers.get(event.worker)
    if worker is None:
        return
    for key in event.keys:
        worker.pending_frees.pop(key, None)
        task = state.tasks.get(key)
        if task is not None and task in worker.has_what:
            replica_lost(state, task, worker, f"worker {worker.address} dropped it")


def data_missing(state: SchedulerState, event: DataMissing) -> None:
    """A worker did not get a result from the one that was said to hold it."""
    task = state.tasks.get(event.key)
    holder = state.workers.get(event.holder)
    reader = state.workers.get(event.worker)
    if task is not None and holder is not None and task in holder.has_what:
        if reader is not None and holder.status == DISCONNECTED and len(task.who_has) == 1:
            # It will come back, and the reader is told then; or it will not, and all that depends on it moves.
            if holder.unreachable_for is None:
                holder.unreachable_for = {}
            holder.unreachable_for.setdefault(task, {})[reader] = None
            return
        if len(task.who_has) == 1 and freed_recently(state, holder, task.key):
            # It may have got the result again since it was asked; then this is the only copy.
            ask_whether_held(state, task, holder)
        else:
            _count_out(state, task, holder, event.worker)
    if reader is None:
        return
    if task is None:
        state.instructions.append(RefreshWhoHas(reader.address, [(event.key, 0, ())]))
    else:
        state.refresh.setdefault(reader, {})[task] = None


def _count_out(state: SchedulerState, task: TaskState, holder: WorkerState, reader: str) -> None:
    replica_lost(state, task, holder, f"worker {reader} did not get it from {holder.address}")
    # If it is there after all, it is of no use to anyone; and its own tasks can get it elsewhere.
    state.free(holder, task.key)
    _tell_tasks_of(state, holder, task)


def _tell_tasks_of(state: SchedulerState, worker: WorkerState, task: TaskState) -> None:
    for dependent in task.dependents or ():
        if dependent.state == PROCESSING and dependent.processing_on is worker:
            state.refresh.setdefault(worker, {})[task] = None
            return
