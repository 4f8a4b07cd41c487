"""The commands that a client may send in the role caller: it calls registered functions and ships no code."""

from __future__ import annotations

from collections.abc import Iterable

from dagrpc.exceptions import CodeNotAllowedError
from dagrpc.v1 import client_session_pb2, graph_pb2

_COMMANDS = frozenset(("graph", "want", "release", "cancel", "retry", "ping", "goodbye"))
_ENCODINGS = frozenset(("json", "raw", "arrow"))


def check_commands(commands: Iterable[client_session_pb2.ClientCommand]) -> None:
    """Raise `CodeNotAllowedError`, naming the task, if commands hold code or data that others would unpickle."""
    for command in commands:
        kind = command.WhichOneof("command")
        if kind not in _COMMANDS:
            raise CodeNotAllowedError(f"A session of the role caller cannot send {kind or 'an empty command'}")
        if kind == "graph":
            check_graph(command.graph)
        elif kind == "cancel" and command.cancel.force:
            raise CodeNotAllowedError(
                "The role caller cannot cancel by `force` what others want; `interrupt` is allowed"
            )


def check_graph(part: graph_pb2.GraphPart) -> None:
    """Raise `CodeNotAllowedError`, naming the task, if a graph is more than calls by name."""
    if part.shared:
        raise CodeNotAllowedError("A graph of the role caller has no shared values: they would be unpickled")
    if any(options.actor for options in part.options):
        raise CodeNotAllowedError("The role caller cannot make actors")
    for task in part.tasks:
        if task.run_spec or task.WhichOneof("work") != "call":
            raise CodeNotAllowedError(f"Task {task.key[:200]!r} holds code; the role caller names functions (`call`)")
        for argument in (*task.call.arguments, *task.call.keyword_arguments.values()):
            if argument.WhichOneof("source") != "task" and argument.value.encoding not in _ENCODINGS:
                raise CodeNotAllowedError(
                    f"An argument of task {task.key[:200]!r} is encoded as {argument.value.encoding[:50]!r}; the role "
                    "caller sends json, raw and arrow"
                )
