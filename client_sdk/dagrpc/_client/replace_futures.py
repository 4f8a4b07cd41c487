"""Replaces futures among the arguments of calls by references to their results."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from operator import is_
from typing import Any

from dask.utils import is_namedtuple_instance

from dagrpc._client.call_tokens import PLAIN
from dagrpc._codec.references import DependencyRef, Rebuilt
from dagrpc.actor import Actor, future_of
from dagrpc.future import Future


def replace_futures(value: Any, found: dict[str, Future[Any]]) -> Any:
    """Return a value with references in place of futures, and add the futures to `found` by wire key.

    Lists, tuples, sets and dicts, also of subclasses, are searched. A container without futures is returned itself.
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if isinstance(value, (Future, Actor)):
        future = value if isinstance(value, Future) else future_of(value)
        wire_key = future.bound_state().wire_key
        found[wire_key] = future
        return DependencyRef(wire_key)
    if isinstance(value, dict):
        values = _replaced(value.values(), found)
        return value if values is None else _with_values(value, values)
    if isinstance(value, (list, tuple, set, frozenset)):
        if is_namedtuple_instance(value):
            return _rebuilt(value, found)
        items = _replaced(value, found)
        return value if items is None else _with_items(value, items)
    return value


def _replaced(values: Iterable[Any], found: dict[str, Future[Any]]) -> list[Any] | None:
    """Return values with references in place of futures; None if there is no future."""
    old = list(values)
    new = [replace_futures(value, found) for value in old]
    return None if all(map(is_, old, new)) else new


def _with_values(mapping: dict[Any, Any], values: Iterable[Any]) -> dict[Any, Any]:
    """Return a dictionary of the same kind with other values."""
    new: dict[Any, Any] = _copy_of(mapping, dict)
    for name, value in zip(mapping, values, strict=True):
        dict.__setitem__(new, name, value)
    return new


def _with_items(collection: Any, items: list[Any]) -> Any:
    """Return a list, tuple or set of the same kind with other items."""
    kind = type(collection)
    for base in (tuple, frozenset):
        if isinstance(collection, base):
            same: Any = base.__new__(kind, items)
            if getattr(collection, "__dict__", None):
                vars(same).update(vars(collection))
            return same
    if isinstance(collection, list):
        new = _copy_of(collection, list)
        list.__setitem__(new, slice(None), items)
        return new
    unordered = _copy_of(collection, set)
    set.clear(unordered)
    set.update(unordered, items)
    return unordered


def _copy_of(collection: Any, base: type) -> Any:
    """Return a copy with all attributes of a user's class; a plain container if the object cannot be copied."""
    if type(collection) is base:
        return base(collection)
    try:
        new = copy.copy(collection)
    except Exception:
        return base(collection)
    return new if type(new) is type(collection) and new is not collection else base(collection)


def _rebuilt(value: Any, found: dict[str, Future[Any]]) -> Any:
    """Return a placeholder for a named tuple with futures; the tuple itself if there is no future in it.

    The class may have a constructor of its own, whose arguments `__getnewargs_ex__` or `__getnewargs__` returns.
    """
    items = _replaced(value, found)
    if items is None:
        return value
    kwargs: dict[str, Any] = {}
    if hasattr(value, "__getnewargs_ex__"):
        args, kwargs = value.__getnewargs_ex__()
    else:
        args = value.__getnewargs__()
    if kwargs or len(args) != len(value) or not all(map(is_, args, value)):
        items = [replace_futures(item, found) for item in args]
        kwargs = {name: replace_futures(item, found) for name, item in kwargs.items()}
    return Rebuilt(type(value), items, kwargs, getattr(value, "__dict__", None))
