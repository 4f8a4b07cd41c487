"""Serialization of values, and registration of users' types. The names are those of ``distributed.protocol``.

Examples
--------
>>> class Human:
...     def __init__(self, name):
...         self.name = name
>>> @dask_serialize.register(Human)
... def serialize_human(human):
...     return {}, [human.name.encode()]
>>> @dask_deserialize.register(Human)
... def deserialize_human(header, frames):
...     return Human(bytes(frames[0]).decode())
>>> header, frames = serialize(Human("Alice"))
>>> deserialize(header, frames).name
'Alice'
"""

from __future__ import annotations

# As with distributed, the name is the function's; the module of the same name has to be imported by its full name.
from dagrpc.protocol import compression, core, pickle
from dagrpc.protocol.compression import decompress, maybe_compress
from dagrpc.protocol.core import dumps, loads
from dagrpc.protocol.serialize import (
    Pickled,
    Serialize,
    Serialized,
    ToPickle,
    cuda_deserialize,
    cuda_serialize,
    dask_deserialize,
    dask_serialize,
    deserialize,
    deserialize_bytes,
    nested_deserialize,
    register_generic,
    register_serialization,
    register_serialization_family,
    register_serialization_lazy,
    serialize,
    serialize_bytelist,
    serialize_bytes,
    to_serialize,
)

__all__ = [
    "Pickled",
    "Serialize",
    "Serialized",
    "ToPickle",
    "compression",
    "core",
    "cuda_deserialize",
    "cuda_serialize",
    "dask_deserialize",
    "dask_serialize",
    "decompress",
    "deserialize",
    "deserialize_bytes",
    "dumps",
    "loads",
    "maybe_compress",
    "nested_deserialize",
    "pickle",
    "register_generic",
    "register_serialization",
    "register_serialization_family",
    "register_serialization_lazy",
    "serialize",
    "serialize_bytelist",
    "serialize_bytes",
    "to_serialize",
]
