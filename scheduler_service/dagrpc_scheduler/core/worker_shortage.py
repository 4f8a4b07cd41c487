"""Ready tasks that no worker may run: their number, the clients that wait, and the reason in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple

from dagrpc_scheduler.core.model import ACTIVE, TaskState
from dagrpc_scheduler.core.state import SchedulerState

_LOOKED_AT = 10_000
"""Number of tasks that are examined to find the waiting clients."""


class Shortage(NamedTuple):
    """Ready tasks that no worker may run."""

    tasks: int
    """Number of tasks."""
    since: float
    """When the first task began to wait, in seconds since the epoch."""


def shortage(state: SchedulerState) -> Shortage | None:
    """Return the ready tasks that no worker may run; None: there are none."""
    since: float | None = next(iter(state.unrunnable.values()), None)
    count = len(state.unrunnable)
    if state.queue.size and not state.running:
        # Queued tasks wait for a free slot, and no running worker is left.
        count += state.queue.size
        since = state.no_workers_since if since is None else min(since, state.no_workers_since)
    return None if since is None else Shortage(count, since)


def who_waits(state: SchedulerState) -> list[str]:
    """Return the clients that want tasks which no worker may run, or their dependents."""
    clients: dict[str, None] = {}
    stack = list(islice(_stuck(state), _LOOKED_AT))
    seen = set(stack)
    while stack:
        task = stack.pop()
        clients.update((client.name, None) for client in task.wanted_by)
        for dependent in task.dependents or ():
            if dependent.state in ACTIVE and dependent not in seen and len(seen) < _LOOKED_AT:
                seen.add(dependent)
                stack.append(dependent)
    return list(clients)


def why_nobody(state: SchedulerState, seconds: float, task: TaskState | None = None) -> str:
    """Return in words why a task has not been run for `seconds`; by default the first task that no worker may run."""
    task = task or next(_stuck(state))
    options = task.options
    terms = []
    if options.workers:
        terms.append("workers " + ", ".join(options.workers))
    if options.resources:
        terms.append("resources " + ", ".join(f"{name}={amount:g}" for name, amount in options.resources.items()))
    if options.function:
        terms.append(f"the function {options.function!r} (exported by dagrpc.export, or in worker.allowed-calls)")
    demand = " with " + " and ".join(terms) if terms else ""
    text = f"for {seconds:.3g} s there was no running worker{demand} for the task {task.key!r}; the cluster has "
    if state.workers:
        text += f"{len(state.workers)} workers, {len(state.running)} of them running"
        others = Counter(worker.status for worker in state.workers.values() if worker not in state.running)
        text += "".join(f", {count} {status}" for status, count in sorted(others.items()))
        return text
    text += "no workers"
    if state.loss_reasons:
        address, reason = next(reversed(state.loss_reasons.items()))
        text += f"; the last one was lost: {address}" + (f" ({reason})" if reason else "")
    return text


def _stuck(state: SchedulerState) -> Iterator[TaskState]:
    queued = state.queue.tasks() if state.queue.size and not state.running else ()
    return chain(state.unrunnable, queued)
