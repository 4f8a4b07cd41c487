"""Workers report what became of their tasks."""

from __future__ import annotations

from sys import intern

from dagrpc_scheduler.core.assignment import mark_long_running, unassign
from dagrpc_scheduler.core.events import TaskErred, TaskFinished, TaskLongRunning, TaskRescheduled
from dagrpc_scheduler.core.model import ERRED, MEMORY, WAITING, ErrorRecord, TaskState, WorkerState
from dagrpc_scheduler.core.occupancy import observe_duration, observe_size
from dagrpc_scheduler.core.replica_table import add_replica
from dagrpc_scheduler.core.state import SchedulerState


def task_finished(state: SchedulerState, event: TaskFinished) -> None:
    """A worker ran a task and holds its result."""
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
    nbytes = task.nbytes = event.nbytes
    task.type_name = intern(event.type_name)
    if not worker.long_running or task not in worker.long_running:
        worker.last_task_start = state.now
        # A worker that had the result already reports no times.
        if event.start:
            observe_duration(prefix, seconds, state.config)
    observe_size(prefix, nbytes, state.config)
    if task.options.span is not None:
        state.spans.finished(task, event.start, event.stop)
    add_replica(state, task, worker)
    state.payload = event.payload
    state.recommendations.append((task, MEMORY))


def _stale_result(state: SchedulerState, task: TaskState | None, worker: WorkerState, key: str) -> None:
    """Have a worker drop a result that came too late.

    It was told so already when the run was given up, and may have dropped it meanwhile: the result cannot be used.
    """
    if task is not None and (task.processing_on is worker or task in worker.has_what):
        # The key stands for something else there by now: a newer run, or a copy of a newer result.
        return
    state.free(worker, key)


def task_erred(state: SchedulerState, event: TaskErred) -> None:
    """A task failed on a worker: run it again if it may be, or else give it up."""
    state.queueing.run_ended(event.run_id, event.stop - event.start if event.start else 0.0)
    task = _leaving(state, event)
    if task is None:
        return
    if task.retries > 0:
        task.retries -= 1
        _run_again(state, task)
    else:
        task.error = ErrorRecord(event.failure, task.key)
        state.recommend(task, ERRED)


def task_rescheduled(state: SchedulerState, event: TaskRescheduled) -> None:
    """A task asked to be run again, preferably elsewhere."""
    task = _leaving(state, event)
    if task is not None:
        task.avoid = task.processing_on
        _run_again(state, task)


def task_long_running(state: SchedulerState, event: TaskLongRunning) -> None:
    """A task left its worker's pool of threads."""
    state.queueing.run_ended(event.run_id, event.duration)
    task = _leaving(state, event)
    if task is not None and task.processing_on is not None:
        if task not in task.processing_on.long_running:
            observe_duration(task.group.prefix, event.duration, state.config)
        mark_long_running(state, task, task.processing_on)


def _leaving(state: SchedulerState, event: TaskErred | TaskRescheduled | TaskLongRunning) -> TaskState | None:
    """Return the task that leaves its thread with a report, unless that is about a run that was given up."""
    task = state.runs.get(event.run_id)
    if task is None or task.key != event.key or task.processing_on is None:
        return None
    worker = task.processing_on
    if worker.address != event.worker:
        return None
    if task not in worker.long_running:
        worker.last_task_start = state.now
    return task


def _run_again(state: SchedulerState, task: TaskState) -> None:
    """Place a task anew. Its worker has dropped it, and need not be told."""
    if task.processing_on is not None:
        unassign(state, task, task.processing_on)
    state.recommend(task, WAITING)
