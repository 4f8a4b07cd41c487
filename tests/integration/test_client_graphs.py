"""dask collections and graphs on the cluster."""

import operator
import threading
from typing import Any

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask._task_spec import Task
from dask.delayed import delayed

from dagrpc import Client, Future, futures_of, wait


def inc(x):
    return x + 1


def fail(message):
    raise ZeroDivisionError(message)


# --- get ---------------------------------------------------------------------------------------------------------


def test_get_keeps_the_shape_of_the_keys(client):
    graph = {"x": (inc, 1), "y": (inc, "x"), "z": (sum, ["x", "y"])}
    assert client.get(graph, "z") == 5
    assert client.get(graph, ["x", ["y", ["z"]], "x"]) == [2, [3, [5]], 2]
    futures = client.get(graph, ["x", ["y"]], sync=False)
    assert isinstance(futures[0], Future)
    assert client.gather(futures) == [2, [3]]


def test_keys_of_all_kinds(client):
    graph = {("x", 0): (inc, 10), b"y": (inc, ("x", 0)), 7.5: (inc, ("x", 0)), 1000: 5, "('x', 0)": (inc, 100)}
    assert client.get(graph, [("x", 0), [b"y", 7.5], 1000, "('x', 0)"]) == [11, [12, 12], 5, 101]


def test_aliases(client):
    graph = {"a": (inc, 1), "b": "a", "c": "b", "d": (operator.add, "b", "c")}
    assert client.get(graph, ["c", "d"]) == [2, 4]
    assert client.get(graph, ["a", "b", "c", "d"]) == [2, 2, 2, 4]


def test_only_what_is_needed_is_sent(client):
    assert client.get({"x": (inc, 1), "unused": (fail, threading.Lock())}, "x") == 2


@pytest.mark.parametrize(
    ("graph", "keys", "named"),
    [
        ({"x": (inc, 1)}, ["nowhere"], ["'nowhere'", "asked for"]),
        ({"x": Task("x", inc, Task.ref(Task("gone", inc, 1)))}, ["x"], ["'gone'", "needed by 'x'"]),
        ({"x": (inc, "y"), "y": (inc, "z"), "z": (inc, "y")}, ["x"], ["cycle", "'y'", "'z'"]),
        ({"x": (inc, "x")}, ["x"], ["cycle", "'x' -> 'x'"]),
    ],
)
def test_impossible_graphs_name_what_is_wrong(client, graph, keys, named):
    with pytest.raises(ValueError, match="graph") as info:
        client.get(graph, keys)
    for name in named:
        assert name in str(info.value)


def test_tasks_that_cannot_be_pickled(client):
    graph: dict[Any, Any] = {f"x{i}": (inc, i) for i in range(2_500)}
    graph["bad"] = (sum, [*graph, threading.Lock()])
    with pytest.raises(TypeError, match="'bad'"):
        client.get(graph, ["bad", *list(graph)[:10]])
    assert client.futures == {}
    assert client.get({"ok": (inc, 1)}, "ok") == 2


def test_errors_of_tasks(client):
    with pytest.raises(ZeroDivisionError, match="boo"):
        client.get({"x": (fail, "boo"), "y": (inc, "x")}, "y")


def test_a_graph_of_several_parts(client):
    width = 1_500
    graph: dict[Any, Any] = {("x", i): (inc, i) for i in range(width)}
    graph |= {("y", i): (operator.add, ("x", i), ("x", (i + 1) % width)) for i in range(width)}
    graph["total"] = (sum, [("y", i) for i in range(width)])
    assert client.get(graph, "total") == 2 * sum(range(1, width + 1))


def test_shared_values_across_parts(client):
    table = dict.fromkeys(range(1_000), 1)

    def look_up(i):
        return table[i % 1_000]

    graph = {f"x{i}": (look_up, i) for i in range(3_000)} | {"sum": (sum, [f"x{i}" for i in range(3_000)])}
    assert client.get(graph, "sum") == 3_000


def test_a_long_chain(client):
    graph = {"x0": 0} | {f"x{i}": (inc, f"x{i - 1}") for i in range(1, 301)}
    assert client.get(graph, "x300") == 300


