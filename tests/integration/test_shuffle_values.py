"""Values of all classes pass unchanged through shuffles on workers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from dagrpc import Client, LocalCluster
from tests.support.money import MoneyArray, MoneyFrame


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        dask.config.set({"dataframe.convert-string": False}),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True) as cluster,
        Client(cluster) as client,
    ):
        yield client


def frame_of(*parts: pd.DataFrame, meta: pd.DataFrame | None = None) -> Any:
    delayed = [dask.delayed(part) for part in parts]
    return dd.from_delayed(delayed, meta=parts[0].iloc[:0] if meta is None else meta.iloc[:0], verify_meta=False)


def test_objects_of_classes_that_cannot_be_imported(client: Client) -> None:
    """The class is local, like the classes that a notebook defines."""

    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

    frame = pd.DataFrame({"k": range(6), "p": pd.Series([Point(i) for i in range(6)], dtype=object)})
    found = dd.from_pandas(frame, npartitions=3).shuffle("k").compute().sort_values("k")
    assert [point.x for point in found.p] == list(range(6))
    assert {type(point) for point in found.p} == {Point}
    array = np.array([Point(i) for i in range(6)], dtype=object)
    cut = da.from_array(array, chunks=2).rechunk(((3, 3),), method="p2p").compute()
    assert [point.x for point in cut] == list(range(6))


def test_a_class_of_dataframes_with_attributes(client: Client) -> None:
    class Table(pd.DataFrame):  # type: ignore[misc]
        _metadata = ["unit"]  # noqa: RUF012

        @property
        def _constructor(self) -> Any:
            return Table

    parts = [Table({"k": [1, 2, 3], "x": [1.0, 2.0, 3.0]}) for _ in range(2)]
    for part in parts:
        part.unit, part.attrs["source"] = "m", "here"
    shuffled = frame_of(*parts).shuffle("k", npartitions=1)
    found = shuffled.map_partitions(lambda part: part.assign(t=type(part).__name__, u=getattr(part, "unit", "")))
    found = found.compute()
    assert set(found.t) == {"Table"}
    assert set(found.u) == {"m"}
    assert shuffled.compute().attrs == {"source": "here"}


def test_columns_of_other_libraries(client: Client) -> None:
    """Pickled, or as the library of the dataframe's class has registered with dask."""
    plain = pd.DataFrame({"k": [3, 1, 2, 3], "m": MoneyArray([5, -1, 7, 9]), "o": [{"a": 1}, None, "x", 2]})
    special = MoneyFrame(plain)
    special.currency = "EUR"
    for frame in (plain, special):
        shuffled = frame_of(frame, frame.iloc[:2]).shuffle("k", npartitions=3)
        found = shuffled.compute()
        assert found.m.dtype == "money"
        wanted = pd.concat([plain, plain.iloc[:2]])
        assert sorted(zip(found.k, found.m, map(str, found.o), strict=True)) == sorted(
            zip(wanted.k, wanted.m, map(str, wanted.o), strict=True)
        )
        parts = shuffled.map_partitions(
            lambda part: pd.DataFrame({"t": [type(part).__name__], "c": [getattr(part, "currency", "")]}),
            meta={"t": object, "c": object},
        ).compute()
        wanted_class = ("MoneyFrame", "EUR") if frame is special else ("DataFrame", "")
        assert set(zip(parts.t, parts.c, strict=True)) == {wanted_class}
    used = client.run(lambda: __import__("tests.support.money", fromlist=["x"]).MoneyFrame.conversions)
    assert sum(used.values()) >= 2


def test_outputs_without_rows_are_like_the_data(client: Client) -> None:
    """Empty outputs have the types of the data even if the meta is wrong; a merge with a wrong meta would fail."""
    part = pd.DataFrame({"k": [1, 1, 1], "x": [0.5, 1.5, 2.5]})
    wrong = pd.DataFrame({"k": ["a"], "x": ["b"]})
    shuffled = frame_of(part, part, meta=wrong).shuffle("k", npartitions=5)
    types = shuffled.map_partitions(lambda p: pd.DataFrame({"t": [str(p.dtypes.to_dict())]}), meta={"t": object})
    assert set(types.compute().t) == {str(part.dtypes.to_dict())}


def test_outputs_can_be_changed(client: Client) -> None:
    frame = pd.DataFrame(
        {
            "k": range(6),
            "t": pd.date_range("2020", periods=6, tz="UTC"),
            "c": pd.Categorical(list("ababab")),
            "i": pd.array(range(6), dtype="Int64"),
            "p": pd.period_range("2020", periods=6, freq="D"),
        }
    )

    def change(part: pd.DataFrame) -> pd.DataFrame:
        for place in range(len(part.columns)):
            part.iloc[0, place] = part.iloc[-1, place]
        return part

    found = dd.from_pandas(frame, npartitions=2).shuffle("k", npartitions=1).map_partitions(change).compute()
    assert found.iloc[0].tolist() == found.iloc[-1].tolist()
    array = da.from_array(np.arange(8), chunks=2).rechunk(((3, 5),), method="p2p").map_blocks(doubled).compute()
    assert array.tolist() == list(range(0, 16, 2))


def doubled(block: Any) -> Any:
    block *= 2
    return block


def test_chunks_are_as_long_as_they_are_where_nothing_is_cut(client: Client) -> None:
    values = np.arange(24).reshape(4, 6)
    longer = da.from_array(values, chunks=(2, 2)).map_blocks(lambda block: np.vstack([block, block]), dtype=int)
    found = longer.rechunk({1: 3}, method="p2p").compute()
    np.testing.assert_array_equal(found, np.vstack([values[:2]] * 2 + [values[2:]] * 2))


@pytest.mark.parametrize("new", [((3, 3, 2),), ((1, 1, 1, 1, 2, 2),)])
def test_chunks_that_are_not_as_announced_are_said(client: Client, new: Any) -> None:
    x = da.arange(8, chunks=2).map_blocks(lambda block: np.append(block, 0), dtype=int, chunks=((2, 2, 2, 2),))
    with pytest.raises((RuntimeError, ValueError), match=r"has the shape \(3,\), and \(2,\) was announced"):
        x.rechunk(new, method="p2p").compute()


def test_chunks_of_different_types_meet_in_one_that_holds_both(client: Client) -> None:
    x = da.arange(8, chunks=2)
    for change, expected in (
        (lambda block: block + 0.5 if block[0] > 3 else block, [0, 1, 2, 3, 4.5, 5.5, 6.5, 7.5]),
        (lambda block: np.array(["long"] * 2) if block[0] > 3 else block.astype("U1"), [*"0123", *["long"] * 4]),
    ):
        (found,) = dask.compute(x.map_blocks(change, dtype=int).rechunk(((3, 5),), method="p2p").blocks[1])
        assert found.tolist() == expected[3:]
    mixed = x.map_blocks(lambda block: block.astype(str) if block[0] > 3 else block, dtype=int)
    with pytest.raises(RuntimeError, match=r"int64.*do not fit together"):
        mixed.rechunk(((3, 5),), method="p2p").compute()
