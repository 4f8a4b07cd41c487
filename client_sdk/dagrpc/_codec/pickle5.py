"""pickle with out-of-band buffers, and cloudpickle where pickle cannot or must not.

Types that were registered with `dask_serialize` travel by what was registered for them, wherever they are in a value.
That costs a look at every object, so it is done only in a process where something was registered.
"""

from __future__ import annotations

import copyreg
import io
import pickle
from collections import ChainMap
from collections.abc import Callable, MutableMapping, Sequence
from types import CodeType
from typing import Any, TypeAlias

import cloudpickle

from dagrpc._codec.arrays import compact
from dagrpc._codec.cached_functions import CachedFunction, reduce_cached
from dagrpc._codec.code_files import Places
from dagrpc._codec.importing import importable
from dagrpc._common.bytes_like import Buffer

_SMALL_BUFFER = 2048
"""Buffers up to this size stay in the pickle: a frame of their own would cost more than the copy."""

_PLAIN = frozenset((int, float, str, bytes, bool, type(None)))
"""Whose pickles name no module."""

Keep: TypeAlias = Callable[[pickle.PickleBuffer], bool]
Parts: TypeAlias = MutableMapping[type, Callable[[Any], Any]]
Refer: TypeAlias = Callable[[Any], Any]
"""Returns what stands for an object in a pickle, None if it is pickled itself."""

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
        if type(obj) is CachedFunction and not importable(obj):
            return reduce_cached(obj)
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


class Pickled:
    """A pickle in one piece.

    Parameters
    ----------
    pickler : pickle.Pickler
        Has pickled it.
    data : bytes
        The pickle.
    by_value : bool
        Whether functions and classes in it travel by value.
    """

    __slots__ = ("_pickler", "by_value", "data")

    def __init__(self, pickler: pickle.Pickler, data: bytes, by_value: bool) -> None:
        self._pickler = pickler
        self.data = data
        self.by_value = by_value

    def memo(self) -> dict[int, tuple[int, Any]]:
        """Return the objects that are in it, but for constants, by their ids, each with its place."""
        objects: dict[int, tuple[int, Any]] = self._pickler.memo.copy()
        return objects


def dumps_noting(value: object, refer: Refer | None = None, parts: Parts | None = None) -> Pickled:
    """Return a pickle in one piece that knows what is in it.

    Parameters
    ----------
    value : object
        Anything.
    refer : callable, optional
        Asked for each object what is to stand for it: `pickle.Pickler.persistent_id`.
    parts : mapping, optional
        By type what returns how to pickle an object of it.

    Raises
    ------
    Exception
        Whatever the value's own pickling raises.
    """
    buffer = io.BytesIO()
    try:
        pickler = pickle.Pickler(buffer, 5) if reduce_registered is None else _Pickler(buffer, 5)
        if refer is not None:
            pickler.persistent_id = refer  # type: ignore[method-assign]
        if parts is not None:
            pickler.dispatch_table = ChainMap(parts, copyreg.dispatch_table)  # type: ignore[arg-type]
        pickler.dump(value)
        data = buffer.getvalue()
        if not names_local_module(data):
            return Pickled(pickler, data, False)
    except Exception:  # cloudpickle's error is the one that tells
        pass
    buffer = io.BytesIO()
    by_value = ByValuePickler(buffer, 5, None)
    if refer is not None:
        by_value.persistent_id = refer
    if parts is not None:
        by_value.dispatch_table = ChainMap(parts, by_value.dispatch_table)
    by_value.dump(value)
    return Pickled(by_value, by_value.places.before(buffer.getvalue()), True)


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


def by_reference_only(value: object) -> bytes | None:
    """Return a pickle in which all functions and classes are names, None if there is none."""
    try:
        data = by_reference(value)
    except Exception:  # cloudpickle's error is the one that tells
        return None
    return None if names_local_module(data) else data


def dumps_inband(value: object) -> bytes:
    """Return a pickle in one piece."""
    data = by_reference_only(value)
    return by_value(value) if data is None else data


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