def test_the_same_key_can_mean_something_else_later(client):
    for value in range(10):
        assert client.get({"x": (inc, value)}, "x") == value + 1


# --- futures in graphs -------------------------------------------------------------------------------------------


def test_futures_anywhere_in_a_graph(client):
    five = client.submit(inc, 4)
    assert client.get({"a": (inc, five)}, "a") == 6
    assert client.get({"b": (sum, [five, 1])}, "b") == 6
    assert client.get({"c": (lambda d: d["k"][0], {"k": [five]})}, "c") == 5
    assert client.get({"d": Task("d", inc, five)}, "d") == 6
    assert client.get({"e": Task("e", sum, [five, five])}, "e") == 10
    assert client.get({"f": five, "g": (inc, "f")}, ["g", "f"]) == [6, 5]
    assert client.get({"h": Task("h", operator.add, five, [five][0])}, "h") == 10


def test_futures_and_delayed(client):
    five = client.submit(inc, 4)
    assert delayed(inc)(five).compute() == 6
    assert delayed(sum)([five, client.submit(inc, 0)]).compute() == 6
    assert delayed(lambda d: d["x"])({"x": five}).compute() == 5
    assert delayed(five).compute() == 5


def test_collections_of_futures(client):
    frames = client.map(lambda n: pd.DataFrame({"a": range(n)}), [2, 3])
    frame = dd.from_delayed(frames, meta={"a": "int64"})
    assert frame.a.sum().compute() == 4
    arrays = [da.from_delayed(delayed(future), shape=(3,), dtype=float) for future in client.map(np.ones, [3, 3])]
    assert da.concatenate(arrays).sum().compute() == 6


# --- collections -------------------------------------------------------------------------------------------------


def test_the_client_is_dasks_default_scheduler(client):
    assert dask.base.get_scheduler() == client.get
    assert da.ones(10, chunks=5).sum().compute() == 10
    a, b = dask.compute(da.ones(10, chunks=5).sum(), delayed(inc)(1))
    assert (a, b) == (10, 2)


def test_arrays(client):
    x = da.random.default_rng(0).random((200, 200), chunks=50)
    value = x.compute()
    np.testing.assert_allclose((x + x.T).sum().compute(), 2 * value.sum())
    np.testing.assert_allclose(x.mean(axis=0).compute(), value.mean(axis=0))
    assert x[0, 0].compute() == value[0, 0]


def test_data_frames(client):
    frame = pd.DataFrame({"a": np.arange(1_000) % 10, "b": np.arange(1_000.0)})
    lazy = dd.from_pandas(frame, npartitions=5)
    pd.testing.assert_series_equal(lazy.groupby("a").b.mean().compute().sort_index(), frame.groupby("a").b.mean())
    assert len(lazy.shuffle("a").compute()) == 1_000
    merged = lazy.merge(lazy.groupby("a").b.sum().reset_index(), on="a").compute()
    assert len(merged) == 1_000
    assert lazy.set_index("b").a.sum().compute() == frame.a.sum()
    pd.testing.assert_frame_equal(lazy.compute(), frame)


def test_bags(client):
    bag = db.from_sequence(range(100), npartitions=5)
    assert bag.map(inc).sum().compute() == 5_050
    assert dict(bag.groupby(lambda x: x % 2).count().compute() and bag.frequencies().compute())[3] == 1


# --- compute -----------------------------------------------------------------------------------------------------


def test_compute_returns_futures_in_their_places(client):
    x, y = delayed(inc)(1), delayed(inc)(2)
    future = client.compute(x)
    assert isinstance(future, Future)
    assert future.result() == 2
    first, other, second = client.compute([x, "other", y])
    assert (first.result(), other, second.result()) == (2, "other", 3)
    assert client.compute(5) == 5
    assert client.compute([]) == []
    assert client.compute([x, y], sync=True) == [2, 3]
    assert client.compute(x, sync=True) == 2
    assert client.compute({"a": x}).result() == {"a": 2}
    assert [future.result() for future in client.compute([[x], {"k": y}])] == [[2], {"k": 3}]


def test_collections_of_several_kinds_keep_their_places(client):
    array, other = da.ones(4, chunks=2).sum(), da.ones(6, chunks=2).sum()
    assert client.compute([array, delayed(inc)(1), other], sync=True) == [4, 2, 6]
    assert [item.compute() for item in client.persist([array, delayed(inc)(1), other])] == [4, 2, 6]


