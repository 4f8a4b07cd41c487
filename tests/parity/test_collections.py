"""The client as the scheduler of dask collections."""

from __future__ import annotations

from typing import Any

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd

from tests.parity.functions import add, inc


def test_default_scheduler(client: Any) -> None:
    assert dask.delayed(add)(1, dask.delayed(inc)(1)).compute() == 3
    assert dask.compute(dask.delayed(inc)(1), dask.delayed(inc)(2)) == (2, 3)


def test_compute(client: Any, lib: Any) -> None:
    one = client.compute(dask.delayed(inc)(1))
    assert isinstance(one, lib.Future)
    assert one.result(timeout=60) == 2
    many = client.compute([dask.delayed(inc)(1), dask.delayed(inc)(2)])
    assert client.gather(many) == [2, 3]
    assert client.compute(dask.delayed(inc)(1), sync=True) == 2


def test_persist(client: Any, lib: Any) -> None:
    array = client.persist(da.ones((100, 100), chunks=50))
    assert len(lib.futures_of(array)) == 4
    assert float(array.sum().compute()) == 10_000.0


def test_arrays(client: Any) -> None:
    numbers = np.random.default_rng(0).random((200, 200))
    array = da.from_array(numbers, chunks=(60, 70))
    np.testing.assert_allclose((array + array.T).mean(axis=0).compute(), (numbers + numbers.T).mean(axis=0))
    np.testing.assert_allclose(array.rechunk((200, 20)).cumsum(axis=0).compute(), numbers.cumsum(axis=0))


def test_bags(client: Any) -> None:
    bag = db.from_sequence(range(100), npartitions=5)
    assert bag.map(inc).filter(lambda x: x % 2 == 0).sum().compute() == sum(x for x in range(1, 101) if x % 2 == 0)
    assert dict(bag.foldby(lambda x: x % 3, lambda total, x: total + x, 0, add, 0).compute()) == {
        0: 1683,
        1: 1617,
        2: 1650,
    }


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {"key": np.arange(1000) % 7, "value": np.arange(1000.0), "name": [f"n{i % 11}" for i in range(1000)]}
    )


def test_dataframes(client: Any) -> None:
    plain = frame()
    lazy = dd.from_pandas(plain, npartitions=6)
    pd.testing.assert_series_equal(lazy.groupby("key").value.sum().compute(), plain.groupby("key").value.sum())
    merged = lazy.merge(dd.from_pandas(plain.groupby("key", as_index=False).value.mean(), npartitions=2), on="key")
    assert len(merged.compute()) == 1000
    by_value = lazy.set_index("value").compute()
    assert list(by_value.index) == sorted(plain.value)
    shuffled = lazy.shuffle("name").compute()
    pd.testing.assert_frame_equal(
        shuffled.sort_values("value").reset_index(drop=True).astype({"name": "str"}), plain.astype({"name": "str"})
    )


def test_annotations(client: Any) -> None:
    worker = sorted(client.nthreads())[0]
    with dask.annotate(workers=worker, priority=3, retries=1):
        lazy = dask.delayed(inc)(1, dask_key_name="parity-annotated")
    future = client.compute(lazy, optimize_graph=False)
    future.result(timeout=60)
    assert list(client.who_has(future)[future.key]) == [worker]


def test_collections_of_futures(client: Any) -> None:
    parts = client.map(np.ones, [3, 4])
    arrays = [
        da.from_delayed(dask.delayed(part), shape=(size,), dtype=float)
        for part, size in zip(parts, (3, 4), strict=True)
    ]
    assert float(da.concatenate(arrays).sum().compute()) == 7.0


def test_shuffles_from_peer_to_peer(client: Any) -> None:
    plain = frame()
    lazy = dd.from_pandas(plain, npartitions=6)
    with dask.config.set({"dataframe.shuffle.method": "p2p"}):
        shuffled = lazy.shuffle("key").compute()
        assert sorted(shuffled.value) == sorted(plain.value)
        means = plain.groupby("key", as_index=False).value.mean().rename(columns={"value": "mean"})
        merged = lazy.merge(dd.from_pandas(means, npartitions=3), on="key").compute()
        assert len(merged) == len(plain)
        assert list(lazy.set_index("value").compute().index) == sorted(plain.value)
    array = da.ones((100, 100), chunks=(10, 100))
    rechunked = array.rechunk((100, 10), method="p2p")
    assert float(rechunked.sum().compute()) == 10_000.0
