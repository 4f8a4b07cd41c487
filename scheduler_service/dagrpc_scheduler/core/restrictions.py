"""Which workers may run a task, by the addresses, names, hosts and resources in its options."""

from __future__ import annotations

from dagrpc_scheduler.core.events import TaskOptions
from dagrpc_scheduler.core.model import RUNNING, AllowedWorkers, WorkerState
from dagrpc_scheduler.core.state import SchedulerState


def allowed_workers(state: SchedulerState, options: TaskOptions) -> AllowedWorkers:
    """Return the running workers that may run tasks with these options."""
    allowed = state.allowed_cache.get(id(options))
    if allowed is not None:
        return allowed
    workers = [worker for worker in state.running if has_resources(worker, options)]
    if options.workers:
        named = dict.fromkeys(worker for text in options.workers for worker in resolve(state, text))
        preferred = [worker for worker in named if worker.status == RUNNING and has_resources(worker, options)]
        if preferred or not options.allow_other_workers:
            workers = preferred
    if len(state.allowed_cache) >= state.config.options_remembered:
        state.allowed_cache.clear()
    allowed = state.allowed_cache[id(options)] = AllowedWorkers(options, workers, frozenset(workers))
    return allowed


def may_run(worker: WorkerState, options: TaskOptions) -> bool:
    """Tell whether the options admit a worker, even if other workers are preferred."""
    if not has_resources(worker, options):
        return False
    names = options.workers
    if not names or options.allow_other_workers:
        return True
    return not worker.match_names.isdisjoint(names)


def has_resources(worker: WorkerState, options: TaskOptions) -> bool:
    """Tell whether a worker offers the resources that the options name, free or in use."""
    return all(worker.resources.get(name, 0.0) >= amount for name, amount in options.resources.items())


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
