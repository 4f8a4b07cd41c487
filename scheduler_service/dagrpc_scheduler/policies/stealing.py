"""Which tasks idle workers had better get from busy ones.

A pass over the workers, made about once a second and only if some worker has a free thread: nothing is kept for each
task, so that tasks cost no more for it. It looks at the most burdened workers, each from the end of what it was
given, and takes the tasks that are the most worth it first: those that compute long for what has to be moved.
"""

from __future__ import annotations

import heapq
import math
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from dagrpc_scheduler.policies.load import SATURATED
from dagrpc_scheduler.policies.occupancy import size_of
from dagrpc_scheduler.policies.placement import could_run

if TYPE_CHECKING:
    from dagrpc_scheduler.core.cluster import WorkerState
    from dagrpc_scheduler.core.model import TaskPrefix, TaskState
    from dagrpc_scheduler.core.state import SchedulerState

ALWAYS: Final = 3
"""The level of tasks that compute 8 times as long as their data travels, or longer."""
NEVER: Final = -8
"""The level of those of which nothing is moved: a 256th, or less."""

_SHORTEST: Final = 1e-6
"""Seconds. No task takes less."""


class Move(NamedTuple):
    """A task that another worker is to run."""

    task: TaskState
    thief: WorkerState
    seconds: float
    """How long it will occupy the thief."""


class _Offer(NamedTuple):
    """A task that could be taken; the best one sorts first."""

    level: int
    """Negated."""
    place: int
    """How many tasks its worker got after it."""
    task: TaskState
    seconds: float


class _Victim:
    """A worker with more to do than it can at the moment."""

    __slots__ = ("excess", "mean", "offers", "threads", "worker")

    def __init__(self, worker: WorkerState, excess: float, mean: float, threads: float, offers: list[_Offer]) -> None:
        self.worker = worker
        self.excess = excess
        """How many tasks wait there."""
        self.mean = mean
        """Seconds that a task takes."""
        self.threads = threads
        """How many run at a time."""
        self.offers = offers
        """The best one last."""

    def wait(self) -> float:
        """Return the seconds after which the last task starts; those that run are half done, on average."""
        return (self.excess - 0.5) * self.mean / self.threads


class _Thief:
    """A worker with a free thread."""

    __slots__ = ("arriving", "count", "seconds", "worker")

    def __init__(self, worker: WorkerState, count: int, seconds: float) -> None:
        self.worker = worker
        self.count = count
        """How many tasks it has, or will get."""
        self.seconds = seconds
        """How long these take in all."""
        self.arriving: set[TaskState] = set()
        """Results that it will get together with the tasks that use them."""

    def wait(self) -> float:
        """Return the seconds after which the next task starts."""
        nthreads = self.worker.nthreads
        return 0.0 if self.count < nthreads else self.seconds / nthreads


def moves(state: SchedulerState) -> list[Move]:
    """Return what had best be moved; nothing unless there are both idle and busy workers."""
    least = state.loads.least() if len(state.running) > 1 else None
    if least is None or least[0] >= SATURATED:
        return []
    thieves = _find_thieves(state)
    if not thieves:
        return []
    victims = [(-victim.wait(), index, victim) for index, victim in enumerate(_find_victims(state))]
    heapq.heapify(victims)
    idle = [(thief.wait(), index, thief) for index, thief in enumerate(thieves)]
    heapq.heapify(idle)
    found: list[Move] = []
    config = state.config
    while victims and len(found) < config.steals_at_once:
        wait, index, victim = victims[0]
        if -wait - idle[0][0] <= config.steal_latency + config.steal_gain:
            break
        if not victim.offers:
            heapq.heappop(victims)
            continue
        move = _try_to_place(state, victim.offers.pop(), -wait, idle)
        if move is not None:
            found.append(move)
            victim.excess -= 1
            if victim.excess <= 0:
                heapq.heappop(victims)
            else:
                heapq.heapreplace(victims, (-victim.wait(), index, victim))
    return found


def travel_seconds(task: TaskState, state: SchedulerState) -> float:
    """Return how long it takes to have a task, and all that it depends on, moved."""
    config = state.config
    nbytes = sum(size_of(dependency, config) for dependency in task.dependencies)
    return config.steal_latency + nbytes / config.bandwidth


def level_of(seconds: float, travel: float) -> int:
    """Return how much it is worth to move a task that computes for `seconds`: the logarithm of the ratio.

    >>> level_of(1.0, 0.01), level_of(1.0, 0.3), level_of(0.1, 1000.0)
    (3, 1, -8)
    """
    ratio = max(seconds, _SHORTEST) / max(travel, _SHORTEST)
    return min(ALWAYS, max(NEVER, math.floor(math.log2(ratio))))


def _find_thieves(state: SchedulerState) -> list[_Thief]:
    promised: dict[WorkerState, tuple[int, float]] = {}
    for steal in state.steals.pending.values():
        if steal.thief is not None and not steal.refused:
            count, seconds = promised.get(steal.thief, (0, 0.0))
            promised[steal.thief] = count + 1, seconds + steal.seconds
    thieves = []
    for worker in state.running:
        count = len(worker.processing) - len(worker.long_running)
        if count < worker.nthreads:
            more, seconds = promised.get(worker, (0, 0.0))
            thieves.append(_Thief(worker, count + more, worker.occupancy + seconds))
    return thieves


