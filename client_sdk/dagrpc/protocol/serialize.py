"""The registries of types and families, and the serialization of objects to a header and frames."""

from __future__ import annotations

from typing import Any

import dask.utils

from dagrpc._codec import pickle5
from dagrpc._codec.families import (
    deserialize,
    families,
    register_generic,
    register_serialization_family,
    serialize,
)
from dagrpc._codec.serializers import (
    dask_deserialize,
    dask_serialize,
    register_serialization,
    register_serialization_lazy,
)
from dagrpc._codec.wrapped import Pickled, Serialize, Serialized, ToPickle, to_serialize
from dagrpc.protocol.compression import decompress, maybe_compress

__all__ = [
    "Pickled",
    "Serialize",
    "Serialized",
    "ToPickle",
    "cuda_deserialize",
    "cuda_serialize",
    "dask_deserialize",
    "dask_serialize",
    "deserialize",
    "deserialize_bytes",
    "families",
    "nested_deserialize",
    "register_generic",
    "register_serialization",
    "register_serialization_family",
    "register_serialization_lazy",
    "serialize",
    "serialize_bytelist",
    "serialize_bytes",
    "to_serialize",
]

_Dispatch: Any = dask.utils.Dispatch

# Packages for GPUs register their types with these functions at import. dagrpc does not use the registrations, since it
# moves no data between GPUs.
cuda_serialize: Any = _Dispatch("cuda_serialize")
cuda_deserialize: Any = _Dispatch("cuda_deserialize")


def nested_deserialize(x: Any) -> Any:
    """Return a structure with the objects in place of `Serialize` and `Serialized`.

    The function searches lists, tuples, sets and dicts.

    Examples
    --------
    >>> nested_deserialize({"a": [to_serialize(1)], "b": Serialized(*serialize(2))})
    {'a': [1], 'b': 2}
    """
    if isinstance(x, Serialized):
        return deserialize(x.header, x.frames)
    if isinstance(x, (Serialize, ToPickle)):
        return x.data
    kind = type(x)
    if kind is dict:
        return {key: nested_deserialize(value) for key, value in x.items()}
    if kind in (list, tuple, set, frozenset):
        return kind(nested_deserialize(item) for item in x)
    return x


def serialize_bytelist(x: object, compression: str | bool | None = "auto", **kwargs: Any) -> list[Any]:
    """Return an object as a list of bytes-like objects, compressed where that helps.

    Parameters
    ----------
    x : object
        The object.
    compression : str, False or None
        As the setting ``comm.compression``.
    **kwargs
        For `serialize`.

    Examples
    --------
    >>> header, data = serialize_bytelist(b"abc")
    >>> bytes(data)
    b'abc'
    """
    header, frames = serialize(x, **kwargs)
    packed = [maybe_compress(frame, compression=compression) for frame in frames]
    header = {**header, "compression": [name for name, _ in packed]}
    return [pickle5.dumps_plain((header, [memoryview(frame).nbytes for _, frame in packed])), *(f for _, f in packed)]


def serialize_bytes(x: object, **kwargs: Any) -> bytes:
    """Return an object as bytes.

    Examples
    --------
    >>> deserialize_bytes(serialize_bytes({"a": 1}))
    {'a': 1}
    """
    head, *frames = serialize_bytelist(x, **kwargs)
    return b"".join((len(head).to_bytes(8, "little"), head, *frames))


def deserialize_bytes(b: bytes | bytearray | memoryview) -> Any:
    """Return the object of `serialize_bytes`.

    Examples
    --------
    >>> deserialize_bytes(serialize_bytes([1, 2]))
    [1, 2]
    """
    view = memoryview(b)
    position = 8 + int.from_bytes(view[:8], "little")
    header, lengths = pickle5.loads_plain(view[8:position])
    frames = []
    for length in lengths:
        frames.append(view[position : position + length])
        position += length
    return deserialize(header, decompress(header, frames))
