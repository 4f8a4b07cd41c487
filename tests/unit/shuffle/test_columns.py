"""Columns come back from Arrow with the type and the values that they had."""

from __future__ import annotations

import datetime
import threading
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dagrpc.shuffle.columns import Order, decode_column, encode_column
from dagrpc.shuffle.joining import join_arrays

COLUMNS: dict[str, Any] = {
    "int8": np.array([1, -2, 3], dtype="int8"),
    "uint64": np.array([0, 2**64 - 1, 1], dtype="uint64"),
    "float32 with nan": np.array([1.5, np.nan, -0.0], dtype="float32"),
    "complex64": np.array([1j, np.nan, 3], dtype="complex64"),
    "complex128": np.array([1j, 2, 3]),
    "longdouble": np.array([1, 2, np.inf], dtype="longdouble"),
    "big-endian": np.array([1, 2, 3], dtype=">i4"),
    "float16": np.array([1.5, 2, 3], dtype="float16"),
    "bool": np.array([True, False, True]),
    "datetime": pd.to_datetime(["2020-01-01", None, "1969-12-31 23:59:59.123456"], format="mixed"),
    "datetime in seconds": np.array(["2020-01-01", "NaT", "1960-01-01"], dtype="datetime64[s]"),
    "datetime with zone": pd.date_range("2020-03-28", periods=3, tz="Europe/Berlin"),
    "datetime in microseconds with fixed zone": pd.DatetimeIndex(["2020", None, "1960"])
    .as_unit("us")
    .tz_localize("+02:30"),
    "timedelta in seconds": np.array([1, "NaT", 3], dtype="m8[s]"),
    "timedelta": pd.to_timedelta([1, None, 3]),
    "period": pd.period_range("2020-01", periods=3, freq="M"),
    "interval": pd.interval_range(0, 3),
    "interval of dates": pd.interval_range(pd.Timestamp("2020", tz="UTC"), periods=3),
    "sparse": pd.arrays.SparseArray([0, 0, 1]),
    "sparse with nan": pd.arrays.SparseArray([np.nan, 2.0, np.nan]),
    "string[python], nan": pd.array(["a", None, ""], dtype=pd.StringDtype("python", na_value=np.nan)),
    "string[python], surrogates": pd.array(["\ud800", None, ""], dtype="string[python]"),
    "Float64 with nan": pd.array([0.0, None, 3], dtype="Float64") / pd.array([0.0, 1, 1], dtype="Float64"),
    "struct[pyarrow]": pd.array([{"a": 1}, None, {"a": 2}], dtype=pd.ArrowDtype(pa.struct([("a", pa.int8())]))),
    "dictionary[pyarrow]": pd.array(["a", None, "b"], dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
    "map[pyarrow]": pd.array([[("a", 1)], None, []], dtype=pd.ArrowDtype(pa.map_(pa.string(), pa.int8()))),
    "timestamp[pyarrow]": pd.array([datetime.datetime(2020, 1, 1)] * 3, dtype=pd.ArrowDtype(pa.timestamp("s", "UTC"))),
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
    "category of intervals": pd.cut([1, 5, 9], [0, 3, 6, 10]),
    "category of periods": pd.Categorical(pd.period_range("2020-01", periods=3, freq="M")),
    "category of tuples": pd.Categorical(pd.Series([(1, 2), (3, 4), (1, 2)])),
    "category, mixed": pd.Categorical([1, "a", None]),
    "category without any": pd.Categorical([None, None, None]),
    "objects, surrogates": np.array(["a", "\ud800", None], dtype=object),
    "objects, lists of one length": pd.Series([[1, 2], [3, 4], [5, 6]]),
    "objects, arrays": pd.Series([np.arange(2)] * 3),
    "objects, NumPy's strings": np.array([np.str_("a"), "b", None], dtype=object),
    "objects, NA": np.array(["a", pd.NA, pd.NaT], dtype=object),
    "objects, decimals": np.array([Decimal("1.10"), Decimal(2), None], dtype=object),
    "objects, strings": np.array(["a", None, "b"], dtype=object),
    "objects, mixed": np.array([1, "a", None], dtype=object),
    "objects, nan and none": np.array(["a", np.nan, None], dtype=object),
    "objects, any": np.array([{"a": 1}, [1, 2], datetime.date(2020, 1, 1)], dtype=object),
    "objects, bytes": np.array([b"a", b"", None], dtype=object),
}


def series_of(values: Any) -> pd.Series:
    """Return a column with the type that the values have: pandas makes strings of objects."""
    return pd.Series(values, dtype=values.dtype)


def encoded(values: Any, cuts: tuple[int, ...] = ()) -> tuple[pd.Series, list[tuple[bytes, Any]]]:
    """Return a column, and the pieces in which it travels."""
    series = series_of(values)
    stops = [stop for stop in (*cuts, len(series)) if stop]
    starts = [0, *stops[:-1]]
    array, kind = encode_column(series, Order(np.arange(len(series)), starts), "x")
    column = pa.chunked_array([array])
    return series, [(kind, column.slice(start, stop - start)) for start, stop in zip(starts, stops, strict=True)]


def there_and_back(values: Any, cuts: tuple[int, ...] = (1,)) -> Any:
    series, pieces = encoded(values, cuts)
    return join_arrays(decode_column(pieces, series.dtype), None)


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("cuts", [(), (1,), (1, 2)])
def test_a_column_comes_back(name: str, cuts: tuple[int, ...]) -> None:
    series = series_of(COLUMNS[name])
    found = series_of(there_and_back(COLUMNS[name], cuts=cuts))
    pd.testing.assert_series_equal(found, series)
    if series.dtype == object:
        assert [type(value) for value in found] == [type(value) for value in series]


def test_numbers_can_be_written_to() -> None:
    found = there_and_back(np.arange(4.0), cuts=())
    found[0] = 7.0
    assert found.tolist() == [7.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_can_be_written_to(name: str) -> None:
    values = there_and_back(COLUMNS[name])
    if isinstance(series_of(values).dtype, pd.SparseDtype):
        return
    values[0] = values[1]
    pd.testing.assert_series_equal(series_of(values[:1]), series_of(values[1:2]))


def test_a_column_travels_in_another_order() -> None:
    for values in COLUMNS.values():
        series = series_of(values)
        array, kind = encode_column(series, Order(np.array([2, 0]), [0, 1]), "x")
        pieces = [(kind, pa.chunked_array([array]).slice(at, 1)) for at in (0, 1)]
        found = pd.Series(join_arrays(decode_column(pieces, series.dtype), None), dtype=series.dtype)
        pd.testing.assert_series_equal(found, series.iloc[::-2].reset_index(drop=True))


def test_objects_that_cannot_be_pickled_are_named() -> None:
    with pytest.raises(TypeError, match=r"'x'.*pickle"):
        encoded(pd.Series([threading.Lock()], dtype=object))
