"""Which worker runs a task while clients share the cluster fairly.

All tasks wait in the scheduler's queue, not only root tasks, until a worker has room: what has been given to a worker
cannot be taken back when another client's turn has come.
"""

from __future__ import annotations

from typing import Literal

from dagrpc_scheduler.core.events import NO_OPTIONS
from dagrpc_scheduler.core.load_index import FULL, fullness_of
from dagrpc_scheduler.core.model import NO_WORKER, QUEUED, RUNNING, TaskState, WorkerState
from dagrpc_scheduler.core.occupancy import size_of
from dagrpc_scheduler.core.restrictions import allowed_workers, lacks_resources
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.policies.placement import choose
from dagrpc_scheduler.policies.rootish import free_slots_for, lookahead_per_thread


def choose_fairly(state: SchedulerState, task: TaskState) -> WorkerState | Literal["queued", "no-worker"]:
    """Return the state in which a ready task has to wait for its client's turn; actors are placed at once."""
    options = task.options
    if options is not NO_OPTIONS:
        if options.actor:
            return choose(state, task)
        if options.workers or options.resources:
            return QUEUED if allowed_workers(state, options).workers else NO_WORKER
    return QUEUED if state.running else NO_WORKER


def worker_with_free_slot(state: SchedulerState, task: TaskState) -> WorkerState | None:
    """Return the best of the workers that have room for a queued task: by its data, then by room."""
    options = task.options
    if options is not NO_OPTIONS and (options.workers or options.resources):
        return _allowed_with_room(state, task)
    if task.dependencies:
        near = _near_with_room(state, task)
        if near is not None:
            return near
    by_free_slots = state.by_free_slots
    while True:
        least = by_free_slots.least_but(task.avoid, state.now)
        if least is not None and least[0] >= FULL and task.avoid is not None:
            # Where it asked not to be run, rather than nowhere.
            least = by_free_slots.least(state.now)
        if least is None or least[0] >= FULL:
            return None
        worker = least[2]
        if free_slots_for(worker, task, state.config) > 0:
            return worker
        if task.suspicious or not lookahead_per_thread(task.group.prefix, state.config):
            return None
        # No more, but for its free slots, until half of what it has is done: see `transitions.loop.fill`.
        worker.low_water_mark = (len(worker.processing) - len(worker.long_running)) // 2


def has_free_slot(state: SchedulerState, worker: WorkerState, task: TaskState) -> bool:
    """Tell whether a worker may be given a queued task now."""
    return (
        fullness_of(worker, state.now, state.config.lookahead_seconds) < FULL
        and free_slots_for(worker, task, state.config) > 0
        and not lacks_resources(worker, task.options)
    )


def _near_with_room(state: SchedulerState, task: TaskState) -> WorkerState | None:
    """Return the worker with room that holds most of what a task uses."""
    held: dict[WorkerState, int] = {}
    for dependency in task.dependencies:
        nbytes = size_of(dependency, state.config)
        for holder in dependency.who_has[: state.config.holders_considered]:
            held[holder] = held.get(holder, 0) + nbytes
    best: WorkerState | None = None
    for worker, nbytes in held.items():
        if worker.status != RUNNING or worker is task.avoid or not has_free_slot(state, worker, task):
            continue
        if best is None or nbytes > held[best]:
            best = worker
    return best


def _allowed_with_room(state: SchedulerState, task: TaskState) -> WorkerState | None:
    best: WorkerState | None = None
    best_cost = (True, 0, 0)
    for worker in allowed_workers(state, task.options).workers:
        if not has_free_slot(state, worker, task):
            continue
        missing = sum(size_of(each, state.config) for each in task.dependencies if each not in worker.has_what)
        cost = (worker is task.avoid, missing, len(worker.processing))
        if best is None or cost < best_cost:
            best, best_cost = worker, cost
    return best
