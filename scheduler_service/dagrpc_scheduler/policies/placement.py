"""Which worker runs a task: the one on which it is expected to start first.

In this order: what the task is restricted to; for root tasks, whoever has room, or the neighbours' worker; workers
that hold its dependencies; the worker with the least to do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from dagrpc_scheduler.core.events import NO_OPTIONS
from dagrpc_scheduler.core.load_index import FULL, SATURATED, wait_of
from dagrpc_scheduler.core.model import NO_WORKER, QUEUED, RUNNING, TaskState, WorkerState
from dagrpc_scheduler.core.occupancy import size_of
from dagrpc_scheduler.core.restrictions import allowed_workers, lacks_resources
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.policies.rootish import free_slots_for, is_rootish


def choose(state: SchedulerState, task: TaskState) -> WorkerState | Literal["queued", "no-worker"]:
    """Return the worker for a ready task, or the state in which the task has to wait for one."""
    options = task.options
    if options is not NO_OPTIONS:
        if options.actor:
            return _choose_for_actor(state, task) or NO_WORKER
        if options.workers or options.resources:
            return _choose_allowed(state, task) or NO_WORKER
    config = state.config
    if is_rootish(task, state.total_nthreads, config.rootish_dependencies):
        return _choose_for_root(state, task)
    if task.dependencies:
        worker = _choose_near(state, task)
        if worker is not None:
            return worker
    least = state.by_load.least_but(task.avoid, state.now)
    return least[2] if least is not None else NO_WORKER


def _choose_for_root(state: SchedulerState, task: TaskState) -> WorkerState | Literal["queued", "no-worker"]:
    if not state.running:
        return NO_WORKER
    if math.isinf(state.config.worker_saturation):
        return _choose_beside_neighbours(state, task) or NO_WORKER
    if state.queue.size:
        return QUEUED
    roomiest = state.by_free_slots.least_but(task.avoid, state.now)
    if roomiest is not None and roomiest[0] < FULL and free_slots_for(roomiest[2], task, state.config) > 0:
        return roomiest[2]
    return QUEUED


def _choose_beside_neighbours(state: SchedulerState, task: TaskState) -> WorkerState | None:
    """Give each worker a contiguous share of the group, which arrives here in order of priority."""
    group = task.group
    worker = group.last_worker
    if worker is None or group.last_worker_quota <= 0 or worker.status != RUNNING or worker is task.avoid:
        least = state.by_load.least_but(task.avoid, state.now)
        if least is None:
            return None
        group.last_worker = worker = least[2]
        group.last_worker_quota = group.size * worker.nthreads // max(state.total_nthreads, 1)
    group.last_worker_quota -= 1
    return worker


def _choose_near(state: SchedulerState, task: TaskState) -> WorkerState | None:
    """Return the best of the workers that hold dependencies, or another one if that is much sooner."""
    config = state.config
    if len(task.dependencies) == 1 and len(task.dependencies[0].who_has) == 1:
        # The usual case: the holder has just computed it and has nothing else to do.
        worker = task.dependencies[0].who_has[0]
        if worker.status == RUNNING and worker is not task.avoid and not wait_of(worker, state.now):
            return worker
    held: dict[WorkerState, int] = {}
    total = 0
    for dependency in task.dependencies:
        nbytes = size_of(dependency, config)
        total += nbytes
        for holder in dependency.who_has[: config.holders_considered]:
            held[holder] = held.get(holder, 0) + nbytes
    best: WorkerState | None = None
    best_cost = (0.0, 0.0, 0)
    for worker, nbytes in held.items():
        if worker.status != RUNNING or worker is task.avoid:
            continue
        wait = wait_of(worker, state.now)
        cost = ((total - nbytes) / config.bandwidth + wait, wait, worker.nbytes)
        if best is None or cost < best_cost:
            best, best_cost = worker, cost
    if best is None or best_cost[1] <= config.locality_patience:
        return best
    least = state.by_load.least_but(task.avoid, state.now)
    if least is None or least[0] >= SATURATED:
        return best
    other = least[2]
    missing = sum(size_of(dependency, config) for dependency in task.dependencies if dependency not in other.has_what)
    if missing / config.bandwidth + config.locality_patience < best_cost[0]:
        return other
    return best


def _choose_for_actor(state: SchedulerState, task: TaskState) -> WorkerState | None:
    """Return the worker with the fewest actors: an actor stays where it is made, however busy it will be."""
    config = state.config
    best: WorkerState | None = None
    best_cost = (True, True, 0, 0.0)
    for worker in _candidates(state, task):
        missing = sum(
            size_of(dependency, config) for dependency in task.dependencies if worker not in dependency.who_has
        )
        start = missing / config.bandwidth + wait_of(worker, state.now)
        cost = (worker is task.avoid, lacks_resources(worker, task.options), worker.actors, start)
        if best is None or cost < best_cost:
            best, best_cost = worker, cost
    return best


def _candidates(state: SchedulerState, task: TaskState) -> Iterable[WorkerState]:
    """Return the workers to compare of those that may run a task: all of them, unless they are many."""
    allowed = allowed_workers(state, task.options)
    config = state.config
    count, considered = len(allowed.workers), config.candidates_considered
    if count <= considered:
        return allowed.workers
    # A window that moves on with each assignment, and the holders of dependencies, stand for all.
    first = state.run_id * considered % count
    window = allowed.workers[first : first + considered] + allowed.workers[: max(0, first + considered - count)]
    near = [
        holder
        for dependency in task.dependencies
        for holder in dependency.who_has[: config.holders_considered]
        if holder in allowed.members
    ]
    return dict.fromkeys(near + window)


def _choose_allowed(state: SchedulerState, task: TaskState) -> WorkerState | None:
    config = state.config
    best: WorkerState | None = None
    best_cost = (True, True, 0.0, 0)
    for worker in _candidates(state, task):
        missing = 0
        for dependency in task.dependencies:
            if dependency not in worker.has_what:
                missing += size_of(dependency, config)
        start = missing / config.bandwidth + wait_of(worker, state.now)
        cost = (worker is task.avoid, lacks_resources(worker, task.options), start, len(worker.processing))
        if best is None or cost < best_cost:
            best, best_cost = worker, cost
    return best
