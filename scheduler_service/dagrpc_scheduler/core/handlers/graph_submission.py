"""Graphs arrive in parts. A part is checked as a whole before any of its tasks is taken.

A key names one piece of work, but not one definition of it: dask culls, fuses and inlines each graph separately, so
that the same key arrives with other dependencies. A known task keeps its work, its dependencies and its options,
whatever state it is in. The definition in the graph is ignored, and new tasks depend on the known task. Since a task
depends only on tasks that existed before it, no cycle can arise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from dagrpc._common.keys import group_name
from dagrpc_scheduler.core import unknown_keys
from dagrpc_scheduler.core.events import GraphSubmitted, NewTask, TaskOptions
from dagrpc_scheduler.core.instructions import RejectGraph
from dagrpc_scheduler.core.model import ACTIVE, MEMORY, RELEASED, WAITING, ClientState, GraphRecord, TaskState, is_lost
from dagrpc_scheduler.core.refcounts import LOST_DEPENDENCIES, add_want, record_want, release_unneeded, unpin_graph
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.core.transitions.loop import transition

_COMING: Final = ACTIVE | {MEMORY}
"""States of a dependency that is in memory or being computed already."""
_SOONER = 0.01
"""The generation of a graph that a task submits is lower than the task's by this amount."""
_NAMED = 5
"""Number of keys that an error message names."""


def graph_submitted(state: SchedulerState, event: GraphSubmitted) -> None:
    """Take a part of a graph, or refuse it together with all later parts."""
    client = state.clients.get(event.client)
    if client is None:
        return
    record = client.graphs.get(event.graph_id)
    problem, reason = (record.refused, record.reason) if record is not None else ("", "")
    known: dict[str, TaskState] = {}
    if not problem:
        known = _find_known(state, event)
        problem, reason = _find_problem(state, event, known)
    if problem:
        _refuse(state, client, event, problem, reason)
        return

    generation = record.generation if record is not None else _generation(state, event)
    for digest, value in event.shared.items():
        state.shared_blobs.offer(digest, value)
    if record is None and not event.last:
        record = client.graphs[event.graph_id] = GraphRecord(event.graph_id, generation)
    if record is not None and (known or any(group in state.groups for group in event.groups)):
        record.cautious = True
    tasks = _take_all(state, client, event, known, generation, None if event.last else record)
    state.queueing.submitted(tasks, client.name, event.submitter)
    if state.unknown_keys:
        unknown_keys.came(state, tasks)
    if event.has_spans:
        _note_spans(state, event, tasks)
    if not event.last:
        assert record is not None
        for digest in event.shared:
            if digest not in record.shared:
                record.shared[digest] = None
                state.shared_blobs.acquire(digest)
    else:
        if record is not None:
            del client.graphs[event.graph_id]
            state.complete_graphs.append(record)
        for task in tasks:
            if not task.dependents:
                release_unneeded(state, task)
        for digest in event.shared:
            state.shared_blobs.drop_unused(digest, state.instructions)


def _note_spans(state: SchedulerState, event: GraphSubmitted, tasks: list[TaskState]) -> None:
    for spec, task in zip(event.tasks, tasks, strict=True):
        # A task that was known before has its own options.
        if spec.options.span is not None and task.options is spec.options:
            state.spans.submitted(task, state.now)


def drop_graph(state: SchedulerState, client: ClientState, graph_id: str) -> None:
    """Drop an incomplete graph."""
    record = client.graphs.pop(graph_id, None)
    if record is not None:
        unpin_graph(state, record)


def _generation(state: SchedulerState, event: GraphSubmitted) -> float:
    """Return the generation of a new graph."""
    submitter = state.tasks.get(event.submitter) if event.submitter else None
    if submitter is not None:
        # The graph comes before the tasks submitted with its submitter: otherwise all of these would start, and then
        # wait.
        return submitter.rank[1] - _SOONER
    if state.now - state.generation_start >= event.fifo_timeout:
        state.generation += 1
        state.generation_start = state.now
    return state.generation


def _take_all(
    state: SchedulerState,
    client: ClientState,
    event: GraphSubmitted,
    known: Mapping[str, TaskState],
    generation: float,
    pinned_by: GraphRecord | None,
) -> list[TaskState]:
    """Return the tasks of a part; create the new ones. Everything that a task needs is done in one pass.

    A part of a large graph exceeds the CPU cache, so that a second pass over its tasks would cost as much as the first.
    `pinned_by` pins the tasks of an incomplete graph, so that they are computed before the last part says what they are
    for. If the graph contains known tasks, its new tasks may turn out to be useless, and are only kept.
    """
    eager = pinned_by is not None and not pinned_by.cautious
    taken: list[TaskState] = []
    options: TaskOptions | None = None
    rank = (0.0, generation)
    for spec in event.tasks:
        if spec.options is not options:
            options = spec.options
            rank = (0.0 - options.priority, generation)
        task = known.get(spec.key) if known else None
        if task is None:
            task = _make(state, spec, rank)
        elif is_lost(task):
            _adopt(state, task, spec)
        taken.append(task)
        if pinned_by is not None and pinned_by not in task.pins:
            if eager or task.state != RELEASED:
                task.pins = (*task.pins, pinned_by) if task.pins else pinned_by.as_tuple
                pinned_by.tasks.append(task)
            elif pinned_by not in task.kept:
                task.kept = (*task.kept, pinned_by) if task.kept else pinned_by.as_tuple
                pinned_by.tasks.append(task)
        if task.state != RELEASED:
            if spec.wanted:
                add_want(state, client, task)
        elif spec.wanted or eager:
            if spec.wanted:
                record_want(client, task)
            _begin(state, task)
    return taken


