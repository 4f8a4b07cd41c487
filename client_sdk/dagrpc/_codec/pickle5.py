"""pickle with out-of-band buffers, and cloudpickle where pickle cannot or must not.

Types that were registered with `dask_serialize` travel by what was registered for them, wherever they are in a value.
That costs a look at every object, so it is done only in a process where something was registered.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any, TypeAlias

import cloudpickle

from dagrpc._codec.arrays import compact
from dagrpc._codec.code_files import Places
from dagrpc._util.buffers import Buffer

_SMALL_BUFFER = 2048
"""Buffers up to this size stay in the pickle: a frame of their own would cost more than the copy."""

_PLAIN = frozenset((int, float, str, bytes, bool, type(None)))
"""Whose pickles name no module."""

Keep: TypeAlias = Callable[[pickle.PickleBuffer], bool]

reduce_registered: Callable[[Any], Any] | None = None
"""Returns how to pickle an object of a registered type, NotImplemented for another. None: no type is registered."""


def names_local_module(data: bytes) -> bool:
    """Return whether a pickle may refer to what cannot be imported elsewhere, and must travel by value.

    That is what `__main__` defines, and the modules that the user registered with cloudpickle.
    """
    if b"__main__" in data:
        return True
    modules = cloudpickle.list_registry_pickle_by_value()
    return bool(modules) and any(module.encode() in data for module in modules)


class _Pickler(pickle.Pickler):
    """pickle's, with registered types."""

    def reducer_override(self, obj: Any) -> Any:
        assert reduce_registered is not None
        return reduce_registered(obj)


class ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle's, with registered types, those that only dagrpc knows how to pickle, and the places of code."""

    def __init__(self, file: io.BytesIO, protocol: int, buffer_callback: Keep | None) -> None:
        super().__init__(file, protocol, buffer_callback)
        self.places = Places()

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is CodeType:
            return self.places.reduce(obj, self.dispatch_table[CodeType])
        # Here, not above: it imports dask, which a scheduler does without.
        from dagrpc._codec.registry import reduce_known

        reduced = reduce_known(obj)
        return super().reducer_override(obj) if reduced is NotImplemented else reduced


def by_reference(value: object, keep: Keep | None = None) -> bytes:
    """Return a pickle that names functions and classes.

    Raises
    ------
    Exception
        Whatever the value's own pickling raises.
    """
    if reduce_registered is None:
        return pickle.dumps(value, protocol=5, buffer_callback=keep)
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=5, buffer_callback=keep).dump(value)
    return buffer.getvalue()


def by_value(value: object, keep: Keep | None = None) -> bytes:
    """Return a pickle that brings along the functions and classes that cannot be imported elsewhere.

    Raises
    ------
    Exception
        Whatever the value's own pickling raises.
    """
    buffer = io.BytesIO()
    pickler = ByValuePickler(buffer, 5, keep)
    pickler.dump(value)
    return pickler.places.before(buffer.getvalue())


def dumps(value: Any) -> list[Buffer]:
    """Return the frames of a pickle: the pickle itself, then its out-of-band buffers, not copied.

    Raises
    ------
    Exception
        Whatever the value's own pickling raises; usually `TypeError` or `pickle.PicklingError`.
    """
    kind = type(value)
    if kind in _PLAIN:
        return [pickle.dumps(value, protocol=5)]
    if kind.__name__ == "ndarray" and kind.__module__ == "numpy" and not value.flags.forc:
        value = compact(value)
    buffers: list[Buffer] = []

    def keep_in_band(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes <= _SMALL_BUFFER:
            return True
        buffers.append(raw)
        return False

    try:
        if reduce_registered is None:
            data = pickle.dumps(value, protocol=5, buffer_callback=keep_in_band)
        else:
            data = by_reference(value, keep_in_band)
        local = names_local_module(data)
    except Exception:  # cloudpickle's error is the one that tells
        local = True
    if local:
        buffers.clear()
        data = by_value(value, keep_in_band)
    return [data, *buffers]


def dumps_inband(value: object) -> bytes:
    """Return a pickle in one piece."""
    try:
        data = by_reference(value)
        if not names_local_module(data):
            return data
    except Exception:  # cloudpickle's error is the one that tells
        pass
    return by_value(value)


def loads(frames: Sequence[Buffer]) -> Any:
    """Return the value of the frames that `dumps` made."""
    if len(frames) == 1:
        return pickle.loads(frames[0])
    return pickle.loads(frames[0], buffers=frames[1:])


# --- headers -----------------------------------------------------------------------------------------------------


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        raise pickle.UnpicklingError(f"A header consists of plain values; this one names {module_name}.{global_name}")


def dumps_plain(value: object) -> bytes:
    """Return plain values (numbers, texts, bytes, lists, tuples, sets, dicts) as bytes."""
    return pickle.dumps(value, protocol=5)


def loads_plain(data: Buffer) -> Any:
    """Return what `dumps_plain` made bytes of. Runs no code, whatever the bytes are.

    Raises
    ------
    pickle.UnpicklingError
        If there is anything but plain values.
    """
    return _PlainUnpickler(io.BytesIO(data)).load()
