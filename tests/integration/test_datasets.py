"""Published datasets and metadata, between clients and tasks."""

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from dagrpc import CancelledError, Client, Future, LocalCluster, futures_of, get_client, wait


@pytest.fixture
def other(shared_cluster: LocalCluster) -> Iterator[Client]:
    with Client(shared_cluster, set_as_default=False) as other:
        yield other


@pytest.fixture(autouse=True)
def clean(client: Client) -> Iterator[None]:
    yield
    client.unpublish_dataset(list(client.list_datasets()))


def test_collections_outlive_their_client(shared_cluster: LocalCluster, client: Client) -> None:
    with Client(shared_cluster) as publisher:
        x = (da.arange(20, chunks=5) + 1).persist()
        frame = dd.from_pandas(pd.DataFrame({"a": range(10)}), npartitions=2).persist()
        wait([x, frame])
        publisher.publish_dataset(x=x, frame=frame)
        del x, frame
        gc.collect()
    x = client.get_dataset("x")
    assert isinstance(x, da.Array)
    futures = futures_of(x)
    assert len(futures) == 4
    assert all(future.client is client for future in futures)
    assert int(x.sum().compute()) == 210
    frame = client.get_dataset("frame")
    assert isinstance(frame, dd.DataFrame)
    assert {future.client for future in futures_of(frame)} == {client}
    assert frame.a.sum().compute() == 45
    assert np.array_equal(np.asarray(x), np.arange(1, 21))


def test_futures_and_structures_and_plain_values(client: Client, other: Client) -> None:
    one = client.submit(sum, [1, 2], pure=False)
    two = client.submit(sum, [3, 4], pure=False)
    client.publish_dataset({"one": one, "nested": {"list": [one, (two, "text")]}, "plain": {"a": 1}})
    keys = {one.key, two.key}
    del one, two
    gc.collect()
    assert isinstance(other.get_dataset("one"), Future)
    assert other.get_dataset("one").result(timeout=30) == 3
    nested = other.get_dataset("nested")
    assert {future.key for future in futures_of(nested["list"])} == keys
    assert other.gather(nested) == {"list": [3, (7, "text")]}
    assert other.get_dataset("plain") == {"a": 1}


class Holder:
    def __init__(self, inner: Any) -> None:
        self.inner = inner


def test_futures_within_any_object(client: Client, other: Client) -> None:
    future = client.submit(sum, [1, 2], pure=False)
    client.publish_dataset(holder=Holder({"future": future}), lazy=dask.delayed(sum)([future, 4]))
    wait(future)
    del future
    gc.collect()
    assert other.get_dataset("holder").inner["future"].result(timeout=30) == 3
    assert other.compute(other.get_dataset("lazy"), sync=True) == 7


def test_collections_that_were_not_persisted(client: Client, other: Client) -> None:
    client.publish_dataset(lazy=da.ones(10, chunks=5).sum(), delayed=dask.delayed(sum)([1, 2]))
    assert other.compute(other.get_dataset("lazy"), sync=True) == 10
    assert other.compute(other.get_dataset("delayed"), sync=True) == 3


def test_unpublished_results_go(client: Client, other: Client) -> None:
    future = client.submit(pow, 2, 10, key="goes-when-unpublished")
    client.publish_dataset(power=future)
    wait(future)
    del future
    gc.collect()
    assert other.get_dataset("power").result(timeout=30) == 1024
    client.unpublish_dataset("power")
    for _ in range(200):
        if not client.who_has(["goes-when-unpublished"]).get("goes-when-unpublished"):
            break
        asyncio.run(asyncio.sleep(0.05))
    assert not client.who_has(["goes-when-unpublished"]).get("goes-when-unpublished")


def test_names_are_keys(client: Client, other: Client) -> None:
    names = ["text", ("tuple", 1), 3, b"bytes", "127.0.0.1", ""]
    for number, name in enumerate(names):
        client.publish_dataset(number, name=name)
    assert set(other.list_datasets()) == set(names)
    assert isinstance(other.list_datasets(), tuple)
    for number, name in enumerate(names):
        assert other.get_dataset(name) == number
    assert other.get_dataset(["text", 3, "text"]) == [0, 2, 0]
    client.publish_dataset([1, 2], name=["a", "b"])
    assert other.get_dataset(("a", "b")) == [1, 2]
    client.unpublish_dataset(["text", 3, "never there"])
    assert set(other.list_datasets()) == {*names, ("a", "b")} - {"text", 3}


def test_taken_and_missing_names(client: Client) -> None:
    client.publish_dataset(x=1)
    with pytest.raises(KeyError, match="Dataset x already exists"):
        client.publish_dataset(2, name="x")
    with pytest.raises(KeyError, match="x already exists"):
        client.publish_dataset(y=1, x=2)
    assert client.list_datasets() == ("x",)
    client.publish_dataset(x=2, override=True)
    assert client.get_dataset("x") == 2
    with pytest.raises(KeyError, match="Dataset 'nope' not found"):
        client.get_dataset("nope")
    with pytest.raises(KeyError, match="not found"):
        client.get_dataset(["x", "nope"])
    assert client.get_dataset("nope", default=None) is None
    assert client.get_dataset("nope", 4) == 4
    client.unpublish_dataset("nope")


def test_publishing_needs_one_name_for_each_dataset(client: Client) -> None:
    with pytest.raises(ValueError, match="If name is omitted"):
        client.publish_dataset([1])
    with pytest.raises(ValueError, match="If name is omitted"):
        client.publish_dataset(1, 2)
    for args, kwargs in (((), {}), ((1, 2), {}), ((1,), {"z": 2})):
        with pytest.raises(ValueError, match="name="):
            client.publish_dataset(*args, name="x", **kwargs)
    with pytest.raises(TypeError, match="key must be"):
        client.publish_dataset(1, name=object())
    assert client.list_datasets() == ()


