"""Serialization of values between client and workers: families, registered types, values that cannot be pickled."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dagrpc import Client, LocalCluster
from dagrpc._codec import pickle5
from dagrpc.exceptions import RemoteTaskError
from dagrpc.protocol import dask_deserialize, dask_serialize


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


def is_writeable(array: Any) -> bool:
    return bool(array.flags.writeable)


def read_only(length: int) -> Any:
    array = np.arange(length)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("length", [10, 100_000, 1_000_000])
def test_received_arrays_can_be_written_to_unless_they_could_not_before(client: Client, length: int) -> None:
    a, b = client.nthreads()
    assert client.submit(np.arange, length).result().flags.writeable
    assert not client.submit(read_only, length).result().flags.writeable
    assert client.submit(is_writeable, client.scatter(np.arange(length))).result()
    assert client.submit(is_writeable, np.arange(length)).result()
    there = client.submit(np.arange, length, workers=[a], pure=False)
    assert client.submit(is_writeable, there, workers=[b], pure=False).result()


def make_module() -> None:
    module = types.ModuleType("only_on_workers")
    source = """
class Thing:
    def __init__(self, value): self.value = value
class Refusal(Exception):
    def __init__(self, first, second): super().__init__(first); self.second = second
"""
    exec(source, module.__dict__)
    sys.modules[module.__name__] = module


def make_thing(value: int) -> Any:
    return importlib.import_module("only_on_workers").Thing(value)


def refuse() -> None:
    raise importlib.import_module("only_on_workers").Refusal("no", 1)


def value_of(thing: Any) -> Any:
    return thing.value


def test_types_that_only_workers_can_import_are_held_and_passed_on(client: Client) -> None:
    client.run(make_module)
    a, b = client.nthreads()
    thing = client.submit(make_thing, 5, workers=[a])
    assert client.submit(value_of, thing, workers=[b]).result(timeout=60) == 5
    assert thing.status == "finished"
    for read in (thing.result, lambda: client.gather([thing, thing])):
        with pytest.raises(ModuleNotFoundError, match="only_on_workers"):
            read()
    with pytest.raises(RemoteTaskError, match=r"only_on_workers\.Refusal: no"):
        client.submit(refuse).result(timeout=60)


def make_generator() -> Any:
    return (number for number in range(3))


def test_an_unpicklable_result_stays_where_it_is(client: Client) -> None:
    made = client.submit(make_generator)
    with pytest.raises(TypeError, match="generator"):
        made.result(timeout=60)
    # On its worker it can be used.
    assert client.submit(list, made).result(timeout=60) == [0, 1, 2]
    with pytest.raises(TypeError, match=r"argument 0, a builtins\.generator"):
        client.submit(list, make_generator())
    with pytest.raises(TypeError, match="generator"):
        client.scatter({"x": make_generator()})


class Handle:
    """Travels by what is registered for it, and by nothing else."""

    def __init__(self, value: int) -> None:
        self.value = value
        self.lock: Any = make_generator()


@pytest.fixture
def registered() -> Iterator[None]:
    @dask_serialize.register(Handle)
    def dump(handle: Handle) -> tuple[dict[str, Any], list[bytes]]:
        return {"value": handle.value}, []

    @dask_deserialize.register(Handle)
    def load(header: dict[str, Any], frames: list[bytes]) -> Handle:
        return Handle(header["value"])

    yield
    del dask_serialize._lookup[Handle], dask_deserialize._lookup[Handle]
    pickle5.reduce_registered = None


def more(handle: Handle, by: int = 1) -> Handle:
    return Handle(handle.value + by)


@pytest.mark.usefixtures("registered")
def test_registered_types_travel_everywhere(client: Client) -> None:
    import cloudpickle

    module = sys.modules[__name__]
    # As if the workers could not import it: what travels by value brings along what was registered.
    cloudpickle.register_pickle_by_value(module)
    try:
        assert client.submit(more, Handle(1)).result(timeout=60).value == 2
        assert client.submit(value_of, client.scatter(Handle(7))).result(timeout=60) == 7
        both = client.gather(client.map(more, [Handle(1), Handle(5)], by=2))
        assert [handle.value for handle in both] == [3, 7]
        nested = client.submit(lambda pair: {"out": [more(pair["in"][0])]}, {"in": (Handle(3),)}).result(timeout=60)
        assert nested["out"][0].value == 4
        graph = {"a": (more, Handle(10)), "b": (more, "a")}
        assert client.get(graph, "b").value == 12
        assert {handle.value for handle in client.run(more, Handle(1)).values()} == {2}
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def test_a_client_gets_data_only_by_the_families_that_it_accepts(cluster: LocalCluster) -> None:
    with Client(cluster, deserializers=["dask", "msgpack"]) as client:
        assert client.submit(abs, -1).result(timeout=60) == 1
        assert client.gather(client.map(abs, [-1, -2])) == [1, 2]
        assert client.gather(client.submit(np.arange, 5), direct=False).tolist() == [0, 1, 2, 3, 4]
        assert set(client.run(lambda: (1, "a")).values()) == {(1, "a")}
        with pytest.raises(TypeError, match="Could not serialize object of type range"):
            client.submit(range, 3).result(timeout=60)
        with pytest.raises(ZeroDivisionError):
            client.submit(lambda: 1 / 0).result(timeout=60)
        # What it sends is not restricted.
        assert client.submit(len, client.scatter(range(3), hash=False)[0:0]).result(timeout=60) == 0
        assert client.scatter({"x": range(3)})["x"].status == "finished"


def test_a_client_sends_data_only_by_the_families_that_it_was_given(cluster: LocalCluster) -> None:
    with Client(cluster, serializers=["msgpack"]) as client:
        assert client.submit(abs, client.scatter(-5)).result(timeout=60) == 5
        with pytest.raises(TypeError, match="Could not serialize object of type ndarray"):
            client.scatter({"x": np.arange(10)})
        # And accepts no other.
        with pytest.raises(TypeError, match="Could not serialize object of type ndarray"):
            client.submit(np.arange, 3).result(timeout=60)
    with Client(cluster, serializers=["dask", "pickle"], deserializers=["pickle", "dask"]) as client:
        assert client.submit(sum, client.scatter(np.arange(5))).result(timeout=60) == 10
        assert client.submit(range, 3).result(timeout=60) == range(3)


def test_families_that_do_not_exist_are_refused_at_once(cluster: LocalCluster) -> None:
    with pytest.raises(ValueError, match="'foo'"):
        Client(cluster, serializers=["foo"])
    with pytest.raises(TypeError, match="list of names"):
        Client(cluster, deserializers="pickle")


def repeated() -> Any:
    return np.broadcast_to(np.arange(1_000.0), (100_000, 1_000))


def test_repeated_parts_of_an_array_are_sent_once(client: Client) -> None:
    got = client.submit(repeated).result(timeout=60)
    assert got.shape == (100_000, 1_000)
    assert got.strides[0] == 0
    assert got[5, 7] == 7


class Sized:
    """Claims to be as large as it is told."""

    def __init__(self, size: int) -> None:
        self.size = size


def register_size() -> None:
    from dask.sizeof import sizeof

    sizeof.register(Sized, lambda value: value.size)


def test_registered_sizes_count(client: Client) -> None:
    client.run(register_size)
    here = client.submit(Sized, 123_456_789, key="sized", workers=[next(iter(client.nthreads()))])
    assert here.result(timeout=60).size == 123_456_789
    assert client.nbytes(summary=False)["sized"] == 123_456_789
    register_size()
    try:
        there = client.scatter({"scattered": Sized(1_000_000)})
        assert client.nbytes(summary=False)["scattered"] == 1_000_000
        del there
    finally:
        from dask.sizeof import sizeof

        del sizeof._lookup[Sized]
