"""Wanted keys whose task is not known yet.

Each client has its own stream, and futures travel between programs by other routes: a program that receives a future
may ask for its result before the submission has arrived.
"""

from __future__ import annotations

from collections.abc import Iterable

from dagrpc_scheduler.core.events import KeysCancelled
from dagrpc_scheduler.core.instructions import ReportCancelled
from dagrpc_scheduler.core.model import ClientState, TaskState
from dagrpc_scheduler.core.refcounts import add_want
from dagrpc_scheduler.core.state import SchedulerState


def expect(state: SchedulerState, client: ClientState, key: str) -> None:
    """Wait a while for the task of a wanted key; without patience, report the key as unknown at once."""
    if state.config.unknown_key_patience > 0:
        state.unknown_keys.setdefault(key, {}).setdefault(client, state.now)
    else:
        _report(state, client, key)


def came(state: SchedulerState, tasks: Iterable[TaskState]) -> None:
    """Add the clients that wait for tasks to those that want them. Call this only if some clients wait."""
    for task in tasks:
        for client in state.unknown_keys.pop(task.key, ()):
            add_want(state, client, task)


def forget(state: SchedulerState, client: ClientState, keys: Iterable[str] | None = None) -> None:
    """Remove a client from those that wait for keys: for these keys, or for all."""
    for key in list(state.unknown_keys) if keys is None else keys:
        clients = state.unknown_keys.get(key)
        if clients is not None:
            clients.pop(client, None)
            if not clients:
                del state.unknown_keys[key]


def cancel(state: SchedulerState, client: ClientState, event: KeysCancelled) -> None:
    """Report a cancellation to the client that waits for keys; with force, to all clients."""
    for key in event.keys:
        clients = state.unknown_keys.get(key)
        for each in list(clients or ()):
            if event.force or each is client:
                state.instructions.append(ReportCancelled(each.name, key, event.reason, event.message))
                forget(state, each, (key,))


def give_up(state: SchedulerState) -> None:
    """Report keys as unknown for which clients have waited too long."""
    latest = state.now - state.config.unknown_key_patience
    for key, clients in list(state.unknown_keys.items()):
        for client, since in list(clients.items()):
            if since <= latest:
                _report(state, client, key)
                forget(state, client, (key,))


def restart(state: SchedulerState) -> None:
    """Report the restart of the cluster to all clients that wait for keys."""
    for key, clients in state.unknown_keys.items():
        for client in clients:
            state.instructions.append(ReportCancelled(client.name, key, "scheduler-restart"))
    state.unknown_keys.clear()


def _report(state: SchedulerState, client: ClientState, key: str) -> None:
    message = f"the scheduler does not know {key!r}: its task was released, or never submitted"
    state.instructions.append(ReportCancelled(client.name, key, "unknown", message))
