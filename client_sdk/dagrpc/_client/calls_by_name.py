"""Calls of functions by name: nothing is pickled, and the workers say what may be called."""

from __future__ import annotations

import json
import uuid
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from dagrpc._client.connection import Connection
from dagrpc._client.options import submission_options
from dagrpc._client.submit import adopt
from dagrpc._common.keys import encode_key
from dagrpc._graph.lower import checked_key
from dagrpc.future import Future
from dagrpc.v1 import graph_pb2


class CallingByName(Connection):
    """Calls by name. See `Client`."""

    def submit_call(
        self,
        entrypoint: str,
        /,
        *args: Any,
        # Any, too, as for `Client.submit`: they may be in a dict of arguments.
        key: Hashable | Any = None,
        workers: Any = None,
        retries: int | Any = None,
        priority: float | Any = 0,
        **kwargs: Any,
    ) -> Future[Any]:
        """Have a worker call a function that it knows by name. No code is sent.

        The workers have to allow it: the function was exported there (`dagrpc.export`), or the setting
        ``worker.allowed-calls`` has a pattern for it.

        Parameters
        ----------
        entrypoint : str
            The name that it was exported under, or ``package.module:function``.
        *args, **kwargs
            Its arguments: what JSON can say, bytes, and futures.
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
        self._check_open()
        self._session.drop_released()
        chosen = f"{entrypoint.rpartition(':')[2]}-{uuid.uuid4().hex}" if key is None else checked_key(key)
        wire_key = encode_key(chosen)
        known = self._table.acquire(wire_key)
        if known is not None:
            return Future._of(known, self)
        call, dependencies = _encode(entrypoint, args, kwargs)
        if dependencies:
            adopt(self, (dependencies,))
        given = {"workers": workers, "retries": retries, "priority": priority}
        options = submission_options({name: value for name, value in given.items() if value})
        part = graph_pb2.GraphPart(graph_id=uuid.uuid4().hex, last=True, options=[options] if options else [])
        part.tasks.add(key=wire_key, dependencies=list(dependencies), call=call, options=len(part.options), wanted=True)
        state, is_new = self._table.create(chosen, wire_key)
        future: Future[Any] = Future._of(state, self)
        if is_new:
            self._session.send(part)
        return future


def _encode(
    entrypoint: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[graph_pb2.Call, dict[str, Future[Any]]]:
    """Return a call as a message, and the futures among its arguments by their keys as on the wire."""
    found: dict[str, Future[Any]] = {}
    call = graph_pb2.Call(entrypoint=entrypoint)
    for position, value in enumerate(args):
        _argument(call.arguments.add(), f"argument {position}", entrypoint, value, found)
    for name, value in kwargs.items():
        _argument(call.keyword_arguments[name], f"argument {name!r}", entrypoint, value, found)
    return call, found


def _argument(target: graph_pb2.Argument, what: str, entrypoint: str, value: Any, found: dict[str, Any]) -> None:
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
                f"Calls by name take what JSON can say, bytes, and futures; {what} of {entrypoint!r} is none of these: "
                f"{error}"
            ) from None
