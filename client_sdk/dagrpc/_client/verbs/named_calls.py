"""Calls of functions by name: no code is sent, and the workers decide which functions may be called."""

from __future__ import annotations

import json
import uuid
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from dagrpc._client.adopt_futures import adopt_futures
from dagrpc._client.client_core import HasCore
from dagrpc._client.submission_options import submission_options
from dagrpc._common.keys import encode_key
from dagrpc._graph.lower import checked_key
from dagrpc.future import Future
from dagrpc.v1 import graph_pb2


def submit_call(
    self: HasCore,
    entrypoint: str,
    /,
    *args: Any,
    # With Any, too, as for `Client.submit`.
    key: Hashable | Any = None,
    workers: Any = None,
    retries: int | Any = None,
    priority: float | Any = 0,
    **kwargs: Any,
) -> Future[Any]:
    """Submit a call of a function that the workers know by name. No code is sent.

    The workers have to allow the call: by exporting the function (`dagrpc.export`), or by a pattern of the setting
    ``worker.allowed-calls``.

    Parameters
    ----------
    entrypoint : str
        The exported name of the function, or ``package.module:function``.
    *args, **kwargs
        Arguments of the function: values that JSON can represent, bytes, and futures.
    key : str, optional
        Name of the task.
    workers, retries, priority
        As for `submit`.

    Raises
    ------
    TypeError
        If an argument is something else.

    Examples
    --------
    >>> def register():
    ...     import math, dagrpc
    ...     dagrpc.export(math.hypot, name="distance")
    >>> _ = client.run(register)
    >>> client.submit_call("distance", 3, 4).result()
    5.0
    """
    if not isinstance(entrypoint, str) or not entrypoint:
        raise TypeError(f"entrypoint must be the name of a function, not {entrypoint!r}")
    core = self._core
    core.check_open()
    core.session.drop_released()
    chosen = f"{entrypoint.rpartition(':')[2]}-{uuid.uuid4().hex}" if key is None else checked_key(key)
    wire_key = encode_key(chosen)
    known = core.table.acquire(wire_key)
    if known is not None:
        return Future._of(known, core, self)
    call, dependencies = _encode(entrypoint, args, kwargs)
    if dependencies:
        adopt_futures(core, (dependencies,))
    given = {"workers": workers, "retries": retries, "priority": priority}
    options = submission_options({name: value for name, value in given.items() if value})
    part = graph_pb2.GraphPart(graph_id=uuid.uuid4().hex, last=True, options=[options] if options else [])
    part.tasks.add(key=wire_key, dependencies=list(dependencies), call=call, options=len(part.options), wanted=True)
    state, is_new = core.table.create(chosen, wire_key)
    future: Future[Any] = Future._of(state, core, self)
    if is_new:
        core.session.send(part)
    return future


def _encode(
    entrypoint: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[graph_pb2.Call, dict[str, Future[Any]]]:
    """Return a call as a message, and the futures among its arguments by wire key."""
    found: dict[str, Future[Any]] = {}
    call = graph_pb2.Call(entrypoint=entrypoint)
    for position, value in enumerate(args):
        _encode_argument(call.arguments.add(), f"argument {position}", entrypoint, value, found)
    for name, value in kwargs.items():
        _encode_argument(call.keyword_arguments[name], f"argument {name!r}", entrypoint, value, found)
    return call, found


def _encode_argument(
    target: graph_pb2.Argument, what: str, entrypoint: str, value: Any, found: dict[str, Future[Any]]
) -> None:
    if isinstance(value, Future):
        target.task = value.bound_state().wire_key
        found[target.task] = value
    elif isinstance(value, (bytes, bytearray, memoryview)):
        target.value.encoding, target.value.data = "raw", bytes(value)
    else:
        try:
            target.value.encoding, target.value.data = "json", json.dumps(value).encode()
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"Calls by name take values that JSON can represent, bytes, and futures; {what} of {entrypoint!r} is "
                f"none of these: {error}"
            ) from None
