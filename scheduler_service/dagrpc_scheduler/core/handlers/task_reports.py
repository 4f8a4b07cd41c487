"""Workers report the outcome of their tasks."""

from __future__ import annotations

from sys import intern

from dagrpc_scheduler.core.assignment import mark_long_running, unassign
from dagrpc_scheduler.core.events import TaskErred, TaskFinished, TaskLongRunning, TaskRescheduled
from dagrpc_scheduler.core.model import ERRED, MEMORY, WAITING, ErrorRecord, TaskState, WorkerState
from dagrpc_scheduler.core.occupancy import observe_duration, observe_size
from dagrpc_scheduler.core.replica_table import add_replica
from dagrpc_scheduler.core.state import SchedulerState


def task_finished(state: SchedulerState, event: TaskFinished) -> None:
    """Record the result of a task that a worker ran."""
    seconds = event.stop - event.start if event.start else 0.0
    state.queueing.run_ended(event.run_id, seconds)
    worker = state.workers.get(event.worker)
    if worker is None:
        return
    task = state.runs.get(event.run_id)
    if task is None or task.key != event.key or task.processing_on is not worker:
        _stale_result(state, state.tasks.get(event.key), worker, event.key)
        return
    prefix = task.group.prefix
    # A clock that was set back yields a negative duration.
    ran = max(seconds, 0.0)
    prefix.compute_seconds += ran
    # A worker that had the result already reports no times.
    if event.start:
        prefix.durations.add(ran)
        if task.ready_at:
            # By the scheduler's clock alone: those of workers may differ from it.
            prefix.waits.add(max(state.now - task.ready_at - ran, 0.0))
    nbytes = task.nbytes = event.nbytes
    task.type_name = intern(event.type_name)
    if not worker.long_running or task not in worker.long_running:
        worker.last_task_start = state.now
        if event.start:
            observe_duration(prefix, seconds, state.config)
    observe_size(prefix, nbytes, state.config)
    if task.options.span is not None:
        state.spans.finished(task, event.start, event.stop)
    add_replica(state, task, worker)
    state.payload = event.payload
    state.recommendations.append((task, MEMORY))


def _stale_result(state: SchedulerState, task: TaskState | None, worker: WorkerState, key: str) -> None:
    """Free a result of a run that was given up.

    The worker was told to free the key when the run was given up, and may have dropped the result already, so that the
    result cannot be used.
    """
    if task is not None and (task.processing_on is worker or task in worker.has_what):
        # On this worker, the key now stands for a newer run, or for a replica of a newer result.
        return
    state.free(worker, key)


def task_erred(state: SchedulerState, event: TaskErred) -> None:
    """Run a failed task again if it has retries left, otherwise fail it."""
    state.queueing.run_ended(event.run_id, event.stop - event.start if event.start else 0.0)
    task = _leaving_thread(state, event)
    if task is None:
        return
    if task.retries > 0:
        task.retries -= 1
        _place_again(state, task)
    else:
        task.error = ErrorRecord(event.failure, task.key)
        state.recommend(task, ERRED)


def task_rescheduled(state: SchedulerState, event: TaskRescheduled) -> None:
    """Run a task again that asked for it, preferably on another worker."""
    task = _leaving_thread(state, event)
    if task is not None:
        task.avoid = task.processing_on
        _place_again(state, task)


def task_long_running(state: SchedulerState, event: TaskLongRunning) -> None:
    """Record that a task left its worker's thread pool."""
    state.queueing.run_ended(event.run_id, event.duration)
    task = _leaving_thread(state, event)
    if task is not None and task.processing_on is not None:
        if task not in task.processing_on.long_running:
            observe_duration(task.group.prefix, event.duration, state.config)
        mark_long_running(state, task, task.processing_on)


def _leaving_thread(state: SchedulerState, event: TaskErred | TaskRescheduled | TaskLongRunning) -> TaskState | None:
    """Return the task that leaves its thread with a report; None: the report is about a run that was given up."""
    task = state.runs.get(event.run_id)
    if task is None or task.key != event.key or task.processing_on is None:
        return None
    worker = task.processing_on
    if worker.address != event.worker:
        return None
    if task not in worker.long_running:
        worker.last_task_start = state.now
    return task


def _place_again(state: SchedulerState, task: TaskState) -> None:
    """Place a task again. Its worker has dropped it and need not be told."""
    if task.processing_on is not None:
        unassign(state, task, task.processing_on)
    task.ready_at = 0.0
    state.recommend(task, WAITING)