def test_the_mapping_of_datasets(client: Client, other: Client) -> None:
    client.datasets["x"] = client.submit(sum, [1, 2])
    other.datasets["y"] = 5
    assert list(client.datasets) == ["x", "y"]
    assert len(other.datasets) == 2
    assert "x" in other.datasets
    assert "z" not in other.datasets
    assert other.datasets["x"].result(timeout=30) == 3
    assert dict(other.datasets.items())["y"] == 5
    with pytest.raises(KeyError, match="already exists"):
        client.datasets["x"] = 1
    with pytest.raises(KeyError, match="not found"):
        client.datasets["z"]
    assert client.datasets.get("z", 7) == 7
    del client.datasets["x"]
    assert list(client.datasets) == ["y"]
    with pytest.raises(TypeError, match="async for"):
        client.datasets.__aiter__()


async def use_asynchronously(address: str) -> None:
    async with Client(address, asynchronous=True, set_as_default=False) as client:
        await client.publish_dataset(m=client.submit(sum, [1, 2]), n=2)
        assert [name async for name in client.datasets] == ["m", "n"]
        assert await client.list_datasets() == ("m", "n")
        assert await client.datasets["n"] == 2
        assert await (await client.get_dataset("m")) == 3
        for refused in (
            lambda: list(client.datasets),
            lambda: len(client.datasets),
            lambda: "m" in client.datasets,
            lambda: client.datasets.__setitem__("x", 1),
            lambda: client.datasets.__delitem__("m"),
        ):
            with pytest.raises(TypeError, match="when client is asynchronous"):
                refused()
        await client.unpublish_dataset("m")
        with pytest.raises(KeyError, match="not found"):
            await client.get_dataset("m")
        await client.set_metadata(["asynchronous", 1], 1)
        assert await client.get_metadata(["asynchronous", 1]) == 1


def test_asynchronous_clients(shared_cluster: LocalCluster) -> None:
    asyncio.run(use_asynchronously(shared_cluster.scheduler_address))


def test_tasks_publish_and_get(client: Client) -> None:
    def publish() -> None:
        with_client = get_client()
        with_client.publish_dataset(from_task=with_client.submit(sum, [5, 6]))

    def use() -> Any:
        found = get_client().get_dataset("from_task")
        return found.result(timeout=30)

    client.submit(publish, pure=False).result(timeout=30)
    assert client.submit(use, pure=False).result(timeout=30) == 11


# --- metadata ----------------------------------------------------------------------------------------------------


def test_metadata_between_clients(client: Client, other: Client) -> None:
    value = {"n": None, "t": (1, 2.5), "b": b"bytes", "l": [True, "text"], 7: "a key"}
    client.set_metadata("x", value)
    assert other.get_metadata("x") == value
    assert other.get_metadata(["x", "t"]) == (1, 2.5)
    assert other.get_metadata(["x", 7]) == "a key"
    client.set_metadata(["a", "b", "c"], 1)
    client.set_metadata(["a", "d"], 2)
    assert other.get_metadata(["a"]) == {"b": {"c": 1}, "d": 2}
    assert {"x", "a"} <= set(other.get_metadata([]))
    client.set_metadata(("t", 1), "tuple")
    assert other.get_metadata(("t", 1)) == "tuple"
    assert other.get_metadata(("a", "b", "c")) == 1


def test_metadata_that_is_not_there(client: Client) -> None:
    client.set_metadata(["here", "inner"], None)
    assert client.get_metadata(["here", "inner"]) is None
    with pytest.raises(KeyError, match="'nowhere'"):
        client.get_metadata("nowhere")
    with pytest.raises(KeyError, match="'no'"):
        client.get_metadata(["here", "no", "deeper"])
    assert client.get_metadata("nowhere", default=3) == 3
    assert client.get_metadata(["here", "inner", "deeper"], default=None) is None


def test_only_plain_data_is_kept(client: Client) -> None:
    for value in (object(), {1, 2}, [lambda: 1]):
        with pytest.raises(TypeError, match="Metadata must be plain data"):
            client.set_metadata("bad", value)
    for key in ({"a": 1}, [["a"]], [{}], object()):
        with pytest.raises(TypeError, match="key of metadata"):
            client.set_metadata(key, 1)
    with pytest.raises(ValueError, match="at least one key"):
        client.set_metadata([], 1)
    assert client.get_metadata("bad", default="nothing") == "nothing"


def test_tasks_use_metadata(client: Client) -> None:
    def task() -> Any:
        get_client().set_metadata(["of-task", "number"], 5)
        return get_client().get_metadata(["of-task"])

    assert client.submit(task, pure=False).result(timeout=30) == {"number": 5}
    assert client.get_metadata(["of-task", "number"]) == 5


def test_a_restart_forgets_metadata_and_results_but_no_names(fresh_cluster: LocalCluster) -> None:
    with Client(fresh_cluster) as client:
        client.set_metadata("x", 1)
        client.publish_dataset(plain=5, future=client.submit(sum, [1, 2]))
        client.restart(timeout=60, wait_for_workers=False)
        assert client.get_metadata("x", default="forgotten") == "forgotten"
        assert client.list_datasets() == ("future", "plain")
        assert client.get_dataset("plain") == 5
        with pytest.raises(CancelledError):
            client.get_dataset("future").result(timeout=30)
