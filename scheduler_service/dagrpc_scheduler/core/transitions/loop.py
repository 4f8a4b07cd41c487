"""Runs the recommended transitions until none is left, then places the tasks that have become ready."""

from __future__ import annotations

from operator import attrgetter
from typing import Final

from dagrpc_scheduler.core.model import FORGOTTEN, MEMORY, PROCESSING, WAITING, StateName, TaskState, WorkerState
from dagrpc_scheduler.core.refcounts import cancel_uncomputable, unpin_graph
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.core.transitions.table import TABLE

_PRIORITY: Final = attrgetter("rank", "order")


class ImpossibleTransition(Exception):
    """A transition was recommended that the table does not contain: a bug of the scheduler."""


def transition(state: SchedulerState, task: TaskState, finish: StateName) -> None:
    """Try to bring a task into another state."""
    start = task.state
    if start == finish or start is FORGOTTEN:
        return
    function = TABLE.get((start, finish))
    if function is None:
        raise ImpossibleTransition(f"{task.key!r} cannot change from {start} to {finish} (stimulus {state.stimulus!r})")
    worker = task.processing_on
    function(state, task)
    finish = task.state
    if finish != start:
        group = task.group
        counts, prefix = group.counts, group.prefix
        counts[start] -= 1
        counts[finish] += 1
        prefix.totals[finish] += 1
        # The size of a result stays the same while it is in memory.
        if finish == MEMORY:
            prefix.output_bytes += max(task.nbytes, 0)
        elif start == MEMORY:
            prefix.output_bytes -= max(task.nbytes, 0)
        if worker is None:
            worker = task.processing_on
        address = "" if worker is None else worker.address
        state.story.record((state.now, task.key, start, finish, address, state.stimulus))


def run_recommendations(state: SchedulerState) -> None:
    """Run all recommended transitions and those that they recommend in turn."""
    recommendations = state.recommendations
    while recommendations:
        task, finish = recommendations.popleft()
        transition(state, task, finish)


def run_transitions(state: SchedulerState) -> None:
    """Run all recommended transitions, and place the tasks that have become ready, until nothing is left to do."""
    recommendations = state.recommendations
    while True:
        while recommendations:
            task, finish = recommendations.popleft()
            transition(state, task, finish)
        if state.complete_graphs:
            unpin_graph(state, state.complete_graphs.pop())
        elif state.uncomputable:
            cancel_uncomputable(state)
        elif state.ready:
            _place_ready(state)
        else:
            return


def _place_ready(state: SchedulerState) -> None:
    """Place the ready tasks in order of priority."""
    ready, state.ready = state.ready, []
    choose, now = state.queueing.choose, state.now
    if len(ready) > 1:
        ready.sort(key=_PRIORITY)
    for task in ready:
        # A dependency may have been lost since, and a task may be listed twice.
        if task.state == WAITING and not task.missing:
            if not task.ready_at:
                task.ready_at = now
            choice = choose(task)
            if isinstance(choice, WorkerState):
                task.processing_on = choice
                transition(state, task, PROCESSING)
            else:
                transition(state, task, choice)
