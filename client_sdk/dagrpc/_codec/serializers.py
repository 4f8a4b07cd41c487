"""The registries of serializers by type, `dask_serialize` and `dask_deserialize`, and the functions that fill them."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import dask.utils

from dagrpc._codec import pickle5
from dagrpc._common.bytes_like import Buffer

Header: TypeAlias = dict[str, Any]
Dumps: TypeAlias = Callable[..., tuple[Header, list[Any]]]
Loads: TypeAlias = Callable[[Header, list[Any]], Any]

_BUILTIN = "dagrpc._codec.builtin_types"
"""The module of dagrpc's own serializers. Pickling uses only those marked `beyond_pickle`, where pickle fails."""
_absent = object()
_Dispatch: Any = dask.utils.Dispatch


class _Registry(_Dispatch):  # type: ignore[misc]
    """dask's `Dispatch`, which pickling consults from the first registration by a user."""

    def register(self, type: Any, func: Any = None) -> Any:
        registered = super().register(type, func)
        if func is not None:
            _changed(func)
            return registered

        def decorate(function: Any) -> Any:
            done = registered(function)
            _changed(function)
            return done

        return decorate

    def register_lazy(self, toplevel: str, func: Any = None) -> Any:
        registered = super().register_lazy(toplevel, func)
        if func is not None:
            _changed(func)
            return registered

        def decorate(function: Any) -> Any:
            done = registered(function)
            _changed(function)
            return done

        return decorate

    def find(self, kind: type) -> Any:
        """Return the function for a type, None if there is none."""
        try:
            return self.dispatch(kind)
        except TypeError:
            return None


dask_serialize: Any = _Registry("dask_serialize")
dask_deserialize: Any = _Registry("dask_deserialize")

_found: WeakKeyDictionary[type, Any] = WeakKeyDictionary()
"""The result of each lookup, by type."""


def _changed(function: Any) -> None:
    _found.clear()
    if getattr(function, "__module__", None) != _BUILTIN:
        pickle5.reduce_registered = reduce_registered


def load_builtin_types() -> None:
    """Register the serializers that dagrpc itself has."""
    import dagrpc._codec.builtin_types  # noqa: F401


def _serializer(kind: type) -> Any:
    found = _found.get(kind, _absent)
    if found is _absent:
        found = dask_serialize.find(kind)
        _found[kind] = found
    return found


# --- inside pickles ----------------------------------------------------------------------------------------------


def reduce_registered(obj: Any) -> Any:
    """Return the reduction of an object whose type a user registered; NotImplemented for other objects."""
    kind = type(obj)
    if kind is type:
        return NotImplemented
    dumps = _serializer(kind)
    if dumps is None or dumps.__module__ == _BUILTIN:
        return NotImplemented
    return _reduce(kind, obj, dumps)


def reduce_known(obj: Any) -> Any:
    """Return the reduction of an object whose type a user or dagrpc registered; NotImplemented for other objects."""
    load_builtin_types()
    kind = type(obj)
    if kind is type:
        return NotImplemented
    dumps = _serializer(kind)
    if dumps is None or (dumps.__module__ == _BUILTIN and not getattr(dumps, "beyond_pickle", False)):
        return NotImplemented
    return _reduce(kind, obj, dumps)


def _reduce(kind: type, obj: Any, dumps: Dumps) -> Any:
    try:
        header, frames = call_dumps(dumps, obj, None)
    except NotImplementedError:
        return NotImplemented
    loads = dask_deserialize.find(kind)
    if loads is None:
        raise TypeError(f"{kind.__module__}.{kind.__qualname__} is registered with dask_serialize only")
    buffers = [pickle.PickleBuffer(_in_one_piece(frame)) for frame in frames]
    # The reduction has both functions, so that a peer without the registration can read the object and send it back.
    return restore, (kind, dumps, loads, header, buffers)


def _in_one_piece(frame: Any) -> Any:
    if isinstance(frame, (bytes, bytearray)):
        return frame
    view = memoryview(frame)
    return view if view.contiguous else view.tobytes()


def restore(kind: type, dumps: Dumps, loads: Loads, header: Header, frames: Sequence[Buffer]) -> Any:
    """Return the object that a registered serializer turned into header and frames."""
    own = dask_deserialize.find(kind)
    if own is None:
        register_serialization(kind, dumps, loads)
        own = loads
    return own(header, list(frames))


# --- registering -------------------------------------------------------------------------------------------------


@lru_cache(1_000)
def _wants_context(function: Callable[..., Any]) -> bool:
    try:
        return "context" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def call_dumps(dumps: Dumps, value: Any, context: Any) -> tuple[Header, list[Any]]:
    """Call a serializer, with the context if the serializer takes one."""
    return dumps(value, context=context) if _wants_context(dumps) else dumps(value)


def register_serialization(cls: type, serialize: Dumps, deserialize: Loads) -> None:
    """Register the serializer and the deserializer of a class.

    Parameters
    ----------
    cls : type
        The class.
    serialize : callable
        Takes an object and returns a header (a dict of plain values) and a list of bytes-like frames.
    deserialize : callable
        Takes header and frames and returns the object.

    Examples
    --------
    >>> class Human:
    ...     def __init__(self, name):
    ...         self.name = name
    >>> def serialize(human):
    ...     return {}, [human.name.encode()]
    >>> def deserialize(header, frames):
    ...     return Human(bytes(frames[0]).decode())
    >>> register_serialization(Human, serialize, deserialize)
    """
    if isinstance(cls, str):
        raise TypeError(
            "register_serialization takes a class, not its name; for a class whose module is not to be imported yet "
            "there is register_serialization_lazy"
        )
    dask_serialize.register(cls, serialize)
    dask_deserialize.register(cls, deserialize)


def register_serialization_lazy(toplevel: str, func: Callable[[], Any]) -> None:
    """Register a function that registers the types of a package when they are first needed.

    Parameters
    ----------
    toplevel : str
        Name of the package. The function is called before the first object of one of its types is serialized.
    func : callable
        Takes no arguments. It calls `register_serialization`, for instance.

    Examples
    --------
    >>> def register_numbers():
    ...     from dagrpc.protocol import register_generic
    ...     from fractions import Fraction
    ...     register_generic(Fraction)
    >>> register_serialization_lazy("fractions", register_numbers)
    """
    dask_serialize.register_lazy(toplevel, func)
    dask_deserialize.register_lazy(toplevel, func)
