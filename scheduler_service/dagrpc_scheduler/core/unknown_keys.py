"""Keys that somebody wants before their tasks are known.

Each client has a stream of its own, and futures travel between programs by other ways: who gets one may ask for its
result before the submission has arrived.
"""

from __future__ import annotations

from collections.abc import Iterable

from dagrpc_scheduler.core.events import KeysCancelled
from dagrpc_scheduler.core.instructions import ReportCancelled
from dagrpc_scheduler.core.model import ClientState, TaskState
from dagrpc_scheduler.core.refcounts import add_want
from dagrpc_scheduler.core.state import SchedulerState


def expect(state: SchedulerState, client: ClientState, key: str) -> None:
    """Wait a while for a task that a client wants, or say at once that there is none."""
    if state.config.unknown_key_patience > 0:
        state.unknown_keys.setdefault(key, {}).setdefault(client, state.now)
    else:
        _report(state, client, key)


def came(state: SchedulerState, tasks: Iterable[TaskState]) -> None:
    """Have clients want the tasks that they have waited for. To be called if there are any such clients."""
    for task in tasks:
        for client in state.unknown_keys.pop(task.key, ()):
            add_want(state, client, task)


def forget(state: SchedulerState, client: ClientState, keys: Iterable[str] | None = None) -> None:
    """Have a client wait no longer: for these keys, or for any."""
    for key in list(state.unknown_keys) if keys is None else keys:
        clients = state.unknown_keys.get(key)
        if clients is not None:
            clients.pop(client, None)
            if not clients:
                del state.unknown_keys[key]


def cancel(state: SchedulerState, client: ClientState, event: KeysCancelled) -> None:
    """Tell a client, or with force all of them, that what they wait for is cancelled."""
    for key in event.keys:
        clients = state.unknown_keys.get(key)
        for each in list(clients or ()):
            if event.force or each is client:
                state.instructions.append(ReportCancelled(each.name, key, event.reason, event.message))
                forget(state, each, (key,))


def give_up(state: SchedulerState) -> None:
    """Tell clients that have waited for long."""
    latest = state.now - state.config.unknown_key_patience
    for key, clients in list(state.unknown_keys.items()):
        for client, since in list(clients.items()):
            if since <= latest:
                _report(state, client, key)
                forget(state, client, (key,))


def restart(state: SchedulerState) -> None:
    """Tell all clients that wait that the cluster is restarted."""
    for key, clients in state.unknown_keys.items():
        for client in clients:
            state.instructions.append(ReportCancelled(client.name, key, "scheduler-restart"))
    state.unknown_keys.clear()


def _report(state: SchedulerState, client: ClientState, key: str) -> None:
    message = f"the scheduler does not know {key!r}: its task was released, or never submitted"
    state.instructions.append(ReportCancelled(client.name, key, "unknown", message))