# --- persist -----------------------------------------------------------------------------------------------------


def test_persist_keeps_data_on_the_cluster(client):
    x = da.arange(100, chunks=10).persist()
    assert len(futures_of(x)) == 10
    wait(x)
    assert set(client.who_has(x)) == set(x.__dask_keys__())
    assert (x + 1).sum().compute() == 5_050
    frame = client.persist(dd.from_pandas(pd.DataFrame({"a": range(10)}), npartitions=3))
    assert len(futures_of(frame)) == 3
    assert frame.a.sum().compute() == 45
    assert client.persist(delayed(inc)(1)).compute() == 2
    assert [item.compute() for item in client.persist([delayed(inc)(1)])] == [2]
    a, b = dask.persist(da.arange(10, chunks=5), delayed(inc)(1))
    assert (a.sum().compute(), b.compute()) == (45, 2)
    with pytest.raises(TypeError):
        client.persist(5)


def test_persisted_collections_are_not_computed_again(client, tmp_path):
    def count(block):
        (tmp_path / f"{block.sum()}-{len(list(tmp_path.iterdir()))}").touch()
        return block

    x = da.arange(4, chunks=1).map_blocks(count, dtype=int, meta=np.array((), dtype=int)).persist()
    wait(x)
    made = len(list(tmp_path.iterdir()))
    assert (x.sum() + x.max()).compute() == 9
    assert len(list(tmp_path.iterdir())) == made


def test_persisted_data_goes_with_the_collection(client):
    x = da.ones(10, chunks=5).persist()
    wait(x)
    assert client.futures
    del x
    client.submit(inc, 1).result()
    assert not any(isinstance(key, tuple) for key in client.futures)


# --- options -----------------------------------------------------------------------------------------------------


def test_annotations_are_honoured(client):
    address = next(iter(client.nthreads()))
    with dask.annotate(workers=[address], retries=3, priority=5, purpose="test"):
        x = da.ones(8, chunks=2)
    assert x.sum().compute(optimize_graph=False) == 8
    y = client.persist(x, optimize_graph=False)
    wait(y)
    assert all(holders == (address,) for holders in client.who_has(y).values())


def test_annotations_that_are_active_hold_for_raw_graphs(client):
    address = list(client.nthreads())[1]
    with dask.annotate(workers=address):
        futures = client.get({"p": (inc, 1), "q": (inc, "p")}, ["p", "q"], sync=False)
    wait(futures)
    assert set(map(tuple, client.who_has(futures).values())) == {(address,)}


def test_workers_of_a_computation(client):
    for address in client.nthreads():
        x = client.persist(da.zeros(4, chunks=2) + 1, workers=[address])
        wait(x)
        assert set(map(tuple, client.who_has(x).values())) == {(address,)}
        del x


def test_options_by_collection(client):
    first, second = list(client.nthreads())
    x, y = delayed(inc)(1), delayed(inc)(2)
    futures = client.compute([x, y], workers={x: first, (y,): [second]})
    wait(futures)
    assert client.who_has(futures[0]) == {futures[0].key: (first,)}
    assert client.who_has(futures[1]) == {futures[1].key: (second,)}


# --- the default client ------------------------------------------------------------------------------------------


def test_settings_of_dask_are_restored(shared_cluster):
    with dask.config.set(scheduler="synchronous"):
        with Client(shared_cluster) as client:
            assert dask.config.get("scheduler") is client
            assert dask.config.get("dataframe.shuffle.method") == "p2p"
            with Client(shared_cluster) as second:
                assert dask.config.get("scheduler") is second
            assert dask.config.get("scheduler") is client
            with Client(shared_cluster, set_as_default=False):
                assert dask.config.get("scheduler") is client
        assert dask.config.get("scheduler") == "synchronous"
    assert dask.config.get("dataframe.shuffle.method", None) is None
    assert dask.config.get("array.rechunk.method", None) is None
    with dask.config.set({"dataframe.shuffle.method": "disk"}), Client(shared_cluster):
        assert dask.config.get("dataframe.shuffle.method") == "disk"
