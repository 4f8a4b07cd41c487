"""Families of encodings, by name: ``dask``, ``pickle``, ``msgpack``, ``error`` and those that users register."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from dagrpc._codec import pickle5
from dagrpc._codec.serializers import (
    Dumps,
    Header,
    Loads,
    call_dumps,
    dask_deserialize,
    dask_serialize,
    load_builtin_types,
    register_serialization,
)
from dagrpc._codec.wrapped import Serialize, Serialized, ToPickle
from dagrpc._common.bytes_like import Buffer

Names: TypeAlias = Sequence[str] | Mapping[str, Any] | None

DEFAULT: tuple[str, ...] = ("dask", "pickle")
_MESSAGE_LIMIT = 10_000

families: dict[str, tuple[Dumps | None, Loads]] = {}


def register_serialization_family(name: str, dumps: Dumps, loads: Loads) -> None:
    """Register a family of encodings, or replace one.

    ``Client(serializers=, deserializers=)`` and `serialize` then accept the name. Register the family on the workers,
    too, which encode and decode with it.

    Parameters
    ----------
    name : str
        Name of the family.
    dumps : callable
        Takes any object and returns a header (a dict of plain values) and a list of bytes-like frames; raises
        `NotImplementedError` to leave the object to the next family. May have a parameter ``context``.
    loads : callable
        Takes the header and the frames and returns the object.

    Examples
    --------
    >>> import json
    >>> def dumps(value):
    ...     return {}, [json.dumps(value).encode()]
    >>> def loads(header, frames):
    ...     return json.loads(bytes(frames[0]))
    >>> register_serialization_family("json-text", dumps, loads)
    >>> header, frames = serialize({"a": 1}, serializers=["json-text"])
    >>> deserialize(header, frames)
    {'a': 1}
    """
    families[name] = (dumps, loads)


def checked_names(names: Iterable[str] | None, what: str) -> tuple[str, ...] | None:
    """Return the names of families that a user gave as a tuple.

    Raises
    ------
    TypeError
        If the argument is a text in place of a list.
    ValueError
        If a family is not registered.
    """
    if names is None:
        return None
    if isinstance(names, str):
        raise TypeError(f"{what} must be a list of names, such as ['dask', 'pickle'], not the text {names!r}")
    found = tuple(names)
    for name in found:
        if name not in families:
            raise ValueError(
                f"{what}: the serialization family {name!r} is not registered. Registered families: "
                f"{', '.join(map(repr, families))}; register_serialization_family adds others"
            )
    return found


# --- the families ------------------------------------------------------------------------------------------------


def _dask_dumps(value: object, context: Any = None) -> tuple[Header, list[Any]]:
    load_builtin_types()
    kind = type(value)
    dumps = dask_serialize.find(kind)
    if dumps is None:
        raise NotImplementedError(f"{kind.__qualname__} is not registered with dask_serialize")
    sub_header, frames = call_dumps(dumps, value, context)
    return {
        "sub-header": sub_header,
        "type": f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."),
        "type-serialized": pickle5.dumps_inband(kind),
    }, frames


def _dask_loads(header: Header, frames: list[Any]) -> Any:
    load_builtin_types()
    kind = pickle.loads(header["type-serialized"])
    loads = dask_deserialize.find(kind)
    if loads is None:
        raise TypeError(f"{header['type']} is not registered with dask_deserialize in this process")
    return loads(header["sub-header"], frames)


def _pickle_dumps(value: object, context: Any = None) -> tuple[Header, list[Any]]:
    frames = pickle5.dumps(value)
    return {"writeable": tuple(not memoryview(frame).readonly for frame in frames[1:])}, list(frames)


def _pickle_loads(header: Header, frames: list[Any]) -> Any:
    buffers = []
    for frame, writeable in zip(frames[1:], header.get("writeable") or (True,) * len(frames), strict=False):
        view = memoryview(frame)
        buffers.append(memoryview(bytearray(view)) if writeable and view.readonly else view)
    return pickle5.loads([frames[0], *buffers])


def _msgpack() -> Any:
    try:
        import msgpack
    except ImportError:
        raise TypeError("The family 'msgpack' needs the package msgpack; install dagrpc[msgpack]") from None
    return msgpack


_TUPLE = 1
"""Code of the msgpack extension for tuples, which msgpack itself would turn into lists."""


def _packed(value: object) -> bytes:
    packed: bytes = _msgpack().packb(value, use_bin_type=True, strict_types=True, default=_extended)
    return packed


def _extended(value: object) -> Any:
    if type(value) is tuple:
        return _msgpack().ExtType(_TUPLE, _packed(list(value)))
    raise TypeError(type(value))


def _unpacked(data: bytes) -> Any:
    return _msgpack().unpackb(data, raw=False, strict_map_key=False, ext_hook=_from_extension)


def _from_extension(code: int, data: bytes) -> Any:
    return tuple(_unpacked(data)) if code == _TUPLE else _msgpack().ExtType(code, data)


def _msgpack_dumps(value: object) -> tuple[Header, list[Any]]:
    _msgpack()
    try:
        return {}, [_packed(value)]
    except Exception:
        raise NotImplementedError(type(value)) from None


def _msgpack_loads(header: Header, frames: list[Any]) -> Any:
    return _unpacked(b"".join(frames))


def _error_loads(header: Header, frames: list[Any]) -> Any:
    raise TypeError("\n".join(bytes(frame).decode() for frame in frames))


families["dask"] = (_dask_dumps, _dask_loads)
families["pickle"] = (_pickle_dumps, _pickle_loads)
families["msgpack"] = (_msgpack_dumps, _msgpack_loads)
families["error"] = (None, _error_loads)


# --- to and from header and frames -------------------------------------------------------------------------------


def serialize(
    x: object,
    serializers: Iterable[str] | None = None,
    on_error: Literal["message", "raise"] = "message",
    context: Any = None,
    iterate_collection: bool | None = None,
) -> tuple[Header, list[Any]]:
    """Encode an object as a header and frames.

    Parameters
    ----------
    x : object
        The object.
    serializers : list of str, optional
        Families to try, in order. Default: ``["dask", "pickle"]``.
    on_error : {"message", "raise"}
        ``"raise"`` raises TypeError if no family takes the object; ``"message"`` encodes the error, which
        `deserialize` raises.
    context : dict, optional
        Passed to registered functions that have a parameter ``context``.
    iterate_collection : bool, optional
        Encode the items of lists, tuples, sets and dicts one by one. Default: only if the family ``dask`` takes one of
        them.

    Returns
    -------
    header : dict
        Plain values.
    frames : list
        Bytes-like objects; the memory of arrays is not copied.

    Raises
    ------
    TypeError
        If no family takes the object and ``on_error`` is ``"raise"``.
    KeyError
        If a family is not registered.

    Examples
    --------
    >>> header, frames = serialize(1)
    >>> deserialize(header, frames)
    1
    """
    names = DEFAULT if serializers is None else tuple(serializers)
    if isinstance(x, Serialized):
        return x.header, x.frames
    if isinstance(x, ToPickle):
        x, names = x.data, ("pickle",)
    elif isinstance(x, Serialize):
        x = x.data
    if "dask" in names and _is_to_be_divided(x, iterate_collection):
        return _serialize_items(x, names, on_error, context, iterate_collection)
    told = ""
    for name in names:
        dumps = _family(name)[0]
        if dumps is None:
            continue
        try:
            header, frames = call_dumps(dumps, x, context)
        except NotImplementedError:
            continue
        except Exception:
            told = traceback.format_exc()
            break
        return {**header, "serializer": name}, frames
    message = f"Could not serialize object of type {type(x).__name__}"
    if on_error == "raise":
        raise TypeError(message, str(x)[:_MESSAGE_LIMIT])
    return {"serializer": "error"}, [text.encode() for text in (message, told[:_MESSAGE_LIMIT]) if text]


def _family(name: str) -> tuple[Dumps | None, Loads]:
    try:
        return families[name]
    except KeyError:
        raise KeyError(
            f"The serialization family {name!r} is not registered; choose one of: {', '.join(families)}"
        ) from None


_COLLECTIONS = (list, tuple, set, frozenset)


def _is_to_be_divided(value: object, wish: bool | None) -> bool:
    kind = type(value)
    if kind is not dict and kind not in _COLLECTIONS:
        return False
    return _holds_registered(value) if wish is None else wish


def _holds_registered(value: Any) -> bool:
    """Return whether the family ``dask`` takes the value or one of its items."""
    kind = type(value)
    if kind is dict:
        return all(isinstance(key, str) for key in value) and any(map(_holds_registered, value.values()))
    if kind in _COLLECTIONS:
        return any(map(_holds_registered, value))
    load_builtin_types()
    return dask_serialize.find(kind) is not None


def _serialize_items(
    value: Any, names: tuple[str, ...], on_error: Any, context: Any, wish: bool | None
) -> tuple[Header, list[Any]]:
    pairs = list(value.items()) if type(value) is dict else [(None, item) for item in value]
    headers, lengths, frames = [], [], []
    for key, item in pairs:
        header, made = serialize(item, names, on_error, context, wish)
        headers.append({**header, "key": key} if type(value) is dict else header)
        lengths.append(len(made))
        frames.extend(made)
    return {
        "sub-headers": headers,
        "is-collection": True,
        "frame-lengths": lengths,
        "type-serialized": type(value).__name__,
        "serializer": "dask",
    }, frames


def deserialize(header: Header, frames: Sequence[Any], deserializers: Names = None) -> Any:
    """Decode the object that `serialize` encoded.

    Parameters
    ----------
    header : dict
        The header that `serialize` returned.
    frames : list
        The frames that `serialize` returned.
    deserializers : list of str, optional
        Families that are accepted. Default: all.

    Raises
    ------
    TypeError
        If another family encoded the object, or if the frames hold an error.

    Examples
    --------
    >>> deserialize(*serialize([1, 2]))
    [1, 2]
    """
    if header.get("is-collection"):
        return _deserialize_items(header, frames, deserializers)
    name = header["serializer"]
    refuse_unless_accepted(name, deserializers)
    return _family(name)[1](header, list(frames))


def refuse_unless_accepted(name: str, deserializers: Names) -> None:
    """Raise `TypeError` if data of a family is not accepted."""
    if deserializers is not None and name not in deserializers and name != "error":
        raise TypeError(f"Data serialized with {name} but only able to deserialize data with {list(deserializers)}")


def _deserialize_items(header: Header, frames: Sequence[Any], deserializers: Names) -> Any:
    items, start = [], 0
    for sub_header, length in zip(header["sub-headers"], header["frame-lengths"], strict=True):
        items.append(deserialize(sub_header, frames[start : start + length], deserializers))
        start += length
    kinds: dict[str, Callable[[list[Any]], Any]] = {kind.__name__: kind for kind in _COLLECTIONS}
    if header["type-serialized"] == "dict":
        return dict(zip((sub["key"] for sub in header["sub-headers"]), items, strict=True))
    return kinds[header["type-serialized"]](items)


# --- as bytes in one piece ---------------------------------------------------------------------------------------


def encode(value: object, names: Sequence[str]) -> list[Buffer]:
    """Return the frames of a value that the first suitable family encodes; TypeError if none is suitable."""
    header, frames = serialize(value, names, on_error="raise")
    return [pickle5.dumps_plain(header), *frames]


def decode(frames: Sequence[Buffer], names: Names = None) -> Any:
    """Return the value of frames that `encode` returned; TypeError if their family is not accepted."""
    return deserialize(pickle5.loads_plain(frames[0]), frames[1:], names)


# --- classes that consist of their attributes --------------------------------------------------------------------


def register_generic(
    cls: type, serializer_name: str = "dask", serialize_func: Any = dask_serialize, deserialize_func: Any = None
) -> None:
    """Register a class whose objects travel attribute by attribute.

    Suits classes whose objects ``object.__new__(cls)`` and their attributes restore, such as a few arrays.

    Parameters
    ----------
    cls : type
        The class.
    serializer_name : str
        Family that encodes the attributes; pickle encodes attributes that it does not take.
    serialize_func, deserialize_func : optional
        Registries to add the class to. Default: `dask_serialize` and `dask_deserialize`.

    Examples
    --------
    >>> class Model:
    ...     def __init__(self, weights):
    ...         self.weights = weights
    >>> register_generic(Model)
    >>> header, frames = serialize(Model([1.0, 2.0]))
    >>> deserialize(header, frames).weights
    [1.0, 2.0]
    """
    target = dask_deserialize if deserialize_func is None else deserialize_func
    generic = Attributes(serializer_name)
    serialize_func.register(cls, generic.dumps)
    target.register(cls, generic.loads)


class Attributes:
    """Encodes objects attribute by attribute, with `family` if it takes the attribute, otherwise with pickle."""

    def __init__(self, family: str) -> None:
        self.family = family

    def dumps(self, value: Any, context: Any = None) -> tuple[Header, list[Any]]:
        """Return header and frames of an object."""
        names = (self.family, "pickle")
        headers, frames = {}, []
        for name, attribute in value.__dict__.items():
            header, made = serialize(attribute, names, "raise", context)
            headers[name] = (header, len(made))
            frames.extend(made)
        return {"type-serialized": pickle5.dumps_inband(type(value)), "attributes": headers}, frames

    def loads(self, header: Header, frames: list[Any]) -> Any:
        """Return the object."""
        kind = pickle.loads(header["type-serialized"])
        made, start = object.__new__(kind), 0
        for name, (sub_header, length) in header["attributes"].items():
            made.__dict__[name] = deserialize(sub_header, frames[start : start + length])
            start += length
        return made


__all__ = [
    "deserialize",
    "families",
    "register_generic",
    "register_serialization",
    "register_serialization_family",
    "serialize",
]
