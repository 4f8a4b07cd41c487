"""Columns of all kinds, and a test of equality before and after a shuffle."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

LARGE = 2**60 + 1
"""An integer that is none as a floating-point number."""


def numpy_kind(values: Sequence[Any], dtype: Any) -> Callable[[Sequence[int]], pd.Series]:
    """Return a maker of columns of a type, with values from a pool."""
    pool = np.array(values, dtype=dtype)
    return lambda numbers: pd.Series(pool[np.array(numbers, dtype=int) % len(pool)], dtype=pool.dtype)


def extension_kind(values: Any, dtype: Any = None) -> Callable[[Sequence[int]], pd.Series]:
    """Return the same for extension types."""
    pool = pd.Series(values, dtype=dtype)
    return lambda numbers: pool.iloc[[number % len(pool) for number in numbers]].reset_index(drop=True)


def object_kind(*values: Any) -> Callable[[Sequence[int]], pd.Series]:
    """Return the same for objects."""
    pool = np.empty(len(values), dtype=object)
    pool[:] = [None] * len(values)
    for place, value in enumerate(values):
        pool[place] = value
    return lambda numbers: pd.Series(pool[np.array(numbers, dtype=int) % len(pool)], dtype=object)


def category_kind(values: Any, **kwargs: Any) -> Callable[[Sequence[int]], pd.Series]:
    """Return the same for categories."""
    return extension_kind(pd.Categorical(values, **kwargs))


DAYS = ["2020-01-01 00:00:01", "1969-12-31", None, "2021-07-01"]

KINDS: dict[str, Callable[[Sequence[int]], pd.Series]] = {
    "bool": numpy_kind([True, False], bool),
    "int8": numpy_kind([-128, 1, 127], "i1"),
    "int64": numpy_kind([1, 2, 300, -1], "i8"),
    "int64 large": numpy_kind([LARGE, -LARGE, 3], "i8"),
    "uint8": numpy_kind([255, 0, 7], "u1"),
    "uint64": numpy_kind([2**64 - 1, 2**63, 0], "u8"),
    "float16": numpy_kind([0.5, np.nan, 65504], "f2"),
    "float32": numpy_kind([0.5, np.nan, -0.0], "f4"),
    "float64": numpy_kind([0.1, np.nan, np.inf, 3.0], "f8"),
    "complex64": numpy_kind([1j, 2, np.nan], "c8"),
    "complex128": numpy_kind([1j, 2.5, complex(np.nan, 1)], "c16"),
    "datetime64[ns]": numpy_kind([*DAYS], "M8[ns]"),
    "datetime64[us]": numpy_kind([*DAYS], "M8[us]"),
    "datetime64[ms]": numpy_kind([*DAYS], "M8[ms]"),
    "datetime64[s]": numpy_kind([*DAYS, "9999-12-31"], "M8[s]"),
    "datetime, UTC": extension_kind(pd.DatetimeIndex(DAYS, tz="UTC")),
    "datetime, Berlin": extension_kind(pd.DatetimeIndex(DAYS).as_unit("s").tz_localize("Europe/Berlin")),
    "timedelta64[ns]": numpy_kind([1, "NaT", -5], "m8[ns]"),
    "timedelta64[s]": numpy_kind([1, "NaT", -5], "m8[s]"),
    "period[M]": extension_kind(pd.PeriodIndex(["2020-01", None, "1960-05"], freq="M")),
    "period[D]": extension_kind(pd.PeriodIndex(["2020-01-01", None], freq="D")),
    "interval[int64]": extension_kind(pd.arrays.IntervalArray.from_breaks([0, 1, 5])),
    "interval[float64]": extension_kind(pd.arrays.IntervalArray.from_tuples([(0.5, 1.0), None], closed="left")),
    "sparse int": extension_kind(pd.arrays.SparseArray([0, 0, 7])),
    "sparse float": extension_kind(pd.arrays.SparseArray([np.nan, 0.5])),
    "str": extension_kind(["a", None, "b€", ""], pd.StringDtype("pyarrow", na_value=np.nan)),
    "string[pyarrow]": extension_kind(["a", None, "b€", ""], "string[pyarrow]"),
    "string[python]": extension_kind(["a", None, "b€", "\ud800"], "string[python]"),
    "Int64": extension_kind([1, None, LARGE], "Int64"),
    "Int8": extension_kind([1, None, -3], "Int8"),
    "Float64": extension_kind([0.5, None, 3.0], "Float64"),
    "boolean": extension_kind([True, None, False], "boolean"),
    "int32[pyarrow]": extension_kind([1, None, 3], pd.ArrowDtype(pa.int32())),
    "double[pyarrow]": extension_kind([0.5, None, 3.0], pd.ArrowDtype(pa.float64())),
    "decimal[pyarrow]": extension_kind([Decimal("1.10"), None], pd.ArrowDtype(pa.decimal128(10, 2))),
    "list[pyarrow]": extension_kind([[1], None, [2, 3], []], pd.ArrowDtype(pa.list_(pa.int64()))),
    "struct[pyarrow]": extension_kind([{"a": 1}, None], pd.ArrowDtype(pa.struct([("a", pa.int8())]))),
    "dictionary[pyarrow]": extension_kind(["a", None], pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
    "timestamp[pyarrow]": extension_kind([datetime.datetime(2020, 1, 1), None], pd.ArrowDtype(pa.timestamp("ms"))),
    "category, few": category_kind(["a", "b", None], categories=["a", "b"]),
    "category, more": category_kind(["c", "b", None, "a"], categories=["c", "b", "a"]),
    "category, others": category_kind(["y", "z"]),
    "category, none": category_kind([None]),
    "category, unknown": category_kind([None], categories=["__UNKNOWN_CATEGORIES__"]),
    "category, ordered": category_kind(["low", "high", None], categories=["low", "high"], ordered=True),
    "category, ordered, more": category_kind(["mid", "high"], categories=["low", "mid", "high"], ordered=True),
    "category, reversed": category_kind(["low", "high"], categories=["high", "low"], ordered=True),
    "category, int": category_kind([3, 1, None]),
    "category, float": category_kind([0.5, 1.0]),
    "category, large": category_kind([LARGE, None]),
    "category, dates": category_kind(pd.to_datetime(["2020", "2021"], format="%Y")),
    "category, intervals": extension_kind(pd.cut([1, 5, np.nan], [0, 3, 6])),
    "category, periods": category_kind(pd.period_range("2020-01", periods=2, freq="M")),
    "category, tuples": category_kind(pd.Series([(1, 2), (3,)])),
    "category, mixed": category_kind([1, "a", None]),
    "objects, None": object_kind(None),
    "objects, text": object_kind("a", None, "b"),
    "objects, mixed": object_kind(1, "a", None, 0.5, np.nan, pd.NA, pd.NaT, True),
    "objects, containers": object_kind({"a": [1]}, [1, 2], (1,), {3}, None),
    "objects, bytes": object_kind(b"a", b"", None),
    "objects, Decimal": object_kind(Decimal("1.10"), Decimal(2)),
    "objects, dates": object_kind(datetime.date(2020, 1, 1), datetime.date(1, 1, 1)),
    "objects, large": object_kind(10**30, LARGE),
}


def _can_be_level(kind: str) -> bool:
    """Tell whether a MultiIndex can have a level of a kind."""
    try:
        pd.MultiIndex.from_arrays([KINDS[kind](range(4))]).get_level_values(0)
    except Exception:
        return False
    return True


def _can_be_index(kind: str) -> bool:
    series = KINDS[kind](range(4))
    try:
        pd.Index(series, dtype=series.dtype, tupleize_cols=False)
    except Exception:
        return False
    return True


INDEXES = [kind for kind in sorted(KINDS) if _can_be_index(kind)]
LEVELS = [kind for kind in sorted(KINDS) if _can_be_level(kind)]


def is_missing(value: Any) -> bool:
    """Tell whether a value stands for none."""
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def same_value(found: Any, expected: Any) -> bool:
    """Tell whether a value is another one, of whatever type of number it is now."""
    if is_missing(expected) or is_missing(found):
        return is_missing(expected) and is_missing(found)
    if isinstance(expected, float | np.floating) and isinstance(found, float | np.floating):
        return bool(found == expected) and bool(np.signbit(found) == np.signbit(expected))
    if isinstance(expected, np.integer | int) and isinstance(found, float | complex | np.inexact):
        # Compared as floating-point numbers they would be the same even if they are not.
        return (
            complex(found).imag == 0 and complex(found).real.is_integer() and int(complex(found).real) == int(expected)
        )
    numbers = (bool, int, float, complex, np.number, np.bool_)
    if isinstance(found, numbers) != isinstance(expected, numbers):
        return False
    return bool(found == expected)


def identical_value(found: Any, expected: Any) -> bool:
    """Tell whether a value is another one, down to its type."""
    if type(found) is not type(expected):
        return False
    if isinstance(expected, complex | np.complexfloating):
        return np.array(found).tobytes() == np.array(expected).tobytes()
    return found is expected or same_value(found, expected)
