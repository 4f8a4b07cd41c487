"""Clients join and leave, want results and release them, cancel, retry and upload."""

from __future__ import annotations

from typing import Final

from dagrpc._common.keys import group_name
from dagrpc_scheduler.core import unknown_keys
from dagrpc_scheduler.core.events import (
    NO_OPTIONS,
    ClientAdded,
    ClientRemoved,
    KeysCancelled,
    KeysReleased,
    KeysRetried,
    KeysWanted,
    ScatterAnnounced,
    SharedHeld,
    SharedReleased,
)
from dagrpc_scheduler.core.handlers.graph_submission import drop_graph
from dagrpc_scheduler.core.instructions import ReportCancelled
from dagrpc_scheduler.core.model import ERRED, RELEASED, WAITING, ClientState, TaskState, is_lost
from dagrpc_scheduler.core.refcounts import LOST_DEPENDENCIES, add_want, cancel_lost_data, cancel_tree, remove_want
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.core.transitions.loop import run_recommendations

_AT_ONCE: Final = 32
"""Number of tasks that are released before those that nobody needs are forgotten: few enough for the CPU cache."""


def client_added(state: SchedulerState, event: ClientAdded) -> None:
    """Add a client."""
    if event.client not in state.clients:
        state.clients[event.client] = ClientState(event.client)


def client_removed(state: SchedulerState, event: ClientRemoved) -> None:
    """Remove a client and release everything that it needed."""
    client = state.clients.get(event.client)
    if client is None:
        return
    unknown_keys.forget(state, client)
    for task in list(client.wants):
        remove_want(state, client, task)
    for graph_id in list(client.graphs):
        drop_graph(state, client, graph_id)
    for task, uploaders in list(state.pending_scatters.items()):
        if uploaders.pop(client, None) is not None and not uploaders:
            cancel_lost_data(state, task, f"its client left before it uploaded the data of {task.key!r}")
    for digest in client.held_shared:
        state.shared_blobs.release(digest, state.instructions)
    del state.clients[event.client]


def keys_wanted(state: SchedulerState, event: KeysWanted) -> None:
    """Add a client to those that want existing tasks."""
    client = state.clients.get(event.client)
    if client is None:
        return
    for key in event.keys:
        task = state.tasks.get(key)
        if task is None:
            unknown_keys.expect(state, client, key)
        elif is_lost(task):
            message = f"the data of {key!r} is lost, and it cannot be computed again"
            state.instructions.append(ReportCancelled(client.name, key, LOST_DEPENDENCIES, message))
        else:
            add_want(state, client, task)


def keys_released(state: SchedulerState, event: KeysReleased) -> None:
    """Remove a client from those that want tasks."""
    client = state.clients.get(event.client)
    if client is None:
        return
    if state.unknown_keys:
        unknown_keys.forget(state, client, event.keys)
    recommendations = state.recommendations
    # Looking up all keys first lets the CPU overlap the waits for memory.
    for task in list(map(state.tasks.get, event.keys)):
        if task is not None and client in task.wanted_by:
            remove_want(state, client, task)
            if len(recommendations) >= _AT_ONCE:
                run_recommendations(state)


def keys_cancelled(state: SchedulerState, event: KeysCancelled) -> None:
    """Cancel tasks, unless other clients want them or their dependents."""
    client = state.clients.get(event.client)
    if client is None:
        return
    if state.unknown_keys:
        unknown_keys.cancel(state, client, event)
    wanted_by_others: dict[TaskState, bool] = {}
    cancelled: list[TaskState] = []
    for key in event.keys:
        task = state.tasks.get(key)
        if task is None:
            continue
        if event.force or not _others_want(task, client, wanted_by_others):
            cancelled.append(task)
        elif task in client.wants:
            state.instructions.append(ReportCancelled(client.name, key, event.reason, event.message))
            remove_want(state, client, task)
    # Reset together with `state.cancelled`; if nothing is cancelled, there is nothing to reset.
    state.interrupting = (event.force or event.interrupt) and bool(cancelled)
    cancel_tree(state, cancelled, event.reason, event.message)


