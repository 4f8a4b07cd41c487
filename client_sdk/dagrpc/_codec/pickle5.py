"""pickle with out-of-band buffers, and cloudpickle where pickle cannot or must not."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import cloudpickle

from dagrpc._util.buffers import Buffer

_SMALL_BUFFER = 2048
"""Buffers up to this size stay in the pickle: a frame of their own would cost more than the copy."""


def _names_local_module(data: bytes) -> bool:
    """Return whether a pickle may refer to what cannot be imported elsewhere, and must travel by value.

    That is what `__main__` defines, and the modules that the user registered with cloudpickle.
    """
    if b"__main__" in data:
        return True
    return any(module.encode() in data for module in cloudpickle.list_registry_pickle_by_value())


def dumps(value: object) -> list[Buffer]:
    """Return the frames of a pickle: the pickle itself, then its out-of-band buffers, not copied.

    Raises
    ------
    Exception
        Whatever the value's own pickling raises; usually `TypeError` or `pickle.PicklingError`.
    """
    buffers: list[Buffer] = []

    def keep_in_band(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes <= _SMALL_BUFFER:
            return True
        buffers.append(raw)
        return False

    try:
        data = pickle.dumps(value, protocol=5, buffer_callback=keep_in_band)
        by_value = _names_local_module(data)
    except Exception:
        by_value = True
    if by_value:
        buffers.clear()
        data = cloudpickle.dumps(value, protocol=5, buffer_callback=keep_in_band)
    return [data, *buffers]


def dumps_inband(value: object) -> bytes:
    """Return a pickle in one piece."""
    try:
        data = pickle.dumps(value, protocol=5)
        if not _names_local_module(data):
            return data
    except Exception:  # cloudpickle's error is the one that tells
        pass
    pickled: bytes = cloudpickle.dumps(value, protocol=5)
    return pickled


def loads(frames: Sequence[Buffer]) -> Any:
    """Return the value of the frames that `dumps` made."""
    if len(frames) == 1:
        return pickle.loads(frames[0])
    return pickle.loads(frames[0], buffers=frames[1:])
