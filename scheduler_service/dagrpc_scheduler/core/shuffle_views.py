"""Answers of the core about the tasks of shuffles."""

from __future__ import annotations

from dagrpc_scheduler.core import restrictions
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.core.model import StateName


def state_of(core: SchedulerCore, key: str) -> StateName | None:
    """Return a task's state; None: it is unknown."""
    task = core.state.tasks.get(key)
    return task.state if task is not None else None


def processing_on(core: SchedulerCore, key: str) -> str:
    """Return the address of the worker that a task is assigned to; empty: none."""
    task = core.state.tasks.get(key)
    return task.processing_on.address if task is not None and task.processing_on is not None else ""


def dependencies(core: SchedulerCore, key: str) -> list[str]:
    """Return the keys of a task's dependencies; empty if the task is unknown."""
    task = core.state.tasks.get(key)
    return [dependency.key for dependency in task.dependencies] if task is not None else []


def allowed_for_dependents(core: SchedulerCore, key: str) -> list[str]:
    """Return the addresses of the running workers that may run a task's dependents; by default all that take code."""
    task = core.state.tasks.get(key)
    for dependent in (task.dependents or ()) if task is not None else ():
        options = dependent.options
        if (options.workers or options.resources) and not options.advised:
            return [worker.address for worker in restrictions.allowed_workers(core.state, options).workers]
    return [worker.address for worker in core.state.running if worker.abilities.takes_code]
