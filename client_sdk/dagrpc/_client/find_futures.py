"""Finds the futures in dask collections and nested structures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dask.base import is_dask_collection

from dagrpc._client.key_table import CANCELLED
from dagrpc._client.results import cancelled_error
from dagrpc._graph.lower import checked_key
from dagrpc.exceptions import FuturesCancelledError
from dagrpc.future import Future


def futures_in(value: Any) -> list[Future[Any]]:
    """Return the futures in a collection or nested structure, each object once, in order."""
    found: dict[int, Future[Any]] = {}
    _collect(value, found)
    return list(found.values())


def wire_keys_in(value: Any) -> list[str]:
    """Return the wire keys of futures, collections or keys; raise if a future was cancelled."""
    found = futures_in(value)
    cancelled = [future for future in found if future.status == CANCELLED]
    if cancelled:
        raise FuturesCancelledError.of(cancelled_error(future.bound_state()) for future in cancelled)
    wire_keys = [future.bound_state().wire_key for future in found]
    if isinstance(value, (list, tuple, set)):
        wire_keys += [checked_key(item) for item in value if isinstance(item, str) and not isinstance(item, Future)]
    return wire_keys


def _collect(value: Any, found: dict[int, Future[Any]]) -> None:
    if isinstance(value, Future):
        found[id(value)] = value
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            _collect(item, found)
    elif isinstance(value, dict):
        for item in value.values():
            _collect(item, found)
    elif is_dask_collection(value):
        graph = value.__dask_graph__() or {}
        for key in _flat(value.__dask_keys__()):
            # The graph of a persisted collection consists of futures. They are returned in the collection's order.
            node = graph.get(key) if hasattr(graph, "get") else None
            if isinstance(node, Future):
                found[id(node)] = node
        for node in graph.values():
            _collect_in_task(node, found)


def _collect_in_task(node: Any, found: dict[int, Future[Any]]) -> None:
    args = getattr(node, "args", None)
    if isinstance(args, tuple):
        for item in args:
            _collect_in_task(item, found)
    elif isinstance(node, (Future, list, tuple, set, frozenset, dict)):
        _collect(node, found)


def _flat(keys: Any) -> Iterable[Any]:
    if isinstance(keys, list):
        for item in keys:
            yield from _flat(item)
    else:
        yield keys
