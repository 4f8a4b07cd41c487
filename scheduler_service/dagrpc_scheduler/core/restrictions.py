"""Which workers may run a task: by the addresses, names, hosts and resources in its options, and by its function."""

from __future__ import annotations

from dagrpc_scheduler.core.events import TaskOptions
from dagrpc_scheduler.core.model import RUNNING, AllowedWorkers, WorkerState
from dagrpc_scheduler.core.state import SchedulerState


def allowed_workers(state: SchedulerState, options: TaskOptions) -> AllowedWorkers:
    """Return the running workers that may run tasks with these options."""
    allowed = state.allowed_cache.get(id(options))
    if allowed is not None:
        return allowed
    workers = [worker for worker in state.running if can_run(worker, options)]
    if options.workers:
        named = dict.fromkeys(worker for text in options.workers for worker in resolve(state, text))
        preferred = [worker for worker in named if worker.status == RUNNING and can_run(worker, options)]
        if preferred or not options.allow_other_workers:
            workers = preferred
    if len(state.allowed_cache) >= state.config.options_remembered:
        state.allowed_cache.clear()
    allowed = state.allowed_cache[id(options)] = AllowedWorkers(options, workers, frozenset(workers))
    return allowed


def may_run(worker: WorkerState, options: TaskOptions) -> bool:
    """Tell whether the options admit a worker, even if other workers are preferred."""
    if not can_run(worker, options):
        return False
    names = options.workers
    if not names or options.allow_other_workers:
        return True
    return not worker.match_names.isdisjoint(names)


def is_restricted(state: SchedulerState, options: TaskOptions) -> bool:
    """Tell whether options other than `NO_OPTIONS` rule out some workers.

    A call is restricted only while a worker lacks its function: otherwise it queues and moves like any other task.
    """
    return bool(options.workers or options.resources) or (
        bool(options.function) and not is_known_everywhere(state, options.function)
    )


def is_known_everywhere(state: SchedulerState, function: str) -> bool:
    """Tell whether every running worker has a function and takes code, as the workers in the indexes by load do."""
    known = state.known_everywhere.get(function)
    if known is None:
        if len(state.known_everywhere) >= state.config.options_remembered:
            state.known_everywhere.clear()
        known = all(each.abilities.takes_code and each.abilities.has(function) for each in state.running)
        state.known_everywhere[function] = known
    return known


def forget_allowed(state: SchedulerState) -> None:
    """Forget which workers may run which tasks, because workers have changed."""
    state.allowed_cache.clear()
    state.known_everywhere.clear()


def can_run(worker: WorkerState, options: TaskOptions) -> bool:
    """Tell whether a worker has the function, and offers the resources that the options name, free or in use."""
    return worker.abilities.can_run(options) and all(
        worker.resources.get(name, 0.0) >= amount for name, amount in options.resources.items()
    )


def lacks_resources(worker: WorkerState, options: TaskOptions) -> bool:
    """Tell whether the worker's other tasks use resources that a task with these options needs."""
    for name, amount in options.resources.items():
        if worker.used_resources.get(name, 0.0) + amount > worker.resources.get(name, 0.0):
            return True
    return False


def resolve(state: SchedulerState, text: str) -> list[WorkerState]:
    """Return the workers with this address, name or host; empty if there are none."""
    worker = state.workers.get(text) or state.aliases.get(text)
    if worker is not None:
        return [worker]
    for address in (f"tcp://{text}", f"tls://{text}"):
        if address in state.workers:
            return [state.workers[address]]
    return list(state.hosts.get(text, ()))
