"""The tasks that wait on busy workers, and how long each of them waits.

The wait of a task follows from the tasks ahead of it: the running ones, whose elapsed time is known, and the ones that
run before it. A thread that is busy for longer than expected is assumed to be late by as much again. Tasks behind one
that takes very long therefore count as waiting longer and longer, however short they are themselves.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection
from itertools import islice
from typing import Final, NamedTuple

from dagrpc_scheduler.core.model import TaskPrefix, TaskState, WorkerState
from dagrpc_scheduler.core.occupancy import size_of
from dagrpc_scheduler.core.state import SchedulerState

ALWAYS: Final = 3
"""The level of tasks whose move saves at least 8 times what it costs."""
NEVER: Final = -8
"""The level of tasks whose move saves at most a 256th of what it costs; they are not moved."""

_SHORTEST: Final = 1e-6
"""Lower bound for the duration of a task, in seconds."""


class Offer(NamedTuple):
    """A task that could be moved; the best offer sorts first."""

    level: int
    """The negated level."""
    place: int
    """Number of tasks that the worker received after this one."""
    task: TaskState
    seconds: float


class Batch:
    """The tasks of one rank that wait on a worker."""

    __slots__ = ("offers", "seconds")

    def __init__(self) -> None:
        self.offers: list[Offer] = []
        """Tasks that could be moved, the best offer last."""
        self.seconds = 0.0
        """Expected seconds of all tasks that stay."""


class Victim:
    """A worker with more tasks than it can run at once."""

    __slots__ = ("ahead", "batches", "late", "threads", "worker")

    def __init__(self, worker: WorkerState, threads: float, ahead: float, late: bool) -> None:
        self.worker = worker
        self.threads = threads
        """Number of tasks that run at once."""
        self.ahead = ahead
        """Seconds of work before the next batch, summed over all threads."""
        self.late = late
        """Whether the running tasks take longer than expected."""
        self.batches: dict[tuple[float, float], Batch] = {}
        """The waiting tasks by rank."""

    def wait(self, batch: Batch) -> float:
        """Return the seconds until the best offer of a batch starts if it runs as the last task of the batch."""
        return (self.ahead + batch.seconds - batch.offers[-1].seconds) / self.threads


def find_victims(state: SchedulerState) -> list[Victim]:
    """Return the most burdened workers, on which tasks wait for longer than a move takes."""
    config, now = state.config, state.now
    patience = config.steal_latency + config.steal_gain
    burdened: list[tuple[float, int, WorkerState, float]] = []
    for index, worker in enumerate(state.running):
        count = len(worker.processing) - len(worker.long_running)
        elapsed = now - worker.last_task_start
        if not count or worker.occupancy / worker.nthreads + elapsed <= patience:
            continue
        threads = _threads_in_use(worker, count)
        if count > threads:
            burden = max(worker.occupancy, elapsed * count) / worker.nthreads
            burdened.append((burden, index, worker, threads))
    most = heapq.nlargest(config.victims_considered, burdened)
    scanned = max(config.steal_scanned // max(len(most), 1), config.steal_considered)
    victims = (_examine(state, worker, threads, scanned) for _, _, worker, threads in most)
    return [victim for victim in victims if victim is not None]


def travel_seconds(task: TaskState, state: SchedulerState) -> float:
    """Return the seconds that it takes to move a task and all its dependencies."""
    config = state.config
    nbytes = sum(size_of(dependency, config) for dependency in task.dependencies)
    return config.steal_latency + nbytes / config.bandwidth


def level_of(seconds: float, travel: float) -> int:
    """Return the logarithm of the ratio between the seconds that a move saves and the seconds that it takes.

    >>> level_of(1.0, 0.01), level_of(1.0, 0.3), level_of(0.1, 1000.0)
    (3, 1, -8)
    """
    ratio = max(seconds, _SHORTEST) / max(travel, _SHORTEST)
    return min(ALWAYS, max(NEVER, math.floor(math.log2(ratio))))


def _threads_in_use(worker: WorkerState, count: int) -> float:
    """Return how many of `count` tasks the worker can run at once with its threads and resources."""
    threads = float(worker.nthreads)
    for name, used in worker.used_resources.items():
        if used > worker.resources.get(name, 0.0):
            threads = min(threads, count * worker.resources.get(name, 0.0) / used)
    return max(threads, 1.0)


def _examine(state: SchedulerState, worker: WorkerState, threads: float, scanned: int) -> Victim | None:
    """Examine up to `scanned` tasks of a worker; None if all its tasks have been requested already."""
    running = _begun(state, worker, math.ceil(threads))
    if not running:
        return None
    slow = next(iter(running)).group.prefix
    elapsed = state.now - worker.last_task_start
    remaining = _duration(state, slow) - elapsed
    late = remaining < 0
    # No task has finished for so long, so all threads are late.
    ahead = -remaining * threads if late else remaining
    ahead += max(len(worker.processing) - scanned, 0) * _duration(state, slow)
    victim = Victim(worker, threads, ahead, late)
    waiting = _waiting(state, worker, running, scanned)
    left = state.config.steal_considered
    for rank in sorted(waiting):
        batch = victim.batches[rank] = Batch()
        for place, task in waiting[rank]:
            seconds = _duration(state, task.group.prefix)
            if task.group.prefix is slow:
                # The waiting tasks have the same prefix as the late one, and may take as long.
                seconds = max(seconds, elapsed)
            batch.seconds += seconds
            if left > 0 and not task.options.actor and task not in state.steals.pending:
                left -= 1
                worth = max(seconds, ahead / threads)
                level = level_of(worth, travel_seconds(task, state))
                if level > NEVER:
                    batch.offers.append(Offer(-level, place, task, seconds))
        # Equal offers are ordered by place, so that the tasks themselves are never compared.
        batch.offers.sort(reverse=True)
    return victim


def _begun(state: SchedulerState, worker: WorkerState, threads: int) -> dict[TaskState, None]:
    """Return the tasks that probably run on a worker: those that it refused to give back, then its oldest ones."""
    pending = state.steals.pending
    begun: dict[TaskState, None] = {}
    for task, steal in pending.items():
        if steal.refused and steal.victim is worker and task not in worker.long_running:
            begun[task] = None
    for task in worker.processing:
        if len(begun) >= threads:
            break
        if task not in worker.long_running and (task not in pending or pending[task].refused):
            begun[task] = None
    return begun


def _waiting(
    state: SchedulerState, worker: WorkerState, running: Collection[TaskState], scanned: int
) -> dict[tuple[float, float], list[tuple[int, TaskState]]]:
    """Return the tasks that wait on a worker by rank, the latest ones first, each with its place."""
    pending = state.steals.pending
    waiting: dict[tuple[float, float], list[tuple[int, TaskState]]] = {}
    for place, task in enumerate(islice(reversed(worker.processing), scanned)):
        if task in running or task in worker.long_running:
            continue
        steal = pending.get(task)
        if steal is None or steal.refused:
            waiting.setdefault(task.rank, []).append((place, task))
    return waiting


def _duration(state: SchedulerState, prefix: TaskPrefix) -> float:
    return prefix.duration if prefix.duration >= 0 else state.config.unknown_task_duration
