"""The fair-share queue policy: clients take turns, weighted by the time that their tasks occupied workers.

All tasks wait in the scheduler's queue until a worker has a free slot, not only root tasks: a task that was assigned to
a worker cannot be withdrawn when another client's turn has come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from dagrpc_scheduler.core.events import NO_OPTIONS
from dagrpc_scheduler.core.instructions import ComputeTask
from dagrpc_scheduler.core.load_index import FULL, SLOTS_TAKEN, fullness_of
from dagrpc_scheduler.core.model import NO_LIMIT, NO_WORKER, PROCESSING, QUEUED, TaskState, WorkerState
from dagrpc_scheduler.core.occupancy import size_of
from dagrpc_scheduler.core.policy import Account, QueuePolicy
from dagrpc_scheduler.core.restrictions import allowed_workers, is_restricted, lacks_resources
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.core.transitions.loop import transition
from dagrpc_scheduler.policies.fair_queue import FairQueue, Lane
from dagrpc_scheduler.policies.rootish import free_slots_for, lookahead_per_thread, set_low_water_mark

_QUANTUM: Final = 0.01
"""Seconds by which a client may get ahead of the next one, so that short tasks are assigned several at a time."""
_CHARGES: Final = 10_000
"""Number of charges that triggers a search for those of runs that have ended."""


class FairSharePolicy(QueuePolicy):
    """Queues all tasks, and assigns them in turns of the clients that submitted them."""

    queues_all_tasks = True

    def __init__(self, state: SchedulerState) -> None:
        """Make the policy for a scheduler's state."""
        self._state = state
        self.queue = FairQueue(state.clients, state.config.fair_share_weights)

    def choose(self, task: TaskState) -> WorkerState | Literal["queued", "no-worker"]:
        """Return the state in which a ready task waits for its client's turn; actors are placed at once."""
        state, options = self._state, task.options
        if options is not NO_OPTIONS:
            if options.actor:
                return state.placement.choose(task) or NO_WORKER
            if options.workers or options.resources or options.function:
                return QUEUED if allowed_workers(state, options).workers else NO_WORKER
        return QUEUED if state.by_free_slots else NO_WORKER

    def would_queue(self, task: TaskState) -> bool:
        """Tell whether several workers may run the task."""
        options = task.options
        return not is_restricted(self._state, options) or len(allowed_workers(self._state, options).workers) > 1

    def without_workers(self) -> Iterator[TaskState]:
        """Yield the tasks of lanes that no running worker may serve."""
        for lane in self.queue.lanes():
            if lane.options is None:
                # Tasks of other lanes stay queued while no worker runs; workers that take no code do not count.
                stuck = bool(self._state.running) and not self._state.by_free_slots
            else:
                stuck = not allowed_workers(self._state, lane.options).workers
            if stuck:
                yield from self.queue.waiting_in(lane)

    def submitted(self, tasks: Sequence[TaskState], client: str, submitter: str) -> None:
        """Note on whose behalf tasks will run."""
        self.queue.now = self._state.now
        self.queue.submitted([task.key for task in tasks], client, submitter, self._state.tasks)

    def run_ended(self, run_id: int, seconds: float) -> None:
        """Charge the client what the run took instead of what was expected."""
        # A clock that was set back yields a negative duration.
        self.queue.correct_charge(run_id, max(seconds, 0.0))

    def accounts(self) -> dict[str, Account]:
        """Return what each client has had."""
        return self.queue.accounts()

    # --- free slots are filled ---

    def fill(self) -> None:
        """Assign queued tasks to workers with free slots, the client that has had least first."""
        state, queue = self._state, self.queue
        queue.now = state.now
        queue.charge_overdue_runs()
        if queue.charged > _CHARGES:
            queue.forget_runs(task.run_id for worker in state.workers.values() for task in worker.processing)
        blocked: set[Lane] = set()
        while queue.size:
            for lane in queue.in_turn():
                if lane in blocked:
                    continue
                task = queue.head(lane)[2]
                worker = self._worker_with_free_slot(task)
                if worker is not None:
                    self._assign_run(lane, task, worker)
                    break
                blocked.add(lane)
            else:
                return

    def _assign_run(self, lane: Lane, task: TaskState, worker: WorkerState) -> None:
        """Assign consecutive tasks of a lane to a worker, starting with `task`, while it is that client's turn."""
        state, queue = self._state, self.queue
        share = lane.share
        prefix = task.group.prefix
        free_slots = free_slots_for(worker, task, state.config)
        count = 1 if lane.options is not None else min(free_slots, max(1, queue.size // (2 * len(state.running))))
        limit = queue.rivals_use(share) + _QUANTUM
        given = 0
        while True:
            task.processing_on = worker
            transition(state, task, PROCESSING)
            queue.charge(share, task.run_id, worker.processing[task])
            instruction = state.instructions[-1]
            assert isinstance(instruction, ComputeTask)
            # The worker, too, runs tasks in the order of the turns, whatever the priorities of different clients are.
            instruction.priority = (float(queue.dispatched), *instruction.priority)
            given += 1
            if given >= count or not lane.size or share.used > limit:
                break
            task = queue.head(lane)[2]
            if task.group.prefix is not prefix or task.suspicious or task.avoid:
                break
        if given >= free_slots:
            set_low_water_mark(worker)
        else:
            worker.low_water_mark = NO_LIMIT
            state.by_free_slots.lowered[worker] = None

    def idle_slot(self) -> tuple[WorkerState, TaskState] | None:
        """Return a worker with a free slot for the first task of a lane."""
        state = self._state
        for lane in self.queue.lanes():
            task = self.queue.head(lane)[2]
            workers: Iterable[WorkerState] = (worker for worker in state.running if worker in state.by_free_slots)
            if lane.options is not None:
                workers = allowed_workers(state, lane.options).workers
            for worker in workers:
                fullness = fullness_of(worker, state.now, state.config.lookahead_seconds)
                if fullness < SLOTS_TAKEN and self._has_free_slot(worker, task):
                    return worker, task
        return None

    # --- the worker with a free slot ---

    def _worker_with_free_slot(self, task: TaskState) -> WorkerState | None:
        """Return the best worker with a free slot for a queued task: by its dependencies, then by free slots."""
        state, options = self._state, task.options
        if options is not NO_OPTIONS and is_restricted(state, options):
            return self._allowed_with_free_slot(task)
        if task.dependencies:
            near = self._near_with_free_slot(task)
            if near is not None:
                return near
        by_free_slots = state.by_free_slots
        while True:
            least = by_free_slots.least_but(task.avoid, state.now)
            if least is not None and least[0] >= FULL and task.avoid is not None:
                # The worker that the task asked to avoid is better than none.
                least = by_free_slots.least(state.now)
            if least is None or least[0] >= FULL:
                return None
            worker = least[2]
            if free_slots_for(worker, task, state.config) > 0:
                return worker
            if task.suspicious or not lookahead_per_thread(task.group.prefix, state.config):
                return None
            set_low_water_mark(worker)

    def _has_free_slot(self, worker: WorkerState, task: TaskState) -> bool:
        """Tell whether a worker may be given a queued task now."""
        state = self._state
        return (
            fullness_of(worker, state.now, state.config.lookahead_seconds) < FULL
            and free_slots_for(worker, task, state.config) > 0
            and not lacks_resources(worker, task.options)
        )

    def _near_with_free_slot(self, task: TaskState) -> WorkerState | None:
        """Return the worker with a free slot that holds most bytes of a task's dependencies."""
        config = self._state.config
        held: dict[WorkerState, int] = {}
        for dependency in task.dependencies:
            nbytes = size_of(dependency, config)
            for worker in dependency.who_has[: config.holders_considered]:
                held[worker] = held.get(worker, 0) + nbytes
        best: WorkerState | None = None
        for worker, nbytes in held.items():
            if worker not in self._state.by_free_slots or worker is task.avoid or not self._has_free_slot(worker, task):
                continue
            if best is None or nbytes > held[best]:
                best = worker
        return best

    def _allowed_with_free_slot(self, task: TaskState) -> WorkerState | None:
        """Return the worker with a free slot that may run a restricted task and lacks the fewest bytes."""
        state = self._state
        best: WorkerState | None = None
        best_cost = (True, 0, 0)
        for worker in allowed_workers(state, task.options).workers:
            if not self._has_free_slot(worker, task):
                continue
            missing = sum(size_of(each, state.config) for each in task.dependencies if each not in worker.has_what)
            cost = (worker is task.avoid, missing, len(worker.processing))
            if best is None or cost < best_cost:
                best, best_cost = worker, cost
        return best