def _find_victims(state: SchedulerState) -> list[_Victim]:
    """Return the most burdened of the workers that have more tasks than they can run at a time."""
    book, now = state.steals, state.now
    stalls: dict[WorkerState, tuple[tuple[int, int, int], float]] = {}
    burdened: list[tuple[float, int, WorkerState, float, float]] = []
    for index, worker in enumerate(state.running):
        count = len(worker.processing) - len(worker.long_running)
        threads = _threads_in_use(worker, count)
        if count <= threads:
            continue
        signature = _signature(worker)
        before, since = book.stalls.get(worker, (None, now))
        stalls[worker] = signature, since if before == signature else now
        stalled = now - stalls[worker][1]
        burden = max(worker.occupancy, stalled * count) / worker.nthreads
        burdened.append((burden, index, worker, threads, stalled))
    book.stalls = stalls
    most = heapq.nlargest(state.config.victims_considered, burdened)
    return [_examine(state, worker, threads, stalled) for _, _, worker, threads, stalled in most]


def _threads_in_use(worker: WorkerState, count: int) -> float:
    """Return how many of so many tasks the worker can run at a time, given its threads and resources."""
    threads = float(worker.nthreads)
    for name, used in worker.used_resources.items():
        if used > worker.resources.get(name, 0.0):
            threads = min(threads, count * worker.resources.get(name, 0.0) / used)
    return max(threads, 1.0)


def _signature(worker: WorkerState) -> tuple[int, int, int]:
    """Return what stays the same as long as a worker neither gets tasks nor finishes any."""
    processing = worker.processing
    return len(processing), next(iter(processing)).run_id, next(reversed(processing)).run_id


def _examine(state: SchedulerState, worker: WorkerState, threads: float, stalled: float) -> _Victim:
    """Look at the tasks that a worker got last.

    What a task was expected to take when it was assigned may be wrong by now. And if the worker has finished nothing
    for long, the tasks that it has had longest take at least so long.
    """
    pending = state.steals.pending
    slow = next(iter(worker.processing)).group.prefix
    offers: list[_Offer] = []
    total, count, leaving = 0.0, 0, 0
    for place, task in enumerate(islice(reversed(worker.processing), state.config.steal_considered)):
        if task in worker.long_running:
            continue
        seconds = _duration(state, task.group.prefix)
        if task.group.prefix is slow:
            seconds = max(seconds, stalled)
        total += seconds
        count += 1
        steal = pending.get(task)
        if steal is not None:
            leaving += not steal.refused
        elif not task.options.actor:
            level = level_of(seconds, travel_seconds(task, state))
            if level > NEVER:
                offers.append(_Offer(-level, place, task, seconds))
    # By place among equals, so that the tasks themselves are never compared.
    offers.sort(reverse=True)
    excess = len(worker.processing) - len(worker.long_running) - threads - leaving
    return _Victim(worker, excess, total / max(count, 1), threads, offers)


def _duration(state: SchedulerState, prefix: TaskPrefix) -> float:
    return prefix.duration if prefix.duration >= 0 else state.config.unknown_task_duration


def _try_to_place(
    state: SchedulerState, offer: _Offer, wait: float, idle: list[tuple[float, int, _Thief]]
) -> Move | None:
    """Return the move of a task to the worker that starts it first, if that is sooner than it would start anyway."""
    config = state.config
    task = offer.task
    best: tuple[float, int, _Thief] | None = None
    best_start = wait - config.steal_gain
    seen = [heapq.heappop(idle) for _ in range(min(len(idle), config.thieves_considered))]
    for entry in seen:
        thief = entry[2]
        if not _may_take(thief, task):
            continue
        start = entry[0] + config.steal_latency + _missing(state, thief, task) / config.bandwidth
        if start < best_start:
            best, best_start = entry, start
    move = None
    for entry in seen:
        if entry is best:
            thief = entry[2]
            seconds = offer.seconds * _share(thief.worker, task)
            thief.arriving.update(task.dependencies)
            thief.count += 1
            thief.seconds += seconds
            move = Move(task, thief.worker, seconds)
            entry = (thief.wait(), entry[1], thief)
        heapq.heappush(idle, entry)
    return move


def _may_take(thief: _Thief, task: TaskState) -> bool:
    """Tell whether a worker may run a task, and has what it takes at the moment."""
    options = task.options
    if not (options.workers or options.resources):
        return True
    worker = thief.worker
    used = worker.used_resources
    for name, amount in options.resources.items():
        if used.get(name, 0.0) + amount > worker.resources.get(name, 0.0):
            return False
    return could_run(worker, options)


def _share(worker: WorkerState, task: TaskState) -> float:
    """Return how many threads' worth of the worker a task takes up, because of the resources that it needs."""
    share = 1.0
    for name, amount in task.options.resources.items():
        share = max(share, worker.nthreads * amount / worker.resources[name])
    return share


def _missing(state: SchedulerState, thief: _Thief, task: TaskState) -> int:
    """Return how many bytes a worker would have to fetch for a task."""
    held = thief.worker.has_what
    nbytes = 0
    for dependency in task.dependencies:
        if dependency not in held and dependency not in thief.arriving:
            nbytes += size_of(dependency, state.config)
    return nbytes
