"""P2P shuffles keep values, even if the meta is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest


def frame_of(parts: Sequence[pd.DataFrame], meta: pd.DataFrame) -> Any:
    """Return a dataframe of parts that need not be like the meta."""
    return dd.from_delayed([dask.delayed(part) for part in parts], meta=meta.iloc[:0], verify_meta=False)


def numbers(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"k": [1, 2, 3], **columns})


def test_categories_that_are_not_known_yet(client: Any) -> None:
    frame = dd.from_pandas(pd.DataFrame({"q": [1, 2, 1, 0, 2]}), npartitions=3)
    assert frame.q.astype("category").cat.as_known().compute().tolist() == [1, 2, 1, 0, 2]


@pytest.mark.parametrize(
    ("announced", "values"),
    [
        (np.array([1, 2, 3], dtype="int8"), [300, 301, 302]),
        (np.array([1, 2, 3], dtype="uint8"), [-1, -2, 300]),
        (pd.to_datetime(["2020"] * 3), [1, 2, 3]),
        ([1, 2, 3], pd.to_datetime(["2020", "2021", "2022"])),
        ([True, False, True], ["yes", "no", "maybe"]),
        ([1, 2, 3], [0.5, 1.5, 2.5]),
    ],
)
@pytest.mark.parametrize("method", ["p2p", "tasks"])
def test_a_meta_changes_no_value(client: Any, announced: Any, values: Any, method: str) -> None:
    parts = [numbers(x=values), numbers(x=values)]
    found = frame_of(parts, numbers(x=announced)).shuffle("k", shuffle_method=method).compute()
    assert sorted(found.x.tolist()) == sorted([*parts[0].x, *parts[1].x])


def test_integers_here_and_fractions_there(client: Any) -> None:
    parts = [numbers(x=[1, 2, 3]), numbers(x=[0.5, 1.5, 2.5])]
    for meta in parts:
        found = frame_of(parts, meta).shuffle("k", shuffle_method="p2p").compute()
        assert sorted(found.x) == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]


def test_integers_that_are_no_fractions_fail(client: Any) -> None:
    """Each output has some of both."""
    parts = [numbers(x=[2**60 + 1] * 3), numbers(x=[0.5] * 3)]
    with pytest.raises(RuntimeError, match=r"P2P .* failed during unpack phase"):
        frame_of(parts, parts[0]).shuffle("k", npartitions=1, shuffle_method="p2p").compute()


def test_columns_that_are_not_there(client: Any) -> None:
    parts = [numbers(x=[1, 2, 3])] * 2
    for meta in (numbers(x=[1, 2, 3], y=[1, 2, 3]), numbers()):
        with pytest.raises(RuntimeError, match=r"P2P .* failed during transfer phase") as info:
            frame_of(parts, meta).shuffle("k", shuffle_method="p2p").compute()
        assert isinstance(info.value.__cause__, ValueError)
        assert all(f"'{name}'" in str(info.value.__cause__) for name in {*meta.columns, "x"})


def test_columns_in_another_order(client: Any) -> None:
    parts = [numbers(x=[7, 8, 9])[["x", "k"]]] * 2
    found = frame_of(parts, numbers(x=[1, 2, 3])).shuffle("k", shuffle_method="p2p").compute()
    assert sorted(zip(found.k, found.x, strict=True)) == [(1, 7), (1, 7), (2, 8), (2, 8), (3, 9), (3, 9)]


def test_levels_of_an_index(client: Any) -> None:
    parts = [numbers(x=["a", "b", "c"]).set_index(["k", "x"], drop=False).rename_axis(["i", "j"])] * 2
    found = frame_of(parts, parts[0]).shuffle("k", shuffle_method="p2p").compute()
    assert sorted(found.index) == sorted([*parts[0].index] * 2)
    assert list(found.index.names) == ["i", "j"]


@pytest.mark.parametrize("method", ["p2p", "tasks"])
@pytest.mark.parametrize(
    ("old", "new"), [((4, 4), (4, 0, 4)), ((4, 4), (0, 8)), ((3, 5), (5, 3, 0)), ((0, 4, 0, 4, 0), (3, 0, 5))]
)
def test_chunks_without_values(client: Any, old: tuple[int, ...], new: tuple[int, ...], method: str) -> None:
    rechunked = da.from_array(np.arange(8), chunks=(old,)).rechunk((new,), method=method)
    assert rechunked.compute().tolist() == list(range(8))
    blocks = dask.compute(*(rechunked.blocks[i] for i in range(len(new))))
    assert [len(block) for block in blocks] == list(new)
    assert all(block.dtype == np.arange(8).dtype for block in blocks)


@pytest.mark.parametrize("chosen", [{"method": "p2p"}, {}])
def test_chunks_of_unknown_size(client: Any, chosen: dict[str, str]) -> None:
    values = np.arange(80).reshape(8, 10)
    x = da.from_array(values, chunks=(3, 5))
    with dask.config.set({"array.rechunk.method": "p2p"}):
        found = x[x[:, 0] > 10].rechunk({1: 2}, **chosen).compute()
    np.testing.assert_array_equal(found, values[values[:, 0] > 10])
