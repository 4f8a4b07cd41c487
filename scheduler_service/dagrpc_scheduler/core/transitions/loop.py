"""Recommendations are carried out until none is left; then tasks are placed."""

from __future__ import annotations

from operator import attrgetter
from typing import Final

from dagrpc_scheduler.core.load_index import FULL
from dagrpc_scheduler.core.model import FORGOTTEN, NO_LIMIT, PROCESSING, WAITING, StateName, TaskState, WorkerState
from dagrpc_scheduler.core.refcounts import cancel_uncomputable, unpin_graph
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.core.transitions.table import TABLE
from dagrpc_scheduler.policies.fair_share import choose_fairly
from dagrpc_scheduler.policies.placement import choose
from dagrpc_scheduler.policies.rootish import free_slots_for, lookahead_per_thread

_PRIORITY: Final = attrgetter("rank", "order")


class ImpossibleTransition(Exception):
    """A transition was recommended that there is not: a bug of the scheduler."""


def transition(state: SchedulerState, task: TaskState, finish: StateName) -> None:
    """Try to get a task into another state."""
    start = task.state
    if start in (finish, FORGOTTEN):
        return
    function = TABLE.get((start, finish))
    if function is None:
        raise ImpossibleTransition(f"{task.key!r} cannot get from {start} to {finish} (stimulus {state.stimulus!r})")
    worker = task.processing_on
    function(state, task)
    finish = task.state
    if finish != start:
        counts = task.group.counts
        counts[start] -= 1
        counts[finish] += 1
        if worker is None:
            worker = task.processing_on
        address = "" if worker is None else worker.address
        state.story.tell((state.now, task.key, start, finish, address, state.stimulus))


def carry_out(state: SchedulerState) -> None:
    """Carry out all recommendations, and those that they lead to."""
    recommendations = state.recommendations
    while recommendations:
        task, finish = recommendations.popleft()
        transition(state, task, finish)


def run_transitions(state: SchedulerState) -> None:
    """Carry out all recommendations, and those that they lead to, and place the tasks that have become ready."""
    while True:
        if state.recommendations:
            carry_out(state)
        if state.complete_graphs:
            unpin_graph(state, state.complete_graphs.pop())
        elif state.uncomputable:
            cancel_uncomputable(state)
        elif state.ready:
            _place_ready(state)
        else:
            return


def _place_ready(state: SchedulerState) -> None:
    ready, state.ready = state.ready, []
    choose_worker = choose if state.fair is None else choose_fairly
    if len(ready) > 1:
        ready.sort(key=_PRIORITY)
    for task in ready:
        # A dependency may have been lost since, or the task may be there twice.
        if task.state == WAITING and not task.missing:
            choice = choose_worker(state, task)
            if isinstance(choice, WorkerState):
                task.processing_on = choice
                transition(state, task, PROCESSING)
            else:
                transition(state, task, choice)


def fill(state: SchedulerState) -> None:
    """Give queued tasks to the workers that have room for them."""
    queue = state.queue
    while queue.size:
        task = queue.first()
        least = state.by_free_slots.least(state.now)
        if task is None or least is None or least[0] >= FULL:
            return
        worker = least[2]
        if task.avoid is worker:
            other = state.by_free_slots.least_but(worker, state.now)
            if other is not None and other[0] < FULL and free_slots_for(other[2], task, state.config) > 0:
                worker = other[2]
        room = free_slots_for(worker, task, state.config)
        if room > 0:
            _give(state, worker, task, room)
        elif task.suspicious or not lookahead_per_thread(task.group.prefix, state.config):
            # It needs a thread, or a slot, and the least loaded worker has none.
            return
        else:
            set_low_water_mark(worker)


def _give(state: SchedulerState, worker: WorkerState, task: TaskState, room: int) -> None:
    """Give a worker a run of queued tasks, which starts with `task`.

    While there is plenty in the queue for everyone, a worker gets neighbours, which are likely to be used together.
    """
    queue = state.queue
    prefix = task.group.prefix
    share = min(room, max(1, queue.size // (2 * len(state.running))))
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
    if given == room:
        set_low_water_mark(worker)
    else:
        worker.low_water_mark = NO_LIMIT
        state.by_free_slots.lowered[worker] = None


def set_low_water_mark(worker: WorkerState) -> None:
    """Give a worker no more tasks, but for its free slots, until half of those that it has are done.

    One message then brings many tasks, instead of one for each that was finished.
    """
    worker.low_water_mark = (len(worker.processing) - len(worker.long_running)) // 2
