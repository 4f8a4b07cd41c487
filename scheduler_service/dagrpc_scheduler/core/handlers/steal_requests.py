"""Tasks move from busy workers to idle ones, and away from paused workers.

A task moves only after its worker has confirmed that it has not started the task and has dropped it, so that the task
never runs twice. Until then it stays on the worker. The request names the run: an answer about an earlier run is
ignored.
"""

from __future__ import annotations

from typing import Final

from dagrpc_scheduler.core.assignment import unassign
from dagrpc_scheduler.core.events import BalanceDue, StealAnswered
from dagrpc_scheduler.core.instructions import RequestSteal
from dagrpc_scheduler.core.model import PAUSED, PROCESSING, RUNNING, WAITING, TaskState, WorkerState
from dagrpc_scheduler.core.restrictions import allowed_workers, is_restricted, may_run
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.core.steal_table import Steal, StealNews
from dagrpc_scheduler.core.transitions.loop import transition

_GIVEN_UP: Final = frozenset({"waiting", "ready", "constrained"})
"""States on the worker in which it has not started a task and has dropped it."""


def balance_due(state: SchedulerState, event: BalanceDue) -> None:
    """Look for tasks that should move."""
    balance(state)


def balance(state: SchedulerState) -> None:
    """Ask busy workers for tasks that other workers could run sooner, and paused workers for all tasks that others may
    run.
    """
    state.balance_due = False
    if not state.tasks:
        return
    if len(state.workers) > len(state.running):
        for worker in state.workers.values():
            if worker.status == PAUSED:
                relieve(state, worker)
    for task, thief, seconds in state.stealing.plan():
        _request(state, task, thief, seconds)


def relieve(state: SchedulerState, worker: WorkerState) -> None:
    """Ask a paused worker for all tasks that another worker may run."""
    pending = state.steals.pending
    for task in worker.processing:
        options = task.options
        if task in worker.long_running or options.actor or task in pending:
            continue
        if allowed_workers(state, options).workers if is_restricted(state, options) else state.by_load:
            _request(state, task, None, 0.0)


def steal_answered(state: SchedulerState, event: StealAnswered) -> None:
    """Move a task if its worker has given it back."""
    task = state.tasks.get(event.key)
    worker = state.workers.get(event.worker)
    if task is None or worker is None or task.processing_on is not worker or task.run_id != event.run_id:
        # The task has finished or has left the worker in another way.
        return
    table = state.steals
    steal = table.pending.get(task)
    thief = steal.thief if steal is not None else None
    if event.state not in _GIVEN_UP:
        if steal is not None:
            steal.refused = True
        table.refused += 1
        _log(state, "refuse", task, worker, thief, event.state)
        return
    table.confirmed += 1
    _log(state, "confirm", task, worker, thief, event.state)
    state.queueing.run_ended(event.run_id, 0.0)
    unassign(state, task, worker)
    transition(state, task, WAITING)
    if thief is not None and _may_get(state, thief, task):
        task.processing_on = thief
        transition(state, task, PROCESSING)


def _may_get(state: SchedulerState, thief: WorkerState, task: TaskState) -> bool:
    """Tell whether the intended worker may still get the task, which is otherwise placed like any ready task."""
    return thief.status == RUNNING and task.state == WAITING and not task.missing and may_run(thief, task.options)


def _request(state: SchedulerState, task: TaskState, thief: WorkerState | None, seconds: float) -> None:
    """Ask the worker of a task to give it back unless it has started the task."""
    victim = task.processing_on
    assert victim is not None
    table = state.steals
    table.pending[task] = Steal(victim, thief, seconds)
    table.requested += 1
    table.requested_seconds += seconds
    state.instructions.append(RequestSteal(victim.address, task.key, task.run_id))
    _log(state, "request", task, victim, thief)


def _log(
    state: SchedulerState, step: str, task: TaskState, victim: WorkerState, thief: WorkerState | None, answer: str = ""
) -> None:
    """Log a step of a steal."""
    address = "" if thief is None else thief.address
    state.steals.news.append(StealNews(step, task.key, task.run_id, victim.address, address, answer, state.now))