def _others_want(task: TaskState, client: ClientState, known: dict[TaskState, bool]) -> bool:
    """Tell whether another client wants or uploads a task, or one of its direct or indirect dependents.

    `known` collects the answers, so that many keys of one graph cost no more than one walk through it.
    """
    stack = [task]
    while stack:
        current = stack[-1]
        if current in known:
            stack.pop()
            continue
        dependents = current.dependents or ()
        unknown = [dependent for dependent in dependents if dependent not in known]
        others = any(other is not client for other in current.wanted_by) or _others_upload(current, client)
        if others or not unknown:
            known[current] = others or any(known[dependent] for dependent in dependents)
            stack.pop()
        else:
            stack.extend(unknown)
    return known[task]


def _others_upload(task: TaskState, client: ClientState) -> bool:
    """Tell whether a task belongs to an incomplete graph of another client."""
    return any(client.graphs.get(record.graph_id) is not record for record in (*task.pins, *task.kept))


def keys_retried(state: SchedulerState, event: KeysRetried) -> None:
    """Run failed tasks again, with the failed dependencies that made them fail and all dependents that failed with
    these.
    """
    causes: dict[TaskState, None] = {}
    stack = [state.tasks[key] for key in reversed(event.keys) if key in state.tasks]
    while stack:
        task = stack.pop()
        if task.state == ERRED and task not in causes:
            causes[task] = None
            stack.extend(task.dependencies)
    retried = dict(causes)
    stack = list(causes)
    while stack:
        for dependent in stack.pop().dependents or ():
            if dependent.state == ERRED and dependent not in retried:
                retried[dependent] = None
                stack.append(dependent)
    # All errors are cleared before any task is released, so that no waiting task takes over an error that is obsolete.
    for task in retried:
        task.error = None
        state.recommend(task, RELEASED)


def scatter_announced(state: SchedulerState, event: ScatterAnnounced) -> None:
    """Record that a client uploads data to workers, and wants it."""
    client = state.clients.get(event.client)
    if client is None:
        return
    for key, nbytes in event.sizes.items():
        task = state.tasks.get(key)
        if task is None:
            task = _new_data(state, key)
        if is_lost(task):
            state.pending_scatters[task] = {}
            task.nbytes = nbytes
            state.recommend(task, WAITING)
        uploaders = state.pending_scatters.get(task)
        if uploaders is not None:
            # Several clients may upload the same data; it is lost only when all of them have left.
            places = event.places.get(key, ())
            state.orphaned_scatters.pop((task, client), None)
            uploaders[client] = {address for address in places if address in state.workers}
        add_want(state, client, task)
        if state.unknown_keys:
            unknown_keys.came(state, (task,))


def _new_data(state: SchedulerState, key: str) -> TaskState:
    name = group_name(key)
    group = state.groups.get(name) or state.group(name)
    task = state.tasks[key] = TaskState(key, group, None, (), NO_OPTIONS, (), (0.0, state.generation), 0)
    group.size += 1
    group.live += 1
    group.counts[RELEASED] += 1
    return task


def shared_held(state: SchedulerState, event: SharedHeld) -> None:
    """Keep shared blobs for a client."""
    client = state.clients.get(event.client)
    if client is None:
        return
    for digest, value in event.shared.items():
        if digest not in client.held_shared:
            client.held_shared[digest] = None
            state.shared_blobs.offer(digest, value)
            state.shared_blobs.acquire(digest)


def shared_released(state: SchedulerState, event: SharedReleased) -> None:
    """Release shared blobs that a client held."""
    client = state.clients.get(event.client)
    if client is None:
        return
    for digest in event.digests:
        if digest in client.held_shared:
            del client.held_shared[digest]
            state.shared_blobs.release(digest, state.instructions)
