"""Tasks with a timeout.

The time counts from the call of a task's function. When it is over, the task is interrupted, as far as Python allows,
and fails with its traceback. A task that does not stop within a grace period fails all the same, while its *timed-out
run* goes on: the run's outcome is ignored, a new thread takes its thread's place, and a new run of the key may begin
beside it. The number of timed-out runs whose threads are replaced is limited.
"""

from __future__ import annotations

import heapq

from dagrpc_worker.core.events import DeadlineReached, ExecuteInterrupted, ExecuteStarted
from dagrpc_worker.core.facts import release_dependencies
from dagrpc_worker.core.instructions import DetachThread, Interrupt, ReportTimedOut, WakeLater
from dagrpc_worker.core.model import CANCELLED, EXECUTING, LONG_RUNNING, NO_ALARM, Deadline, TaskState, WorkerState
from dagrpc_worker.core.ready_tasks import end_execution, pool_of

_SLACK = 64
"""Up to this number, stale deadlines are not worth removing."""


def on_execute_started(state: WorkerState, event: ExecuteStarted) -> None:
    """Set the deadline of a task that has begun."""
    task = state.tasks.get(event.key)
    if task is None or task.execution != event.run_id or task.executed is None or task.executed.timeout <= 0.0:
        return
    _add(state, Deadline(event.start + task.executed.timeout, event.run_id, event.key, False, event.start))


def on_execute_interrupted(state: WorkerState, event: ExecuteInterrupted) -> None:
    """Set the deadline by which an interrupted task must have ended."""
    task = state.tasks.get(event.key)
    if task is None or task.execution != event.run_id or task.executed is None:
        return
    start = state.now - task.executed.timeout
    _add(state, Deadline(state.now + state.config.timeout_grace, event.run_id, event.key, True, start))


def on_deadline_reached(state: WorkerState, event: DeadlineReached) -> None:
    """Handle the deadlines that have passed, and set the alarm for the next one."""
    state.alarm = NO_ALARM
    heap = state.deadlines
    while heap and heap[0].when <= state.now:
        deadline = heapq.heappop(heap)
        task = state.tasks.get(deadline.key)
        if task is None or task.execution != deadline.run_id or task.executed is None:
            continue
        if deadline.interrupted:
            _time_out(state, task, deadline)
        else:
            state.reports.append(Interrupt(task.key, deadline.run_id, task.executed.timeout))
    _set_alarm(state)


def timed_out_run_ended(state: WorkerState, key: str, run_id: int) -> None:
    """Note the end of a run; if it had timed out, the thread that it may have occupied is free."""
    pool = state.timed_out_runs.pop((key, run_id), None)
    if pool is not None:
        pool.handed_over -= 1


def _add(state: WorkerState, deadline: Deadline) -> None:
    heap = state.deadlines
    heapq.heappush(heap, deadline)
    counts = state.counts
    # Each run has one deadline at a time. The deadlines of runs that have ended stay until they pass.
    if len(heap) > 2 * (counts[EXECUTING] + counts[LONG_RUNNING] + counts[CANCELLED]) + _SLACK:
        heap[:] = [entry for entry in heap if _is_live(state, entry)]
        heapq.heapify(heap)
    _set_alarm(state)


def _is_live(state: WorkerState, deadline: Deadline) -> bool:
    task = state.tasks.get(deadline.key)
    return task is not None and task.execution == deadline.run_id


def _set_alarm(state: WorkerState) -> None:
    heap = state.deadlines
    if heap and heap[0].when < state.alarm:
        state.alarm = heap[0].when
        state.reports.append(WakeLater(max(state.alarm - state.now, 0.0)))


def _time_out(state: WorkerState, task: TaskState, deadline: Deadline) -> None:
    """Report a run as failed that has not stopped."""
    executed, request = task.executed, task.request
    assert executed is not None
    replace = len(state.timed_out_runs) < state.config.timed_out_limit
    occupies = task.seceded < 0.0
    end_execution(state, task)
    pool = None
    if occupies and not replace:
        pool = pool_of(state, executed.executor)
        pool.handed_over += 1
    state.timed_out_runs[task.key, deadline.run_id] = pool
    state.reports.append(DetachThread(task.key, deadline.run_id, replace and occupies))
    if request is not None:
        task.request = None
        task.erred = True
        state.reports.append(
            ReportTimedOut(task.key, request.run_id, executed.timeout, state.address, deadline.start, state.now)
        )
    release_dependencies(state, task)
    state.touched.append(task)
