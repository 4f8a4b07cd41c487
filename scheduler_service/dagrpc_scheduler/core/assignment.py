"""Assignment of tasks to workers, and its end."""

from __future__ import annotations

from dagrpc_scheduler.core.events import NO_OPTIONS
from dagrpc_scheduler.core.instructions import ComputeTask, FreeKeys
from dagrpc_scheduler.core.model import MEMORY, TaskState, WorkerState
from dagrpc_scheduler.core.occupancy import expected_cost
from dagrpc_scheduler.core.replica_table import add_replica, location
from dagrpc_scheduler.core.state import SchedulerState


def assign(state: SchedulerState, task: TaskState, worker: WorkerState) -> None:
    """Assign a task to a worker."""
    state.run_id = run_id = state.run_id + 1
    task.run_id = run_id
    state.runs[run_id] = task
    task.avoid = None
    if len(worker.processing) - len(worker.long_running) < worker.nthreads:
        worker.last_task_start = state.now
    cost = expected_cost(task, worker, state.config)
    worker.processing[task] = cost
    worker.occupancy += cost
    options = task.options
    if options is not NO_OPTIONS:
        used = worker.used_resources
        for name, amount in options.resources.items():
            used[name] = used.get(name, 0.0) + amount
        if options.actor:
            worker.actors += 1
    # Later keys must not join a `FreeKeys` that precedes this instruction.
    worker.free_batch = None
    state.instructions.append(
        ComputeTask(
            worker.address,
            task.key,
            run_id,
            (*task.rank, task.order),
            task.work,
            task.shared,
            state.shared_blobs.unsent_for(worker, task.shared) if task.shared else (),
            [location(state, dependency) for dependency in task.dependencies] if task.dependencies else (),
            options,
            task.group.prefix.duration,
        )
    )


def unassign(state: SchedulerState, task: TaskState, worker: WorkerState) -> None:
    """End the assignment of a task to a worker."""
    cost = worker.processing.pop(task)
    del state.runs[task.run_id]
    task.processing_on = None
    if worker.long_running:
        worker.long_running.pop(task, None)
    if state.steals.pending:
        state.steals.pending.pop(task, None)
    # A sum of rounded numbers drifts; that of an idle worker is reset.
    worker.occupancy = max(worker.occupancy - cost, 0.0) if worker.processing else 0.0
    if task.options is not NO_OPTIONS:
        _release_resources(worker, task)
    state.by_load.lowered[worker] = None
    state.by_free_slots.lowered[worker] = None


def cancel_run(state: SchedulerState, task: TaskState) -> None:
    """Take a task back from its worker, if it has one."""
    worker = task.processing_on
    if worker is not None:
        unassign(state, task, worker)
        if state.interrupting:
            # Keys of runs that are not interrupted must not join this instruction.
            worker.free_batch = None
            state.instructions.append(FreeKeys(worker.address, [task.key], True))
        else:
            state.free(worker, task.key)


def use_result(state: SchedulerState, task: TaskState, worker: WorkerState, nbytes: int) -> None:
    """Use a result that appeared on a worker instead of computing it."""
    if task.processing_on is worker:
        # Taking back the worker's run would lose the result; the worker reports shortly that the run finished.
        return
    if task in worker.has_what:
        # Two workers reported the result in one batch, and the transition of the first is still to come.
        return
    cancel_run(state, task)
    if not task.who_has:
        task.nbytes = nbytes
    add_replica(state, task, worker)
    state.recommend(task, MEMORY)


def mark_long_running(state: SchedulerState, task: TaskState, worker: WorkerState) -> None:
    """Stop counting a task as occupancy that continues outside the worker's thread pool."""
    if task not in worker.long_running:
        worker.long_running[task] = None
        worker.occupancy = max(worker.occupancy - worker.processing[task], 0.0)
        worker.processing[task] = 0.0
        state.by_load.lowered[worker] = None
        state.by_free_slots.lowered[worker] = None


def _release_resources(worker: WorkerState, task: TaskState) -> None:
    if task.options.actor:
        worker.actors -= 1
    used = worker.used_resources
    for name, amount in task.options.resources.items():
        used[name] -= amount
        if not worker.processing:
            used[name] = 0.0
