"""Families of encodings, and the names of `distributed.protocol`."""

from __future__ import annotations

import json
import pickle
from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sparse

import dagrpc.protocol
from dagrpc._codec import families, payload, pickle5
from dagrpc.protocol import (
    Pickled,
    Serialize,
    Serialized,
    ToPickle,
    deserialize,
    deserialize_bytes,
    dumps,
    loads,
    nested_deserialize,
    register_serialization,
    register_serialization_lazy,
    serialize,
    serialize_bytelist,
    serialize_bytes,
    to_serialize,
)
from dagrpc.protocol.serialize import register_serialization_family


@pytest.mark.parametrize(
    ("value", "family"),
    [
        (1, "pickle"),
        ("text", "pickle"),
        (b"bytes", "dask"),
        (bytearray(b"bytes"), "dask"),
        (array("d", [1.5]), "dask"),
        (memoryview(b"abc"), "dask"),
        (np.arange(5), "dask"),
        (np.broadcast_to(np.arange(3), (4, 3)), "dask"),
        (np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]), "dask"),
        (np.array([1, "a"], dtype=object), "dask"),
        ({1, 2}, "pickle"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_value_has_the_family_that_distributed_gives_it(value: Any, family: str) -> None:
    header, frames = serialize(value)
    assert header["serializer"] == family
    got = deserialize(header, frames)
    assert type(got) is type(value)
    np.testing.assert_array_equal(got, value) if isinstance(value, np.ndarray) else None
    assert isinstance(value, np.ndarray) or got == value
    # A header can be read without running code.
    assert pickle5.loads_plain(pickle5.dumps_plain(header)) == header


def test_arrow_and_sparse_go_by_the_family_dask() -> None:
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    for value in (table, table.to_batches()[0]):
        header, frames = serialize(value, ["dask"])
        assert deserialize(header, frames, ["dask"]).equals(value)
    for matrix in (sparse.csr_matrix(np.eye(3)), sparse.coo_array(np.eye(3))):
        header, frames = serialize(matrix, ["dask"], on_error="raise")
        assert (deserialize(header, frames).toarray() == np.eye(3)).all()


def test_collections_are_divided_where_there_is_something_for_the_family_dask() -> None:
    value = {"a": [np.arange(3), 1], "b": (b"x", {2})}
    header, frames = serialize(value)
    assert header["is-collection"]
    got = deserialize(header, frames)
    assert got["a"][0].tolist() == [0, 1, 2]
    assert got["b"] == (b"x", {2})
    assert "is-collection" not in serialize([1, 2])[0]
    assert serialize([1, 2], iterate_collection=True)[0]["is-collection"]
    assert deserialize(*serialize([1, {3, 4}], iterate_collection=True)) == [1, {3, 4}]


def test_msgpack_takes_plain_values_only() -> None:
    header, frames = serialize({"a": (1, 2), "b": None}, ["msgpack"])
    assert (header["serializer"], deserialize(header, frames)) == ("msgpack", {"a": (1, 2), "b": None})
    with pytest.raises(TypeError, match="Could not serialize object of type object"):
        serialize(object(), ["msgpack"], on_error="raise")


def test_an_object_that_no_family_takes_raises_when_it_is_read() -> None:
    header, frames = serialize(iter([1]).__class__, ["dask"])
    assert header["serializer"] == "error"
    with pytest.raises(TypeError, match="Could not serialize object of type type"):
        deserialize(header, frames)
    generator = (number for number in [1])
    with pytest.raises(TypeError, match="Could not serialize object of type generator"):
        serialize(generator, on_error="raise")
    with pytest.raises(TypeError, match="cannot pickle 'generator' object"):
        deserialize(*serialize(generator))


def test_data_of_another_family_is_refused() -> None:
    header, frames = serialize(1)
    with pytest.raises(TypeError, match=r"serialized with pickle but only able to deserialize data with \['msgpack'\]"):
        deserialize(header, frames, deserializers=["msgpack"])
    encoding, made = payload.encode([1, 2])
    with pytest.raises(TypeError, match="only able"):
        payload.decode(encoding, made, ("dask",))
    encoding, made = payload.encode(1, ["pickle"])
    with pytest.raises(TypeError, match="only able"):
        payload.decode(encoding, made, ("dask",))
    assert payload.decode(encoding, made, ("pickle",)) == 1
    with pytest.raises(KeyError, match="foo"):
        serialize(1, ["foo"])


def test_a_header_that_would_run_code_is_refused() -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return print, ("run",)

    with pytest.raises(pickle.UnpicklingError, match="plain values"):
        families.decode([pickle.dumps({"serializer": Evil()})])


@pytest.fixture
def json_family() -> Iterator[list[Any]]:
    contexts: list[Any] = []

    def dump(value: object, context: Any = None) -> tuple[dict[str, Any], list[bytes]]:
        contexts.append(context)
        if isinstance(value, set):
            raise NotImplementedError
        return {"of": type(value).__name__}, [json.dumps(value).encode()]

    register_serialization_family("json-text", dump, lambda header, frames: json.loads(bytes(frames[0])))
    yield contexts
    del families.families["json-text"]


def test_users_add_families(json_family: list[Any]) -> None:
    header, frames = serialize({"a": 1}, ["json-text"], context={"recipient": "here"})
    assert header == {"of": "dict", "serializer": "json-text"}
    assert deserialize(header, frames) == {"a": 1}
    assert json_family == [{"recipient": "here"}]
    assert serialize({1}, ["json-text", "pickle"])[0]["serializer"] == "pickle"
    assert families.checked_names(["json-text"], "serializers") == ("json-text",)


def test_names_of_families_are_checked() -> None:
    assert families.checked_names(None, "serializers") is None
    with pytest.raises(ValueError, match=r"family 'foo' is not registered\. Registered families: 'dask'"):
        families.checked_names(["foo"], "serializers")
    with pytest.raises(TypeError, match="list of names"):
        families.checked_names("pickle", "deserializers")


def test_types_are_registered_when_their_package_is_met() -> None:
    import fractions

    called = []

    def register() -> None:
        called.append(1)
        register_serialization(
            fractions.Fraction,
            lambda value: ({"of": (value.numerator, value.denominator)}, []),
            lambda header, frames: fractions.Fraction(*header["of"]),
        )

    register_serialization_lazy("fractions", register)
    try:
        assert pickle.loads(pickle5.dumps_inband([fractions.Fraction(1, 3)])) == [fractions.Fraction(1, 3)]
        assert called
        assert serialize(fractions.Fraction(1, 3))[0]["serializer"] == "dask"
    finally:
        for registry in (dagrpc.protocol.dask_serialize, dagrpc.protocol.dask_deserialize):
            registry._lookup.pop(fractions.Fraction, None)
        pickle5.reduce_registered = None
    with pytest.raises(TypeError, match="takes a class"):
        register_serialization("fractions.Fraction", len, len)  # type: ignore[arg-type]


def test_marks_in_messages() -> None:
    assert to_serialize is Serialize
    assert repr(Serialize(5)) == "<Serialize: 5>"
    assert Serialize(5) == Serialize(5) != Serialize(6)
    assert len({Serialize(5), Serialize(5), ToPickle(5)}) == 2
    assert issubclass(Pickled, Serialized)
    message = {"status": "OK", "data": [to_serialize(np.arange(3)), ToPickle({1})]}
    frames = dumps(message)
    got = loads(frames)
    assert got["status"] == "OK"
    assert got["data"][0].tolist() == [0, 1, 2]
    assert got["data"][1] == {1}
    assert isinstance(loads(frames, deserialize=False)["data"][0], Serialized)
    assert nested_deserialize({"a": [Serialize(1)], "b": (Serialized(*serialize(2)),)}) == {"a": [1], "b": (2,)}


def test_bytes_in_one_piece_compressed_where_that_helps() -> None:
    for value in (np.zeros(100_000), {"a": [1, b"x" * 50_000]}, "text"):
        got = deserialize_bytes(serialize_bytes(value, compression="zlib"))
        assert np.array_equal(got, value) if isinstance(value, np.ndarray) else got == value
    assert len(serialize_bytes(np.zeros(100_000), compression="zlib")) < 10_000
    assert sum(map(len, serialize_bytelist(b"x" * 100_000, compression=False))) > 100_000


def test_the_submodule_of_the_functions_name_can_be_imported_from() -> None:
    from dagrpc.protocol import serialize as function

    assert callable(function)
    assert dagrpc.protocol.pickle.loads(dagrpc.protocol.pickle.dumps(lambda: 3))() == 3
    buffers: list[Any] = []
    data = dagrpc.protocol.pickle.dumps(np.arange(1_000), buffer_callback=buffers.append)
    assert dagrpc.protocol.pickle.loads(data, buffers=buffers)[-1] == 999
