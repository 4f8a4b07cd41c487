"""Parts of collections, and others made of them, while the whole is persisted, computed, has failed, or is somebody's.

dask optimizes each graph for itself, so that the same keys come with other dependencies.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray

PATIENCE = 60
NUMBERS = np.arange(144.0).reshape(12, 12)


def array() -> Any:
    return da.from_array(NUMBERS, chunks=4)


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-9)


def _slowly(block: Any) -> Any:
    time.sleep(0.02)
    return block


EXPRESSIONS: dict[str, Callable[[Any], Any]] = {
    "minus mean": lambda x: x - x.mean(axis=0),
    "cumsum": lambda x: x.cumsum(axis=0),
    "rechunk": lambda x: (x + 1).rechunk((6, 3)) * 2,
    "rechunk p2p": lambda x: (x + 1).rechunk((6, 3), method="p2p") * 2,
    "reshape": lambda x: (x * 2).reshape(144),
    "map_overlap": lambda x: da.map_overlap(_slowly, x, depth=1, boundary="reflect"),
    "gradient": lambda x: da.gradient(x)[0],
    "diff": lambda x: da.diff(x, axis=0),
    "matmul": lambda x: x @ x.T,
    "svd": lambda x: abs(da.linalg.svd(x.rechunk((4, 12)))[1]),
    "qr": lambda x: abs(da.linalg.qr(x.rechunk((4, 12)))[1]),
    "where": lambda x: da.where(x > x.mean(), x, x.mean()),
    "random": lambda x: (lambda r: r - r.mean())(da.random.RandomState(1).random((12, 12), chunks=4)),
    "blocks": lambda x: x.map_blocks(_slowly).map_blocks(np.sqrt),
    "transposed": lambda x: x + x.T,
    "stacked": lambda x: da.stack([x, x + 1]).sum(axis=0),
    "concatenated": lambda x: da.concatenate([x, x + 1], axis=0),
    "rolled": lambda x: da.roll(x, 3, axis=0) - x,
    "scaled": lambda x: (x - x.min()) / (x.max() - x.min()),
    "standardized": lambda x: (x - x.mean(axis=0)) / x.std(axis=0),
    "einsum": lambda x: da.einsum("ij,jk->ik", x, x),
    "fft": lambda x: da.fft.fft(x.rechunk((4, 12))),
    "tril": lambda x: da.tril(x) + x.max(axis=1)[:, None],
    "taken": lambda x: da.take(x, [3, 1, 5, 7], axis=0) + x[:4],
}


def parts(y: Any) -> list[Any]:
    """Other collections that have tasks in common with one."""
    return [y[0], y.sum(), (y + 1)[1:3], y.mean(axis=0), y[-1] - y[0]]


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_parts_of_an_array_while_the_whole_is_there(name: str, client: Any, other: Any) -> None:
    y = EXPRESSIONS[name](array())
    # P2P runs on a cluster only.
    plain = EXPRESSIONS[name.removesuffix(" p2p")](array())
    expected = dask.compute(*parts(plain), scheduler="sync")
    whole = plain.compute(scheduler="sync")
    for hold in (client.persist, other.compute, lambda it: client.compute(it.sum())):
        held = hold(y)
        for found, value in zip(client.compute(parts(y), sync=True), expected, strict=True):
            close(found, value)
        close(other.compute(y[0], sync=True), expected[0])
        close(y.compute(), whole)
        # What was there before is there still.
        result = client.compute(held, sync=True) if dask.is_dask_collection(held) else held.result(timeout=PATIENCE)
        close(result, whole if np.shape(result) else whole.sum())
        del held, result


def _fails_once(block: Any, flag: str) -> Any:
    if block[0, 0] == 0 and not os.path.exists(flag):
        raise ValueError("the first block")
    return block


def test_parts_of_an_array_that_has_failed(client: Any, tmp_path: Any) -> None:
    flag = str(tmp_path / "mended")
    x = array().map_blocks(_fails_once, flag, dtype=float, meta=np.empty((0, 0)))
    y = x - x[:, :4].mean(axis=1, keepdims=True)
    failed = client.compute(y)
    with pytest.raises(ValueError, match="the first block"):
        failed.result(timeout=PATIENCE)
    # What does not depend on the block that failed can be computed, also where its tasks had been given up.
    expected = NUMBERS - NUMBERS[:, :4].mean(axis=1, keepdims=True)
    close(client.compute(y[8:], sync=True), expected[8:])
    with pytest.raises(ValueError, match="the first block"):
        client.compute(y[:2], sync=True)
    with open(flag, "w"):
        pass
    with pytest.raises(ValueError, match="the first block"):
        # A failure lasts as long as somebody holds it.
        client.compute(y[:3], sync=True)
    del failed


def frame() -> pd.DataFrame:
    return pd.DataFrame({"k": np.arange(60) % 7, "v": np.arange(60) * 1.5, "s": [f"s{i % 5}" for i in range(60)]})


def _sorted(found: Any) -> Any:
    return found.sort_values(list(found.columns)).reset_index(drop=True)


@pytest.mark.parametrize("name", ["shuffled", "merged", "indexed", "cumulated"])
def test_parts_of_a_frame_with_a_shuffle_inside(name: str, client: Any, other: Any) -> None:
    plain, right = frame(), pd.DataFrame({"k": np.arange(7), "w": np.arange(7) * 10})
    made: dict[str, tuple[Callable[[Any, Any], Any], pd.DataFrame]] = {
        "shuffled": (lambda f, g: f.shuffle("k", shuffle_method="p2p"), plain),
        "merged": (lambda f, g: f.merge(g, on="k", shuffle_method="p2p"), plain.merge(right, on="k")),
        "indexed": (lambda f, g: f.set_index("v", drop=False, shuffle_method="p2p"), plain),
        "cumulated": (lambda f, g: f.assign(c=f.v.cumsum()).shuffle("s"), plain.assign(c=plain.v.cumsum())),
    }
    make, expected = made[name]
    d = make(dd.from_pandas(plain, npartitions=5), dd.from_pandas(right, npartitions=3))
    for hold in (client.persist, client.compute, other.persist):
        held = hold(d)
        assert client.compute(d.v.sum(), sync=True) == expected.v.sum()
        means = client.compute(d.groupby("s").v.mean(), sync=True)
        pd.testing.assert_series_equal(means.sort_index(), expected.groupby("s").v.mean(), check_index_type=False)
        assert len(other.compute(d[d.k == 1], sync=True)) == (expected.k == 1).sum()
        found = _sorted(client.compute(d, sync=True).reset_index(drop=True))
        pd.testing.assert_frame_equal(found, _sorted(expected), check_dtype=False)
        del held


def test_parts_of_a_bag(client: Any, other: Any) -> None:
    bag = db.from_sequence(range(40), npartitions=5).map(_slowly).filter(lambda x: x % 2)
    for hold in (client.persist, client.compute, other.compute):
        held = hold(bag)
        assert client.compute(bag.sum(), sync=True) == 400
        assert other.compute(bag.map(lambda x: x + 1).max(), sync=True) == 40
        assert client.compute(bag, sync=True) == list(range(1, 40, 2))
        del held


def test_xarray_anomalies_and_their_head(client: Any) -> None:
    data = xarray.DataArray(array(), dims=("time", "place"), coords={"time": pd.date_range("2000", periods=12)})
    anomalies = data - data.mean("time")
    expected = NUMBERS - NUMBERS.mean(axis=0)
    kept = anomalies.persist()
    close(anomalies.isel(time=slice(0, 2)).compute(), expected[:2])
    rolling = data.rolling(time=3).mean()
    rolled = rolling.persist()
    close(rolling.isel(time=5).compute(), NUMBERS[3:6].mean(axis=0))
    by_month = data.groupby("time.month") - data.groupby("time.month").mean()
    held = by_month.persist()
    close(by_month.isel(time=0).compute(), expected[0])
    close(kept.compute(), expected)
    del rolled, held


def test_known_keys_are_not_computed_again(client: Any) -> None:
    first = client.get({"a-known": (abs, -1), "b-known": (sum, ["a-known", "a-known"])}, "b-known", sync=False)
    graph = {"c-known": (os.getpid,), "b-known": (sum, ["c-known", "c-known"]), "d-known": (abs, "b-known")}
    second = client.get(graph, "d-known", sync=False)
    assert (first.result(timeout=PATIENCE), second.result(timeout=PATIENCE)) == (2, 2)
    states = client.run_on_scheduler(
        lambda dask_scheduler: {key: task.state for key, task in dask_scheduler.tasks.items()}
    )
    assert states["b-known"] == "memory"
    assert states.get("c-known", "forgotten") in ("released", "forgotten")
