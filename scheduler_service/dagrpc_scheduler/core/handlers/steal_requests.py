"""Tasks move from busy workers to idle ones, and away from paused ones.

A task only moves after its worker has confirmed that it has not started it, and has dropped it: so it never runs
twice. Until then it stays where it is. The request names the run: whatever happens to the task meanwhile, an answer
about an earlier run means nothing.
"""

from __future__ import annotations

from typing import Final

from dagrpc_scheduler.core.assignment import unassign
from dagrpc_scheduler.core.events import BalanceDue, StealAnswered
from dagrpc_scheduler.core.instructions import RequestSteal
from dagrpc_scheduler.core.model import PAUSED, PROCESSING, RUNNING, WAITING, TaskState, WorkerState
from dagrpc_scheduler.core.restrictions import allowed_workers, may_run
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.core.steal_table import Steal, StealNews
from dagrpc_scheduler.core.transitions.loop import transition

_GIVEN_UP: Final = frozenset({"waiting", "ready", "constrained", "fetch"})
"""What a worker says of a task that it had not started, and has dropped."""


def balance_due(state: SchedulerState, event: BalanceDue) -> None:
    """It is time to look whether some workers have too much to do, and others too little."""
    balance(state)


def balance(state: SchedulerState) -> None:
    """Ask busy workers for tasks that idle ones could run sooner, and paused ones for all that others can run."""
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
    """Ask a worker, which starts nothing at the moment, for all tasks that another one could run."""
    pending = state.steals.pending
    for task in worker.processing:
        options = task.options
        if task in worker.long_running or options.actor or task in pending:
            continue
        restricted = options.workers or options.resources
        if allowed_workers(state, options).workers if restricted else state.running:
            _request(state, task, None, 0.0)


def steal_answered(state: SchedulerState, event: StealAnswered) -> None:
    """A worker says whether it has given a task back."""
    task = state.tasks.get(event.key)
    worker = state.workers.get(event.worker)
    if task is None or worker is None or task.processing_on is not worker or task.run_id != event.run_id:
        # The task has ended, or was taken from that worker, in another way.
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
    """Tell whether the worker that was to get a task still can: otherwise it is placed like any other."""
    return thief.status == RUNNING and task.state == WAITING and not task.missing and may_run(thief, task.options)


def _request(state: SchedulerState, task: TaskState, thief: WorkerState | None, seconds: float) -> None:
    """Ask the worker that has a task to give it back if it has not started it."""
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
    """Write down a step."""
    address = "" if thief is None else thief.address
    state.steals.news.append(StealNews(step, task.key, task.run_id, victim.address, address, answer, state.now))
