"""Makes a graph of calls by name: it gives them keys and dependencies, and puts each after those that it uses."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import graph_pb2, task_service_pb2


def keys_of(calls: Sequence[task_service_pb2.NamedCall]) -> list[str]:
    """Return a key for each call; raise `InvalidRequestError` if two calls have the same."""
    keys = [each.key or f"{each.call.entrypoint.rpartition(':')[2]}-{uuid.uuid4().hex}" for each in calls]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InvalidRequestError(f"two calls have the key {twice!r}")
    return keys


def graph_of(
    calls: Sequence[task_service_pb2.NamedCall], keys: Sequence[str], known_work: Callable[[str], Any]
) -> graph_pb2.GraphPart:
    """Return a graph of calls.

    `known_work` returns the work of the task with a key, None if there is none: a key that exists must stand for the
    same call.
    """
    by_key = dict(zip(keys, calls, strict=True))
    part = graph_pb2.GraphPart(graph_id=uuid.uuid4().hex, last=True)
    for order, key in enumerate(_sorted(by_key)):
        named = by_key[key]
        if not named.call.entrypoint:
            raise InvalidRequestError(f"the call {key!r} names no function: set call.entrypoint")
        known = known_work(key)
        if isinstance(known, graph_pb2.Call) and known != named.call:
            raise InvalidRequestError(f"the key {key!r} stands for another call; give this call another key")
        options = 0
        if named.HasField("options"):
            part.options.append(named.options)
            options = len(part.options)
        dependencies = sorted(set(_dependencies(named.call)))
        part.tasks.add(key=key, call=named.call, dependencies=dependencies, options=options, order=order, wanted=True)
    return part


def _sorted(by_key: dict[str, task_service_pb2.NamedCall]) -> Sequence[str]:
    """Return keys such that each comes after the calls whose results it uses; otherwise in the order of the calls."""
    uses = {key: [name for name in _dependencies(named.call) if name in by_key] for key, named in by_key.items()}
    if not any(uses.values()):
        return list(by_key)
    try:
        return list(TopologicalSorter(uses).static_order())
    except CycleError as error:
        raise InvalidRequestError(f"the calls depend on one another: {' <- '.join(error.args[1])}") from None


def _dependencies(call: graph_pb2.Call) -> Iterator[str]:
    for argument in (*call.arguments, *call.keyword_arguments.values()):
        if argument.WhichOneof("source") == "task":
            yield argument.task
