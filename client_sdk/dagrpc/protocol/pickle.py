"""pickle, with cloudpickle as a fallback, and with types that are registered with `dask_serialize`."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from typing import Any

from dagrpc._codec import pickle5

__all__ = ["HIGHEST_PROTOCOL", "dumps", "loads"]

HIGHEST_PROTOCOL = pickle.HIGHEST_PROTOCOL


def dumps(x: object, *, buffer_callback: Callable[[Any], Any] | None = None, protocol: int = HIGHEST_PROTOCOL) -> bytes:
    """Return an object's pickle.

    Parameters
    ----------
    x : object
        The object. Classes and functions of `__main__` travel by value.
    buffer_callback : callable, optional
        Takes each out-of-band buffer, a `pickle.PickleBuffer`.
    protocol : int
        Accepted for compatibility; it is 5.

    Examples
    --------
    >>> loads(dumps([1, 2]))
    [1, 2]
    """
    buffers: list[Any] = []
    keep: Any = None if buffer_callback is None else buffers.append
    try:
        data = pickle5.by_reference(x, keep)
        local = pickle5.names_local_module(data)
    except Exception:
        local = True
    if local:
        buffers.clear()
        data = pickle5.by_value(x, keep)
    if buffer_callback is not None:
        for buffer in buffers:
            buffer_callback(buffer)
    return data


def loads(x: Any, *, buffers: Iterable[Any] = ()) -> Any:
    """Return the object of a pickle and its out-of-band buffers."""
    return pickle.loads(x, buffers=buffers)
