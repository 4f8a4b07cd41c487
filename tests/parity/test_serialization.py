"""Section 13 of the API: serializable values, and the form in which they arrive."""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.parity.functions import identity


class Color(enum.Enum):
    RED = 1


class Plain:
    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and other.value == self.value

    __hash__ = None  # type: ignore[assignment]


VALUES = [
    None,
    True,
    1,
    2**100,
    -1.5,
    float("inf"),
    1 + 2j,
    "text \N{SNOWMAN}",
    b"bytes",
    [1, [2, [3]]],
    (1, (2,)),
    {1: {"a": [b"x"]}},
    {1, 2},
    frozenset({1}),
    datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
    datetime.timedelta(seconds=1.5),
    decimal.Decimal("1.10"),
    fractions.Fraction(1, 3),
    uuid.UUID(int=5),
    Color.RED,
    Plain([1, 2]),
    range(3),
    slice(1, None, 2),
    Ellipsis,
    int,
]


@pytest.mark.parametrize("value", VALUES, ids=[str(type(value).__name__) + str(i) for i, value in enumerate(VALUES)])
def test_values(client: Any, value: Any) -> None:
    result = client.submit(identity, value, pure=False).result(timeout=60)
    assert result == value
    assert type(result) is type(value)
    assert client.scatter([value], hash=False)[0].result(timeout=60) == value


DTYPES = ["?", "i1", "u8", ">i4", "f2", "f8", "c16", "S5", "U3", "M8[ns]", "m8[s]", "O", [("a", "i4"), ("b", "f8")]]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("make", ["plain", "empty", "strided", "fortran", "scalar"])
def test_arrays(client: Any, dtype: Any, make: str) -> None:
    base = np.zeros((6, 4), dtype=dtype)
    array: Any = {
        "plain": base,
        "empty": base[:0],
        "strided": base[::2, 1::2],
        "fortran": np.asfortranarray(base),
        "scalar": np.zeros((), dtype=dtype),
    }[make]
    result = client.submit(identity, array, pure=False).result(timeout=60)
    assert result.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
    assert result.shape == array.shape
    assert np.array_equal(result, array)


def test_large_arrays(client: Any) -> None:
    array = np.arange(3_000_000)
    assert np.array_equal(client.submit(identity, client.scatter(array), pure=False).result(timeout=60), array)


def test_pandas(client: Any) -> None:
    index = pd.date_range("2024", periods=4, tz="UTC")
    frame = pd.DataFrame(
        {
            "i": [1, 2, 3, 4],
            "f": [1.0, np.nan, 3, 4],
            "s": ["a", None, "c", "d"],
            "c": pd.Categorical(["x", "y", "x", "y"]),
            "n": pd.array([1, None, 3, 4], dtype="Int64"),
        },
        index=index,
    )
    pd.testing.assert_frame_equal(client.submit(identity, frame, pure=False).result(timeout=60), frame)
    pd.testing.assert_series_equal(client.scatter(frame["c"], hash=False).result(timeout=60), frame["c"])


def test_code(client: Any) -> None:
    offset = 5
    assert client.submit(lambda x: x + offset, 1).result(timeout=60) == 6

    class Local:
        factor = 3

        def times(self, x: int) -> int:
            return self.factor * x

    assert client.submit(Local().times, 2, pure=False).result(timeout=60) == 6
    returned = client.submit(lambda: lambda x: x + 1, pure=False).result(timeout=60)
    assert returned(1) == 2


def test_results_that_cannot_travel(client: Any) -> None:
    import threading

    future = client.submit(threading.Lock, pure=False)
    with pytest.raises(TypeError):
        future.result(timeout=60)


def test_arguments_that_cannot_travel(client: Any) -> None:
    import threading

    with pytest.raises(TypeError, match=r"(?i)pickle|serialize"):
        client.submit(identity, threading.Lock(), pure=False).result(timeout=60)