def _begin(state: SchedulerState, task: TaskState) -> None:
    """Move a released task to waiting: at once if only its dependencies are affected."""
    for dependency in task.dependencies:
        if dependency.state not in _COMING:
            # The transition may forget tasks that later tasks of the part refer to.
            state.recommendations.append((task, WAITING))
            return
    transition(state, task, WAITING)


def _make(state: SchedulerState, spec: NewTask, rank: tuple[float, float]) -> TaskState:
    """Create a task."""
    tasks = state.tasks
    key = spec.key
    name = group_name(key)
    group = state.groups.get(name) or state.group(name)
    dependencies = _named(state, spec.dependencies) if spec.dependencies else ()
    task = TaskState(key, group, spec.work, spec.shared, spec.options, dependencies, rank, spec.order)
    tasks[key] = task
    group.size += 1
    group.live += 1
    group.counts[RELEASED] += 1
    if dependencies:
        _link(state, task)
    for digest in spec.shared:
        state.shared_blobs.acquire(digest)
    return task


def _named(state: SchedulerState, names: Sequence[str]) -> tuple[TaskState, ...]:
    """Return the tasks with these names, each once."""
    tasks = state.tasks
    if len(names) > 1:
        names = tuple(dict.fromkeys(names))
    return tuple([tasks[name] for name in names])


def _link(state: SchedulerState, task: TaskState) -> None:
    groups = task.group.dependencies
    if groups is None:
        groups = task.group.dependencies = {}
    enough = state.config.rootish_dependencies
    for dependency in task.dependencies:
        if dependency.dependents is None:
            dependency.dependents = {task: None}
        else:
            dependency.dependents[task] = None
        if len(groups) < enough:
            groups[dependency.group] = None


def _adopt(state: SchedulerState, task: TaskState, spec: NewTask) -> None:
    """Give lost data a definition by which it can be computed, unless that depends on its own dependents."""
    dependencies = _named(state, spec.dependencies)
    if spec.work is None or (task.dependents and _need(dependencies, task)):
        return
    task.dependencies = dependencies
    if dependencies:
        _link(state, task)
    task.work = spec.work
    task.options = spec.options
    task.retries = spec.options.retries
    task.shared = spec.shared
    for digest in spec.shared:
        state.shared_blobs.acquire(digest)


def _need(tasks: Iterable[TaskState], wanted: TaskState) -> bool:
    """Tell whether a task is among `tasks`, or one of their direct or indirect dependencies."""
    stack = list(tasks)
    seen = set(stack)
    while stack:
        task = stack.pop()
        if task is wanted:
            return True
        news = [dependency for dependency in task.dependencies if dependency not in seen]
        seen.update(news)
        stack += news
    return False


def _refuse(state: SchedulerState, client: ClientState, event: GraphSubmitted, problem: str, reason: str) -> None:
    tasks = state.tasks
    keys = [spec.key for spec in event.tasks if spec.wanted and tasks.get(spec.key) not in client.wants]
    state.instructions.append(RejectGraph(client.name, event.graph_id, keys, problem, reason))
    drop_graph(state, client, event.graph_id)
    if not event.last:
        record = client.graphs[event.graph_id] = GraphRecord(event.graph_id, 0)
        record.refused, record.reason = problem, reason


def _find_known(state: SchedulerState, event: GraphSubmitted) -> dict[str, TaskState]:
    """Return the known tasks of a part by key. Nearly always there are none."""
    tasks = state.tasks
    keys = [spec.key for spec in event.tasks]
    # One operation on all keys: separate lookups, which wait for memory, would take as long as everything else.
    if tasks.keys().isdisjoint(keys):
        return {}
    return {key: tasks[key] for key in keys if key in tasks}


def _find_problem(state: SchedulerState, event: GraphSubmitted, known: Mapping[str, TaskState]) -> tuple[str, str]:
    """Return why a part is refused, and `RejectGraph.reason`; empty: it is valid."""
    tasks = state.tasks
    shared = state.shared_blobs.values
    seen: set[str] = set()
    missing: dict[str, str] = {}
    for spec in event.tasks:
        key = spec.key
        if key in seen:
            return f"graph {event.graph_id!r} has two tasks with the key {key!r}", ""
        seen.add(key)
        if key in known and not is_lost(known[key]):
            continue
        for name in spec.dependencies:
            if name == key or (name not in seen and name not in tasks):
                missing.setdefault(name, key)
        if spec.work is None and key not in known:
            return f"the task {key!r} has no work", ""
        for digest in spec.shared:
            if digest not in event.shared and digest not in shared:
                return f"the task {key!r} refers to an unknown shared blob: {digest.hex()}", ""
    if missing:
        named = ", ".join(f"{name!r} (of {key!r})" for name, key in list(missing.items())[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        # The usual cause: the client submitted before it learned that its data was lost or cancelled.
        return f"dependencies are missing, or come after the tasks that need them: {named}{more}", LOST_DEPENDENCIES
    return "", ""
