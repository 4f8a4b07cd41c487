"""The rules of the worker's task states.

1. Handlers change facts about tasks and add these tasks to `WorkerState.touched`. Handlers set no states.
2. A task's state is a function of its facts: `state_from_facts`. The first condition that holds decides.
3. A transition updates the queues and counters. It may change facts of other tasks, and then adds these to `touched`;
   it never makes another transition.
4. Transitions are made until every state agrees with the facts. Then executions and transfers begin.
5. Only the transitions in `SUCCESSORS` are possible. Any other is an error of the core.
6. A result is dropped from the store only when its key has neither an execution, which may just have stored its result,
   nor a transfer.
7. The dependencies of an execution stay in the store until it has ended, whether or not it is still wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from dagrpc_worker.core.fetch_planning import queue_fetch
from dagrpc_worker.core.model import (
    CANCELLED,
    CONSTRAINED,
    ERRED,
    EXECUTING,
    FETCH,
    FLIGHT,
    FORGOTTEN,
    LONG_RUNNING,
    MEMORY,
    MISSING,
    NO_RUN,
    NO_TICKET,
    READY,
    RELEASED,
    WAITING,
    TaskState,
    WorkerState,
)
from dagrpc_worker.core.ready_tasks import average_of, queue_run

Action: TypeAlias = Callable[[WorkerState, TaskState], None]


def state_from_facts(task: TaskState) -> str:
    """Return the state that follows from a task's facts."""
    request = task.request
    if request is not None:
        if task.execution != NO_RUN:
            return EXECUTING if task.seceded < 0.0 else LONG_RUNNING
        if task.waiting_for:
            return WAITING
        return CONSTRAINED if request.resources else READY
    if task.stored:
        if task.reported or task.dependents:
            return MEMORY
    elif task.erred:
        return ERRED
    elif task.replica or task.dependents:
        if task.peer:
            return FLIGHT
        return FETCH if task.holders else MISSING
    if task.execution != NO_RUN or task.peer:
        return CANCELLED
    return FORGOTTEN


def _queue_run(state: WorkerState, task: TaskState) -> None:
    if task.average is None:
        task.average = average_of(state, task.key)
    queue_run(state, task)


def _leave_queues(state: WorkerState, task: TaskState) -> None:
    task.ticket = NO_TICKET


def _wake_dependents(state: WorkerState, task: TaskState) -> None:
    task.replica = False
    task.holders = ()
    if task.dependents:
        touched = state.touched
        for dependent in task.dependents:
            dependent.waiting_for -= 1
            touched.append(dependent)


def _hold_up_dependents(state: WorkerState, task: TaskState) -> None:
    # The result was discarded. Executions that use it go on; other dependents wait for the next result.
    if task.dependents:
        touched = state.touched
        for dependent in task.dependents:
            dependent.waiting_for += 1
            touched.append(dependent)


def _leave_error(state: WorkerState, task: TaskState) -> None:
    # The failure was reported, and the scheduler keeps it.
    task.erred = False
    state.touched.append(task)


def _forget(state: WorkerState, task: TaskState) -> None:
    if task.stored or task.stale:
        state.dropped[task.key] = None
        if task.stored:
            state.stored_nbytes -= task.nbytes
        task.stored = task.stale = False
    del state.tasks[task.key]
    if not state.tasks:
        # Releases the table of a dict that had many entries.
        state.tasks.clear()


_TO_RUN: Final = (WAITING, READY, CONSTRAINED)
_TO_FETCH: Final = (FETCH, FLIGHT, MISSING)
_AWAY: Final = (CANCELLED, FORGOTTEN)

SUCCESSORS: Final[Mapping[str, tuple[str, ...]]] = {
    RELEASED: (*_TO_RUN, FETCH, MISSING, MEMORY, FORGOTTEN),
    WAITING: (READY, CONSTRAINED, MEMORY, ERRED, *_TO_FETCH, *_AWAY),
    READY: (WAITING, CONSTRAINED, EXECUTING, MEMORY, *_TO_FETCH, *_AWAY),
    CONSTRAINED: (WAITING, READY, EXECUTING, MEMORY, *_TO_FETCH, *_AWAY),
    EXECUTING: (LONG_RUNNING, MEMORY, ERRED, *_TO_RUN, *_TO_FETCH, *_AWAY),
    LONG_RUNNING: (MEMORY, ERRED, *_TO_RUN, *_TO_FETCH, *_AWAY),
    FETCH: (FLIGHT, MISSING, MEMORY, *_TO_RUN, EXECUTING, LONG_RUNNING, *_AWAY),
    FLIGHT: (FETCH, MISSING, MEMORY, *_TO_RUN, EXECUTING, LONG_RUNNING, *_AWAY),
    MISSING: (FETCH, MEMORY, *_TO_RUN, EXECUTING, LONG_RUNNING, *_AWAY),
    MEMORY: (*_TO_FETCH, *_AWAY),
    ERRED: (*_TO_FETCH, *_AWAY),
    CANCELLED: (MEMORY, *_TO_RUN, EXECUTING, LONG_RUNNING, *_TO_FETCH, FORGOTTEN),
    FORGOTTEN: (),
}
"""The states that can follow each state."""

ON_LEAVING: Final[Mapping[str, Action]] = {
    READY: _leave_queues,
    CONSTRAINED: _leave_queues,
    FETCH: _leave_queues,
    MEMORY: _hold_up_dependents,
}
ON_ENTERING: Final[Mapping[str, Action]] = {
    READY: _queue_run,
    CONSTRAINED: _queue_run,
    FETCH: queue_fetch,
    MEMORY: _wake_dependents,
    ERRED: _leave_error,
    FORGOTTEN: _forget,
}

TRANSITIONS: Final[Mapping[tuple[str, str], tuple[Action, ...]]] = {
    (before, after): tuple(action for action in (ON_LEAVING.get(before), ON_ENTERING.get(after)) if action is not None)
    for before, successors in SUCCESSORS.items()
    for after in successors
}
"""The actions of each transition."""


class ImpossibleTransition(AssertionError):
    """The facts of a task led to a state that cannot follow its present one: an error of the core."""


def run_transitions(state: WorkerState) -> None:
    """Make transitions until the states of all touched tasks agree with their facts."""
    touched = state.touched
    counts = state.counts
    # The list grows during the loop: transitions add the tasks that they affect.
    for task in touched:
        before = task.state
        after = state_from_facts(task)
        if after is before:
            continue
        actions = TRANSITIONS.get((before, after))
        if actions is None:
            story = state.story.of((task.key,))
            raise ImpossibleTransition(f"{task.key!r}: {before} -> {after}; story: {story}")
        state.story.record((task.key, before, after, state.stimulus, state.now))
        counts[before] -= 1
        if after is not FORGOTTEN:
            counts[after] += 1
        task.state = after
        for action in actions:
            action(state, task)
    touched.clear()
