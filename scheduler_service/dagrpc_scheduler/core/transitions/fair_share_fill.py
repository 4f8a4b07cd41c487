"""Gives queued tasks to workers in turns of the clients that submitted them, where `loop.fill` goes by priority."""

from __future__ import annotations

from typing import Final

from dagrpc_scheduler.core.fair_queue import FairQueue, Lane
from dagrpc_scheduler.core.instructions import ComputeTask
from dagrpc_scheduler.core.model import NO_LIMIT, PROCESSING, TaskState, WorkerState
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.core.transitions.loop import set_low_water_mark, transition
from dagrpc_scheduler.policies.fair_share import worker_with_free_slot
from dagrpc_scheduler.policies.rootish import free_slots_for

_QUANTUM: Final = 0.01
"""Seconds by which a client may get ahead of the next one, so that short tasks go out several at a time."""
_CHARGES: Final = 10_000
"""How many charges there may be before it is looked which of them are still of use."""


def fill_fairly(state: SchedulerState) -> None:
    """Give queued tasks to the workers that have room for them."""
    queue = state.fair
    assert queue is not None
    queue.now = state.now
    queue.look()
    if queue.charged > _CHARGES:
        _forget_runs(state, queue)
    blocked: set[Lane] = set()
    while queue.size:
        for lane in queue.in_turn():
            if lane in blocked:
                continue
            task = queue.head(lane)[2]
            worker = worker_with_free_slot(state, task)
            if worker is not None:
                _give(state, queue, lane, task, worker)
                break
            blocked.add(lane)
        else:
            return


def _give(state: SchedulerState, queue: FairQueue, lane: Lane, task: TaskState, worker: WorkerState) -> None:
    """Give a worker a run of tasks of one lane, which starts with `task`, as long as it is that client's turn."""
    share = lane.share
    prefix = task.group.prefix
    room = free_slots_for(worker, task, state.config)
    count = 1 if lane.options is not None else min(room, max(1, queue.size // (2 * len(state.running))))
    limit = queue.rivals_use(share) + _QUANTUM
    given = 0
    while True:
        task.processing_on = worker
        transition(state, task, PROCESSING)
        queue.charge(share, task.run_id, worker.processing[task])
        order = state.instructions[-1]
        assert isinstance(order, ComputeTask)
        # In turn on the worker, too, whatever the priorities of different clients are.
        order.priority = (float(queue.dispatched), *order.priority)
        given += 1
        if given >= count or not lane.size or share.used > limit:
            break
        task = queue.head(lane)[2]
        if task.group.prefix is not prefix or task.suspicious or task.avoid:
            break
    if given >= room:
        set_low_water_mark(worker)
    else:
        worker.low_water_mark = NO_LIMIT
        state.by_free_slots.lowered[worker] = None


def _forget_runs(state: SchedulerState, queue: FairQueue) -> None:
    queue.forget_runs(task.run_id for worker in state.workers.values() for task in worker.processing)
