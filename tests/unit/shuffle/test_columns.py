"""Columns come back from Arrow with the type and the values that they had."""

from __future__ import annotations

import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dagrpc.shuffle.columns import check_meta, decode_columns, encode_column

pa = pytest.importorskip("pyarrow")

COLUMNS: dict[str, Any] = {
    "int8": np.array([1, -2, 3], dtype="int8"),
    "uint64": np.array([0, 2**64 - 1, 1], dtype="uint64"),
    "float32 with nan": np.array([1.5, np.nan, -0.0], dtype="float32"),
    "float16": np.array([1.5, 2, 3], dtype="float16"),
    "bool": np.array([True, False, True]),
    "datetime": pd.to_datetime(["2020-01-01", None, "1969-12-31 23:59:59.123456"], format="mixed"),
    "datetime in seconds": np.array(["2020-01-01", "NaT", "1960-01-01"], dtype="datetime64[s]"),
    "datetime with zone": pd.date_range("2020-03-28", periods=3, tz="Europe/Berlin"),
    "timedelta": pd.to_timedelta([1, None, 3]),
    "period": pd.period_range("2020-01", periods=3, freq="M"),
    "interval": pd.interval_range(0, 3),
    "str": pd.array(["a", None, "ü" * 20], dtype="str"),
    "string": pd.array(["a", None, ""], dtype="string"),
    "string[python]": pd.array(["a", None, ""], dtype="string[python]"),
    "Int64": pd.array([1, None, 3], dtype="Int64"),
    "Float32": pd.array([1, None, 3], dtype="Float32"),
    "boolean": pd.array([True, None, False], dtype="boolean"),
    "int64[pyarrow]": pd.array([1, None, 3], dtype=pd.ArrowDtype(pa.int64())),
    "decimal[pyarrow]": pd.array([Decimal("1.10"), None, Decimal(3)], dtype=pd.ArrowDtype(pa.decimal128(10, 2))),
    "list[pyarrow]": pd.array([[1], None, [2, 3]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
    "category": pd.Categorical(["b", None, "a"], categories=["b", "a", "unused"]),
    "category, ordered": pd.Categorical([3, 1, None], categories=[3, 2, 1], ordered=True),
    "category of dates": pd.Categorical(pd.to_datetime(["2020", "2021", "2020"], format="%Y")),
    "objects, strings": np.array(["a", None, "b"], dtype=object),
    "objects, mixed": np.array([1, "a", None], dtype=object),
    "objects, nan and none": np.array(["a", np.nan, None], dtype=object),
    "objects, any": np.array([{"a": 1}, [1, 2], datetime.date(2020, 1, 1)], dtype=object),
    "objects, bytes": np.array([b"a", b"", None], dtype=object),
}


def there_and_back(values: Any, dtype: Any = None, cuts: tuple[int, ...] = (1,)) -> Any:
    series = pd.Series(values)
    array, kind = encode_column(series, "x")
    table = pa.table([array], schema=pa.schema([pa.field("0", array.type, metadata=kind)]))
    bounds = [0, *cuts, len(series)]
    parts = [table.slice(start, stop - start) for start, stop in pairwise(bounds)]
    return decode_columns([(part.field(0), part.column(0)) for part in parts], dtype or series.dtype)


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("cuts", [(), (1,), (0, 3)])
def test_a_column_comes_back(name: str, cuts: tuple[int, ...]) -> None:
    series = pd.Series(COLUMNS[name])
    found = pd.Series(there_and_back(COLUMNS[name], cuts=cuts))
    pd.testing.assert_series_equal(found, series)
    if series.dtype == object:
        assert [type(value) for value in found] == [type(value) for value in series]


def test_numbers_can_be_written_to() -> None:
    found = there_and_back(np.arange(4.0), cuts=())
    found[0] = 7.0
    assert found.tolist() == [7.0, 1.0, 2.0, 3.0]


def test_categories_that_differ_are_united() -> None:
    parts = []
    for values in (["a", "b"], ["c", "a"]):
        array, _ = encode_column(pd.Series(pd.Categorical(values)), "x")
        parts.append((pa.field("0", array.type), pa.chunked_array([array])))
    found = decode_columns(parts, pd.Categorical(["unknown"]).dtype)
    assert list(found) == ["a", "b", "c", "a"]
    known = pd.CategoricalDtype(["c", "b", "a"])
    assert decode_columns(parts, known).dtype == known


def test_types_that_differ_meet_in_what_was_promised() -> None:
    parts = []
    for values in (np.array([1, 2]), np.array([3.0, 4.0])):
        array, _ = encode_column(pd.Series(values), "x")
        parts.append((pa.field("0", array.type), pa.chunked_array([array])))
    assert decode_columns(parts, np.dtype("int64")).dtype == np.dtype("int64")
    assert there_and_back(np.array([1.5, np.nan]), np.dtype("int64")).dtype == np.dtype("float64")


@pytest.mark.parametrize(
    ("frame", "kind", "text"),
    [
        (pd.DataFrame({"z": [1j]}), TypeError, "complex128.*'z'"),
        (pd.DataFrame({"z": pd.arrays.SparseArray([1])}), TypeError, "sparse.*'z'"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "'a'"),
        (pd.DataFrame({"z": [1]}, index=pd.MultiIndex.from_tuples([(1, 2)])), TypeError, "MultiIndex"),
    ],
)
def test_what_cannot_be_shuffled_is_said(frame: pd.DataFrame, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        check_meta(frame)


def test_objects_that_cannot_be_pickled_are_named() -> None:
    with pytest.raises(TypeError, match=r"'x'.*pickle"):
        encode_column(pd.Series([lambda: None], dtype=object), "x")
