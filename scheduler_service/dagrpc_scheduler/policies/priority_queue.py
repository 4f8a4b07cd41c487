"""The default queue policy: root tasks wait on the scheduler in order of priority, other tasks are placed at once."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, Protocol

from dagrpc_scheduler.core.load_index import FULL, SLOTS_TAKEN, fullness_of
from dagrpc_scheduler.core.model import NO_LIMIT, NO_WORKER, PROCESSING, QUEUED, RUNNING, TaskState, WorkerState
from dagrpc_scheduler.core.policy import QueuePolicy, ReadyQueue
from dagrpc_scheduler.core.restrictions import is_known_everywhere
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.core.transitions.loop import transition
from dagrpc_scheduler.policies.rootish import (
    free_slots_for,
    is_rootish,
    lookahead_per_thread,
    set_low_water_mark,
)
from dagrpc_scheduler.policies.task_queue import TaskQueue


class OrderedQueue(ReadyQueue, Protocol):
    """A queue whose next task does not depend on the worker."""

    def first(self) -> TaskState | None:
        """Return the next task without removing it; None: the queue is empty."""
        ...


class PriorityQueuePolicy(QueuePolicy):
    """Queues root tasks, which would flood the workers, and hands them out in the order of a queue."""

    def __init__(self, state: SchedulerState, queue: OrderedQueue | None = None) -> None:
        """Make the policy; `queue` defaults to the order of the tasks' priorities."""
        self._state = state
        self._place = state.placement.choose
        self.queue: OrderedQueue = TaskQueue() if queue is None else queue
        self._functions: set[str] = set()
        """Functions that queued calls name, and maybe some that no queued call names any more."""

    def choose(self, task: TaskState) -> WorkerState | Literal["queued", "no-worker"]:
        """Return the worker for a ready task; root tasks are queued when no worker has a free slot."""
        state = self._state
        if is_rootish(task, state):
            choice = self._choose_for_root(task)
            if choice == QUEUED and task.options.function:
                self._functions.add(task.options.function)
            return choice
        return self._place(task) or NO_WORKER

    def _choose_for_root(self, task: TaskState) -> WorkerState | Literal["queued", "no-worker"]:
        state = self._state
        if not state.by_free_slots:
            return NO_WORKER
        if math.isinf(state.config.worker_saturation):
            return self._choose_beside_neighbours(task) or NO_WORKER
        if self.queue.size:
            return QUEUED
        emptiest = state.by_free_slots.least_but(task.avoid, state.now)
        if emptiest is not None and emptiest[0] < FULL and free_slots_for(emptiest[2], task, state.config) > 0:
            return emptiest[2]
        return QUEUED

    def _choose_beside_neighbours(self, task: TaskState) -> WorkerState | None:
        """Give each worker a contiguous share of the group, whose tasks become ready in order of priority."""
        state = self._state
        group = task.group
        worker = group.last_worker
        if worker is None or group.last_worker_quota <= 0 or worker.status != RUNNING or worker is task.avoid:
            least = state.by_load.least_but(task.avoid, state.now)
            if least is None:
                return None
            group.last_worker = worker = least[2]
            group.last_worker_quota = group.size * worker.nthreads // max(state.total_nthreads, 1)
        group.last_worker_quota -= 1
        return worker

    def fill(self) -> None:
        """Assign queued tasks to workers with free slots, the emptiest worker first."""
        state, queue = self._state, self.queue
        config = state.config
        while queue.size:
            task = queue.first()
            emptiest = state.by_free_slots.least(state.now)
            if task is None or emptiest is None or emptiest[0] >= FULL:
                return
            worker = emptiest[2]
            if task.avoid is worker:
                other = state.by_free_slots.least_but(worker, state.now)
                if other is not None and other[0] < FULL and free_slots_for(other[2], task, config) > 0:
                    worker = other[2]
            free_slots = free_slots_for(worker, task, config)
            if free_slots > 0:
                self._assign_run(worker, task, free_slots)
            elif task.suspicious or not lookahead_per_thread(task.group.prefix, config):
                # The task needs a free thread or slot, and the emptiest worker has none.
                return
            else:
                set_low_water_mark(worker)

    def _assign_run(self, worker: WorkerState, task: TaskState, free_slots: int) -> None:
        """Assign consecutive queued tasks to a worker, starting with `task`.

        While the queue has plenty for every worker, a worker gets neighbours, whose results are likely to be used
        together.
        """
        state, queue = self._state, self.queue
        prefix = task.group.prefix
        share = min(free_slots, max(1, queue.size // (2 * len(state.running))))
        given = 0
        while True:
            task.processing_on = worker
            transition(state, task, PROCESSING)
            given += 1
            if given == share:
                break
            following = queue.first()
            if following is None or following.group.prefix is not prefix or following.suspicious or following.avoid:
                break
            task = following
        if given == free_slots:
            set_low_water_mark(worker)
        else:
            worker.low_water_mark = NO_LIMIT
            state.by_free_slots.lowered[worker] = None

    def would_queue(self, task: TaskState) -> bool:
        """Tell whether the task is a root task."""
        state = self._state
        return is_rootish(task, state)

    def without_workers(self) -> Iterable[TaskState]:
        """Return the queued calls of functions that a running worker lacks, which are placed as restricted tasks."""
        state = self._state
        if not state.by_free_slots:
            # Queued tasks stay where they are while no worker runs; workers that take no code do not count.
            return self.queue.tasks() if state.running else ()
        if not self.queue.size:
            self._functions.clear()
        lacking = {function for function in self._functions if not is_known_everywhere(state, function)}
        if not lacking:
            return ()
        self._functions -= lacking
        return [task for task in self.queue.tasks() if task.options.function in lacking]

    def idle_slot(self) -> tuple[WorkerState, TaskState] | None:
        """Return a worker with a free slot for the first task of the queue."""
        state, task = self._state, self.queue.first()
        for worker in state.running if task is not None else ():
            if worker not in state.by_free_slots:
                continue
            fullness = fullness_of(worker, state.now, state.config.lookahead_seconds)
            if task is not None and fullness < SLOTS_TAKEN and free_slots_for(worker, task, state.config) > 0:
                return worker, task
        return None
