"""The default stealing policy: idle workers take over tasks that wait on busy workers.

A pass over the workers takes place a few times a second, and only while some worker has a free thread. Nothing is
stored for each task, so that stealing adds next to nothing to the cost of a task. Tasks that wait on the most burdened
workers are examined in the order of their rank, the most urgent first, and each goes to the worker that starts it
first: a worker that joins takes part in the most urgent work. Among tasks of the same rank, those that are most worth
the move come first, and among these the ones that would start last.
"""

from __future__ import annotations

import heapq
from typing import TypeAlias

from dagrpc_scheduler.core.events import NO_OPTIONS
from dagrpc_scheduler.core.load_index import SATURATED
from dagrpc_scheduler.core.model import TaskState, WorkerState
from dagrpc_scheduler.core.occupancy import size_of
from dagrpc_scheduler.core.policy import StealingPolicy, StealMove
from dagrpc_scheduler.core.restrictions import allowed_workers, is_restricted, may_run
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.policies.stealable_backlog import Offer, Victim, find_victims


class NoStealing(StealingPolicy):
    """Leaves all tasks where they are."""

    def plan(self) -> list[StealMove]:
        """Return no moves."""
        return []


class WorkStealing(StealingPolicy):
    """Moves tasks from the most burdened workers to idle ones, or back to the queue."""

    def __init__(self, state: SchedulerState) -> None:
        """Make the policy for a scheduler's state."""
        self._state = state

    def plan(self) -> list[StealMove]:
        """Return the moves that are worth their cost; none unless some workers are busy and others less so."""
        state = self._state
        least = state.by_load.least(state.now) if len(state.running) > 1 else None
        if least is None:
            return []
        if state.queueing.queues_all_tasks:
            return self._back_to_queue()
        if least[0] >= SATURATED:
            return self._back_to_queue() if state.queue.size else []
        return _to_idle_workers(state)

    def _back_to_queue(self) -> list[StealMove]:
        """Return the queueable tasks that wait behind a task which takes much longer than expected.

        While tasks are queued, no worker has a free thread for long, so that there is no idle worker to take them.
        """
        state = self._state
        patience = state.config.steal_latency + state.config.steal_gain
        found: list[StealMove] = []
        for victim in find_victims(state):
            if victim.late and victim.ahead / victim.threads > patience:
                offers = [offer for batch in victim.batches.values() for offer in batch.offers]
                tasks = [offer.task for offer in offers if state.queueing.would_queue(offer.task)]
                found += [StealMove(task, None, 0.0) for task in tasks]
        return found


class _Thief:
    """A worker with a free thread."""

    __slots__ = ("arriving", "count", "seconds", "worker")

    def __init__(self, worker: WorkerState, count: int, seconds: float) -> None:
        self.worker = worker
        self.count = count
        """Number of tasks that the worker has or will get."""
        self.seconds = seconds
        """Expected seconds of these tasks."""
        self.arriving: set[TaskState] = set()
        """Results that the worker will fetch for the tasks that it gets."""

    def wait(self) -> float:
        """Return the seconds until the next task starts."""
        nthreads = self.worker.nthreads
        return 0.0 if self.count < nthreads else self.seconds / nthreads


_Idle: TypeAlias = list[tuple[float, int, _Thief]]
"""A heap: seconds until the next task starts, a number that orders equal entries, and the worker."""


def _to_idle_workers(state: SchedulerState) -> list[StealMove]:
    """Return the moves of tasks from burdened workers to idle ones, the most urgent tasks first."""
    idle = [(thief.wait(), index, thief) for index, thief in enumerate(_find_thieves(state))]
    heapq.heapify(idle)
    victims = find_victims(state) if idle else []
    found: list[StealMove] = []
    workers = {thief.worker for _, _, thief in idle}
    for rank in sorted({rank for victim in victims for rank in victim.batches}):
        with_rank = [victim for victim in victims if rank in victim.batches]
        _share_out(state, rank, with_rank, idle, workers, found)
        for victim in with_rank:
            victim.ahead += victim.batches[rank].seconds
    return found


def _share_out(
    state: SchedulerState,
    rank: tuple[float, float],
    victims: list[Victim],
    idle: _Idle,
    workers: set[WorkerState],
    found: list[StealMove],
) -> None:
    """Add moves of tasks of one rank to `found`, from the victim that needs longest for them first."""
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
    """Return the workers with a free thread, with the tasks that they were already promised."""
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


def _try_to_place(state: SchedulerState, offer: Offer, wait: float, idle: _Idle) -> StealMove | None:
    """Return the move of a task to the worker that starts it first; None if the task starts sooner where it is."""
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
            seconds = offer.seconds * _threads_taken(thief.worker, task) + best_travel
            thief.arriving.update(task.dependencies)
            thief.count += 1
            thief.seconds += seconds
            move = StealMove(task, thief.worker, seconds)
            entry = (thief.wait(), entry[1], thief)
        heapq.heappush(idle, entry)
    return move


def _has_takers(state: SchedulerState, task: TaskState, workers: set[WorkerState]) -> bool:
    """Tell whether the task's options may allow an idle worker; quick, because there may be thousands of tasks."""
    options = task.options
    if options.allow_other_workers and not options.function:
        return True
    if not is_restricted(state, options):
        return True
    return not allowed_workers(state, options).members.isdisjoint(workers)


def _may_take(thief: _Thief, task: TaskState) -> bool:
    """Tell whether a worker may run a task and has its resources free."""
    options = task.options
    worker = thief.worker
    if options is NO_OPTIONS:
        return worker.abilities.takes_code
    used = worker.used_resources
    for name, amount in options.resources.items():
        if used.get(name, 0.0) + amount > worker.resources.get(name, 0.0):
            return False
    return may_run(worker, options)


def _threads_taken(worker: WorkerState, task: TaskState) -> float:
    """Return how many of the worker's threads a task blocks by the resources that it uses."""
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
