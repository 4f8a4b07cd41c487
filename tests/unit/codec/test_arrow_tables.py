"""Tables and arrays as Arrow IPC streams: any reader of Arrow finds the values, and other values are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dagrpc._codec import payload
from dagrpc._codec.arrow_tables import as_arrow, from_arrow

FRAME = pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "ü"], "c": pd.Categorical(["u", "v", "u"])}, index=[5, 6, 7])


def read(value: object) -> Any:
    """Return what Arrow itself reads."""
    return pa.ipc.open_stream(pa.BufferReader(bytes(as_arrow(value)))).read_all()


def test_tables_and_batches_come_as_they_are() -> None:
    table = pa.table({"a": [1, 2], "b": [[1], None]})
    assert read(table).equals(table)
    assert read(table.to_batches()[0]).equals(table)
    empty = table.slice(0, 0)
    assert read(empty).equals(empty)


def test_frames_and_series_come_with_their_index() -> None:
    pd.testing.assert_frame_equal(read(FRAME).to_pandas(), FRAME)
    pd.testing.assert_series_equal(read(FRAME["a"]).to_pandas()["a"], FRAME["a"])
    assert read(pd.Series([1.5, 2.5])).column_names == ["values"]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(5),
        np.array([1.5, np.nan, np.inf]),
        np.array(["2020-01-01", "NaT"], "datetime64[ns]"),
        np.array([True, False]),
        np.array(["a", "bc"]),
        np.arange(0),
    ],
    ids=lambda array: str(array.dtype),
)
def test_an_array_is_one_column(array: Any) -> None:
    column = read(array)["values"]
    np.testing.assert_array_equal(column.to_numpy().astype(array.dtype), array)


def test_rows_of_an_array_with_more_dimensions_are_tensors() -> None:
    array = np.arange(24.0).reshape(2, 3, 4)
    for value in (array, np.asfortranarray(array), array[:, ::2]):
        column = read(value)["values"].combine_chunks()
        assert column.type.extension_name == "arrow.fixed_shape_tensor"
        np.testing.assert_array_equal(column.to_numpy_ndarray(), value)


@pytest.mark.parametrize(
    "value",
    [
        1,
        "text",
        b"bytes",
        [1, 2],
        {"a": [1]},
        np.float64(1.5),
        np.array(3),
        np.zeros((0, 3)),
        np.array([1j]),
        np.array([object()]),
        pd.DataFrame({"a": [object()]}),
        pd.Index([1]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="arrow"):
        as_arrow(value)
    with pytest.raises(TypeError, match="no accepted encoding takes it"):
        payload.encode(value, ["arrow"])


def test_the_first_accepted_encoding_that_takes_a_value_is_chosen() -> None:
    accepted = ["arrow", "raw", "json"]
    assert [payload.encode(value, accepted)[0] for value in (FRAME, b"x", [1])] == ["arrow", "raw", "json"]


def test_payloads_in_arrow_are_read_as_tables() -> None:
    message = payload.to_payload(FRAME, ["arrow"])
    assert message.encoding == "arrow"
    pd.testing.assert_frame_equal(payload.from_payload(message).to_pandas(), FRAME)


@pytest.mark.parametrize("data", [b"", b"no stream", b"\xff" * 64, bytes(as_arrow(np.arange(9)))[:40]])
def test_bytes_that_are_no_stream_are_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="Arrow IPC stream"):
        from_arrow(data)
