"""What waits on busy workers, and for how long: the side of work stealing that is stolen from.

How long a task waits follows from what is ahead of it: the tasks that run, of which it is known how long they have been
running, and those that are to run before it. A thread that has been busy for longer than was expected is expected to
be busy for as long again as it is late. So whatever stands behind a task that goes on and on counts as waiting for
longer and longer, however short it is itself.
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
"""The level of tasks of which it is worth 8 times as much as it costs to move them, or more."""
NEVER: Final = -8
"""The level of those of which nothing is moved: a 256th, or less."""

_SHORTEST: Final = 1e-6
"""Seconds. No task takes less."""


class Offer(NamedTuple):
    """A task that could be taken; the best one sorts first."""

    level: int
    """Negated."""
    place: int
    """How many tasks its worker got after it."""
    task: TaskState
    seconds: float


class Batch:
    """Tasks of the same rank that wait on a worker."""

    __slots__ = ("offers", "seconds")

    def __init__(self) -> None:
        self.offers: list[Offer] = []
        """Those that could be taken, the best one last."""
        self.seconds = 0.0
        """How long all of them take that stay."""


class Victim:
    """A worker with more to do than it can at the moment."""

    __slots__ = ("ahead", "batches", "late", "threads", "worker")

    def __init__(self, worker: WorkerState, threads: float, ahead: float, late: bool) -> None:
        self.worker = worker
        self.threads = threads
        """How many tasks run at a time."""
        self.ahead = ahead
        """Seconds of work before the next batch, of all threads together."""
        self.late = late
        """Whether what runs takes longer than it was expected to."""
        self.batches: dict[tuple[float, float], Batch] = {}
        """What waits, by rank."""

    def wait(self, batch: Batch) -> float:
        """Return the seconds after which the best offer of a batch starts, as the last one of it."""
        return (self.ahead + batch.seconds - batch.offers[-1].seconds) / self.threads


def find_victims(state: SchedulerState) -> list[Victim]:
    """Return the most burdened of the workers on which tasks wait for longer than it takes to move them."""
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
    """Return how long it takes to have a task, and all that it depends on, moved."""
    config = state.config
    nbytes = sum(size_of(dependency, config) for dependency in task.dependencies)
    return config.steal_latency + nbytes / config.bandwidth


def level_of(seconds: float, travel: float) -> int:
    """Return how much it is worth to spare a worker so many seconds by a move: the logarithm of the ratio.

    >>> level_of(1.0, 0.01), level_of(1.0, 0.3), level_of(0.1, 1000.0)
    (3, 1, -8)
    """
    ratio = max(seconds, _SHORTEST) / max(travel, _SHORTEST)
    return min(ALWAYS, max(NEVER, math.floor(math.log2(ratio))))


def _threads_in_use(worker: WorkerState, count: int) -> float:
    """Return how many of so many tasks the worker can run at a time, given its threads and resources."""
    threads = float(worker.nthreads)
    for name, used in worker.used_resources.items():
        if used > worker.resources.get(name, 0.0):
            threads = min(threads, count * worker.resources.get(name, 0.0) / used)
    return max(threads, 1.0)


def _examine(state: SchedulerState, worker: WorkerState, threads: float, scanned: int) -> Victim | None:
    """Look at so many tasks of a worker, and at those that wait; None if it was asked for all of them."""
    running = _begun(state, worker, math.ceil(threads))
    if not running:
        return None
    slow = next(iter(running)).group.prefix
    elapsed = state.now - worker.last_task_start
    remaining = _duration(state, slow) - elapsed
    late = remaining < 0
    # If nobody has finished for so long, all threads are late.
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
                # They were expected to be as short as the one that is not.
                seconds = max(seconds, elapsed)
            batch.seconds += seconds
            if left > 0 and not task.options.actor and task not in state.steals.pending:
                left -= 1
                worth = max(seconds, ahead / threads)
                level = level_of(worth, travel_seconds(task, state))
                if level > NEVER:
                    batch.offers.append(Offer(-level, place, task, seconds))
        # By place among equals, so that the tasks themselves are never compared.
        batch.offers.sort(reverse=True)
    return victim


def _begun(state: SchedulerState, worker: WorkerState, threads: int) -> dict[TaskState, None]:
    """Return the tasks that run on a worker, as far as can be told: those that it would not give back, or had first."""
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
    """Return the tasks that wait on a worker by rank, those that it got last first, each with its place."""
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
