"""Pickles with out-of-band buffers, by pickle, or by cloudpickle where pickle fails or must not be used.

Objects of types that are registered with `dask_serialize` are pickled by their registered serializers, also inside
other objects. This requires a lookup for every object, so it is done only in processes with registered serializers.
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

from dagrpc._codec.cached_functions import CachedFunction, reduce_cached
from dagrpc._codec.code_files import Places
from dagrpc._codec.compact_arrays import compact
from dagrpc._codec.importing import importable
from dagrpc._common.bytes_like import Buffer

_SMALL_BUFFER = 2048
"""Largest buffer, in bytes, that stays in the pickle, since a separate frame would cost more than the copy."""

_PLAIN = frozenset((int, float, str, bytes, bool, type(None)))
"""Types whose pickles name no module."""

Keep: TypeAlias = Callable[[pickle.PickleBuffer], bool]
Parts: TypeAlias = MutableMapping[type, Callable[[Any], Any]]
Refer: TypeAlias = Callable[[Any], Any]
"""Returns the reference that replaces an object in a pickle; None for objects that are pickled themselves."""

reduce_registered: Callable[[Any], Any] | None = None
"""Returns the reduction of an object, or NotImplemented if its type is not registered. None: no type is registered."""


def names_local_module(data: bytes) -> bool:
    """Return whether a pickle may name functions or classes that must be pickled by value.

    These are defined in `__main__`, or in modules that the user registered with cloudpickle.
    """
    if b"__main__" in data:
        return True
    modules = cloudpickle.list_registry_pickle_by_value()
    return bool(modules) and any(module.encode() in data for module in modules)


class _Pickler(pickle.Pickler):
    """pickle's pickler, with registered types."""

    def reducer_override(self, obj: Any) -> Any:
        assert reduce_registered is not None
        return reduce_registered(obj)


class ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle's pickler, with registered types, types that only dagrpc can pickle, and the files of code."""

    def __init__(self, file: io.BytesIO, protocol: int, buffer_callback: Keep | None) -> None:
        super().__init__(file, protocol, buffer_callback)
        self.places = Places()

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is CodeType:
            return self.places.reduce(obj, self.dispatch_table[CodeType])
        if type(obj) is CachedFunction and not importable(obj):
            return reduce_cached(obj)
        # A local import, since the module imports dask, which a scheduler does not load.
        from dagrpc._codec.serializers import reduce_known

        reduced = reduce_known(obj)
        return super().reducer_override(obj) if reduced is NotImplemented else reduced


def by_reference(value: object, keep: Keep | None = None) -> bytes:
    """Return a pickle that contains functions and classes by name.

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
    """Return a pickle that contains functions and classes by value if the receiver cannot import them.

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
        The pickler that made it.
    data : bytes
        The pickle.
    by_value : bool
        Whether it contains functions and classes by value.
    """

    __slots__ = ("_pickler", "by_value", "data")

    def __init__(self, pickler: pickle.Pickler, data: bytes, by_value: bool) -> None:
        self._pickler = pickler
        self.data = data
        self.by_value = by_value

    def memo(self) -> dict[int, tuple[int, Any]]:
        """Return the objects in the pickle except constants, by id, each with its position."""
        objects: dict[int, tuple[int, Any]] = self._pickler.memo.copy()
        return objects


def dumps_noting(value: object, refer: Refer | None = None, parts: Parts | None = None) -> Pickled:
    """Return a pickle in one piece that records the objects in it.

    Parameters
    ----------
    value : object
        Anything.
    refer : callable, optional
        Returns the reference that replaces an object, as `pickle.Pickler.persistent_id`.
    parts : mapping, optional
        Functions that return the reductions of objects, by type.

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
    """Return the frames of a pickle: the pickle itself, and its out-of-band buffers without a copy.

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
    """Return a pickle with all functions and classes by name; None if this is impossible."""
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
    """Return the value that `dumps_plain` encoded. Never runs code, even if the bytes are malicious.

    Raises
    ------
    pickle.UnpicklingError
        If the bytes contain other than plain values.
    """
    return _PlainUnpickler(io.BytesIO(data)).load()
