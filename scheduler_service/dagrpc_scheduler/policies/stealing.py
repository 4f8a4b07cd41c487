"""Which tasks idle workers had better get from busy ones.

A pass over the workers, made some times a second and only if some worker has a free thread: nothing is kept for each
task, so that tasks cost next to nothing more for it. What waits on the most burdened workers is gone through in the
order of its rank, the most urgent first, and whoever starts it first gets it. So a worker that joins takes part in
what is most urgent. Among tasks of the same rank, those are taken first that are the most worth it, and of those the
ones that would start last.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple, TypeAlias

from dagrpc_scheduler.core.load_index import SATURATED
from dagrpc_scheduler.core.model import TaskState, WorkerState
from dagrpc_scheduler.core.occupancy import size_of
from dagrpc_scheduler.core.restrictions import allowed_workers, may_run
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.policies.rootish import is_rootish
from dagrpc_scheduler.policies.stealable_backlog import Offer, Victim, find_victims


class Move(NamedTuple):
    """A task that its worker is to give back."""

    task: TaskState
    thief: WorkerState | None
    """Who is to run it; None: it goes back to the queue."""
    seconds: float
    """How long it will occupy the thief."""


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


_Idle: TypeAlias = "list[tuple[float, int, _Thief]]"
"""A heap: seconds after which the next task starts, a number that tells equal entries apart, and the worker."""


def moves(state: SchedulerState) -> list[Move]:
    """Return what had best be moved; nothing unless there are busy workers and others that could do it sooner."""
    least = state.by_load.least(state.now) if len(state.running) > 1 else None
    if least is None:
        return []
    if state.fair is not None:
        return _back_to_queue(state)
    if least[0] >= SATURATED:
        return _back_to_queue(state) if state.queue.size else []
    idle = [(thief.wait(), index, thief) for index, thief in enumerate(_find_thieves(state))]
    heapq.heapify(idle)
    victims = find_victims(state) if idle else []
    found: list[Move] = []
    workers = {thief.worker for _, _, thief in idle}
    for rank in sorted({rank for victim in victims for rank in victim.batches}):
        having = [victim for victim in victims if rank in victim.batches]
        _share_out(state, rank, having, idle, workers, found)
        for victim in having:
            victim.ahead += victim.batches[rank].seconds
    return found


def _back_to_queue(state: SchedulerState) -> list[Move]:
    """Return tasks from the queue that stand behind a task which goes on and on.

    No worker has a free thread for long as long as there are tasks in the queue: others would run all that is in there
    before what was ahead of it.
    """
    patience = state.config.steal_latency + state.config.steal_gain
    found: list[Move] = []
    for victim in find_victims(state):
        if victim.late and victim.ahead / victim.threads > patience:
            for batch in victim.batches.values():
                found += [Move(offer.task, None, 0.0) for offer in batch.offers if _would_queue(state, offer.task)]
    return found


def _would_queue(state: SchedulerState, task: TaskState) -> bool:
    """Tell whether a task that is placed anew waits in the queue for any of several workers."""
    if state.fair is None:
        return is_rootish(task, state.total_nthreads, state.config.rootish_dependencies)
    options = task.options
    return not (options.workers or options.resources) or len(allowed_workers(state, options).workers) > 1


def _share_out(
    state: SchedulerState,
    rank: tuple[float, float],
    victims: list[Victim],
    idle: _Idle,
    workers: set[WorkerState],
    found: list[Move],
) -> None:
    """Find out which tasks of a rank had best be moved to the idle: of the one who needs longest for it first."""
    config = state.config
    burdened = [
        (-victim.wait(victim.batches[rank]), index, victim)
        for index, victim in enumerate(victims)
        if victim.batches[rank].offers
    ]
    heapq.heapify(burdened)
    while burdened and len(found) < config.steals_at_once:
        wait, index, victim = burdened[0]
        if -wait - idle[0][0] <= config.steal_latency + config.steal_gain:
            return
        batch = victim.batches[rank]
        offer = batch.offers.pop()
        move = _try_to_place(state, offer, -wait, idle) if _has_takers(state, offer.task, workers) else None
        if move is not None:
            found.append(move)
            batch.seconds -= offer.seconds
        if batch.offers:
            heapq.heapreplace(burdened, (-victim.wait(batch), index, victim))
        else:
            heapq.heappop(burdened)


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


def _try_to_place(state: SchedulerState, offer: Offer, wait: float, idle: _Idle) -> Move | None:
    """Return the move of a task to the worker that starts it first, if that is sooner than it would start anyway."""
    config = state.config
    task = offer.task
    best: tuple[float, int, _Thief] | None = None
    best_start = wait - config.steal_gain
    best_travel = 0.0
    seen = [heapq.heappop(idle) for _ in range(min(len(idle), config.thieves_considered))]
    for entry in seen:
        thief = entry[2]
        if not _may_take(thief, task):
            continue
        travel = _missing(state, thief, task) / config.bandwidth
        start = entry[0] + config.steal_latency + travel
        if start < best_start:
            best, best_start, best_travel = entry, start, travel
    move = None
    for entry in seen:
        if entry is best:
            thief = entry[2]
            seconds = offer.seconds * _share(thief.worker, task) + best_travel
            thief.arriving.update(task.dependencies)
            thief.count += 1
            thief.seconds += seconds
            move = Move(task, thief.worker, seconds)
            entry = (thief.wait(), entry[1], thief)
        heapq.heappush(idle, entry)
    return move


def _has_takers(state: SchedulerState, task: TaskState, workers: set[WorkerState]) -> bool:
    """Tell whether there may be one among the idle workers that may run a task: quickly, for there may be thousands."""
    options = task.options
    if not (options.workers or options.resources) or options.allow_other_workers:
        return True
    return not allowed_workers(state, options).members.isdisjoint(workers)


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
    return may_run(worker, options)


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
