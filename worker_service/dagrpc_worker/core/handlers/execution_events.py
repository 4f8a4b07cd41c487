"""Handlers of the events of executions, and of pauses and resources.

An event names the run that was handed over. A report names the run that is wanted by then; if no run is wanted, nothing
is reported.
"""

from __future__ import annotations

from dagrpc_worker.core.deadlines import timed_out_run_ended
from dagrpc_worker.core.events import (
    ExecuteFailed,
    ExecuteKept,
    ExecuteRescheduled,
    ExecuteSkipped,
    ExecuteSucceeded,
    ExecutorOffered,
    Leaving,
    Paused,
    ResourcesSet,
    Resumed,
    TaskSeceded,
)
from dagrpc_worker.core.facts import give_back, is_wanted, release_dependencies, report_replica, store_result
from dagrpc_worker.core.instructions import (
    ReportErred,
    ReportFinished,
    ReportLongRunning,
    ReportReplicasAdded,
    ReportRescheduled,
    ReportStealAnswer,
)
from dagrpc_worker.core.model import NO_RUN, READY, TaskState, WorkerState
from dagrpc_worker.core.ready_tasks import end_execution, learn_duration, leave_pool, pool_of


def _executing(state: WorkerState, key: str, run_id: int) -> TaskState | None:
    """Return the task if this run of it is being executed."""
    task = state.tasks.get(key)
    if task is not None and task.execution == run_id:
        return task
    if state.timed_out_runs:
        timed_out_run_ended(state, key, run_id)
    return None


def on_execute_succeeded(state: WorkerState, event: ExecuteSucceeded) -> None:
    """Note the result of an execution, and report it."""
    key = event.key
    task = state.tasks.get(key)
    if task is None or task.execution != event.run_id:
        if state.timed_out_runs:
            timed_out_run_ended(state, key, event.run_id)
        if task is None:
            # The key was forgotten, but the run has put its result into the store.
            state.dropped[key] = None
        return
    if task.outdated and not task.stored:
        task.stale = True
        _run_again(state, task)
        return
    end_execution(state, task)
    learn_duration(state, task, event.stop - event.start)
    store_result(state, task, event.nbytes)
    task.type_name = event.type_name
    request = task.request
    if request is not None:
        task.request = None
        task.reported = True
        task.made_by = request.run_id
        state.reports.append(
            ReportFinished(key, request.run_id, event.nbytes, event.type_name, event.start, event.stop, event.payload)
        )
    elif is_wanted(task) and not task.reported:
        added: dict[str, int] = {}
        report_replica(task, added)
        state.reports.append(ReportReplicasAdded(added))
    release_dependencies(state, task)


def on_execute_failed(state: WorkerState, event: ExecuteFailed) -> None:
    """Report a failure."""
    task = _executing(state, event.key, event.run_id)
    if task is None:
        return
    if task.outdated:
        _run_again(state, task)
        return
    end_execution(state, task)
    request = task.request
    if request is not None:
        task.request = None
        task.erred = True
        state.reports.append(ReportErred(event.key, request.run_id, event.failure, event.start, event.stop))
    release_dependencies(state, task)
    state.touched.append(task)


def on_execute_rescheduled(state: WorkerState, event: ExecuteRescheduled) -> None:
    """Report that a task is to be scheduled again, and forget it."""
    task = _executing(state, event.key, event.run_id)
    if task is None:
        return
    end_execution(state, task)
    request = task.request
    if request is not None:
        task.request = None
        state.reports.append(ReportRescheduled(event.key, request.run_id))
    release_dependencies(state, task)
    state.touched.append(task)


def on_execute_skipped(state: WorkerState, event: ExecuteSkipped) -> None:
    """Note the end of a cancelled task. If it was requested again meanwhile, it is queued again."""
    task = _executing(state, event.key, event.run_id)
    if task is None:
        return
    request = task.request
    if request is not None and task.reclaimed == request.run_id:
        state.reports.append(ReportStealAnswer(event.key, request.run_id, READY))
        task.request = None
    _run_again(state, task)


def on_execute_kept(state: WorkerState, event: ExecuteKept) -> None:
    """Tell the scheduler that a run which it wants back has begun, unless the run's end was reported."""
    task = state.tasks.get(event.key)
    if task is not None and task.execution == event.run_id:
        if task.request is not None and task.reclaimed == task.request.run_id:
            state.reports.append(ReportStealAnswer(event.key, task.reclaimed, task.state))
        task.reclaimed = NO_RUN


def _run_again(state: WorkerState, task: TaskState) -> None:
    """End an execution without an outcome. The task is queued again if it is wanted."""
    end_execution(state, task)
    if task.request is None:
        release_dependencies(state, task)
    state.touched.append(task)


def on_task_seceded(state: WorkerState, event: TaskSeceded) -> None:
    """Free the place of a task in its pool. Its resources stay in use until it ends."""
    task = _executing(state, event.key, event.run_id)
    if task is None or task.seceded >= 0.0:
        return
    leave_pool(state, task)
    task.seceded = max(event.duration, 0.0)
    if task.request is not None:
        state.reports.append(ReportLongRunning(event.key, task.request.run_id, event.duration))
    state.touched.append(task)


def on_paused(state: WorkerState, event: Paused) -> None:
    """Begin nothing new. Running work goes on."""
    state.paused = True
    state.pauses += 1


def on_resumed(state: WorkerState, event: Resumed) -> None:
    """Begin executions and transfers again."""
    state.paused = False


def on_leaving(state: WorkerState, event: Leaving) -> None:
    """Give back the tasks that have not begun, and accept no others. Running tasks go on."""
    state.leaving = True
    for task in list(state.tasks.values()):
        give_back(state, task)


def on_resources_set(state: WorkerState, event: ResourcesSet) -> None:
    """Change the amounts of resources; tasks that wait for them may start."""
    state.resources.offer(event.resources)


def on_executor_offered(state: WorkerState, event: ExecutorOffered) -> None:
    """Set the size of an executor; tasks that wait for it may start. Running tasks go on."""
    pool = pool_of(state, event.executor)
    pool.limit = event.threads
    pool.most = max(pool.most, event.threads)
