"""The event for a command of a client that the scheduler refuses."""

from __future__ import annotations

from dagrpc._rpc.error_status import shorten
from dagrpc.exceptions import DagrpcError
from dagrpc.v1 import client_session_pb2


def refusal(command: client_session_pb2.ClientCommand, error: DagrpcError) -> client_session_pb2.CommandRefused:
    """Return the event that says which command is refused, and why."""
    kind = command.WhichOneof("command") or ""
    event = client_session_pb2.CommandRefused(
        command=kind, reason=f"REASON_{error.reason}", message=shorten(str(error))
    )
    if kind == "graph":
        event.graph_id = command.graph.graph_id
        event.keys.extend(task.key for task in command.graph.tasks if task.wanted)
    elif kind in ("want", "release", "cancel", "retry"):
        event.keys.extend(getattr(command, kind).keys)
    return event
