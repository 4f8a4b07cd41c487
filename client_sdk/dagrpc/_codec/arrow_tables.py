"""Tables and arrays as Arrow IPC streams, which any language reads. Needs ``pyarrow``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagrpc._common.bytes_like import Buffer

if TYPE_CHECKING:
    import pyarrow

VALUES = "values"
"""The column of an array, and of a series without a name."""


def as_arrow(value: object) -> Buffer:
    """Return a table, a record batch, a data frame, a series or an array as one Arrow IPC stream.

    Raises
    ------
    TypeError
        If the value is none of these, if Arrow has no type for its items, or if pyarrow is not installed.
    """
    kind = type(value).__module__.partition(".")[0]
    if kind not in ("pyarrow", "pandas", "numpy"):
        raise TypeError(f"only tables and arrays are sent as arrow, not a {type(value).__name__}")
    try:
        import pyarrow
    except ImportError:
        raise TypeError("arrow needs pyarrow, which is not installed here") from None

    try:
        table = _table(pyarrow, value)
    except (pyarrow.ArrowException, ValueError) as error:
        raise TypeError(f"arrow has no form for this {type(value).__name__}: {error}") from None
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    stream: Buffer = memoryview(sink.getvalue())
    return stream


def from_arrow(stream: Buffer) -> pyarrow.Table:
    """Return the table of an Arrow IPC stream; ValueError if the bytes are none."""
    try:
        import pyarrow
    except ImportError:
        raise ValueError("arrow needs pyarrow, which is not installed here") from None

    try:
        return pyarrow.ipc.open_stream(pyarrow.py_buffer(stream)).read_all()
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"these bytes are no Arrow IPC stream: {error}") from None


def _table(arrow: Any, value: Any) -> Any:
    """Return a value as a table of Arrow."""
    name = type(value).__name__
    if isinstance(value, arrow.Table):
        return value
    if isinstance(value, arrow.RecordBatch):
        return arrow.Table.from_batches([value])
    if isinstance(value, (arrow.Array, arrow.ChunkedArray)):
        return arrow.table({VALUES: value})
    if name == "DataFrame":
        return arrow.Table.from_pandas(value)
    if name == "Series":
        column = VALUES if value.name is None else value.name
        return arrow.Table.from_pandas(value.to_frame(column))
    if name == "ndarray":
        return arrow.table({VALUES: _column(arrow, value)})
    raise TypeError(f"only tables and arrays are sent as arrow, not a {name}")


def _column(arrow: Any, array: Any) -> Any:
    """Return an array as a column. Rows of more than one number are tensors of a fixed shape.

    The type is the canonical extension ``arrow.fixed_shape_tensor``; a reader that does not know it sees lists of a
    fixed size.
    """
    if array.ndim == 0:
        raise TypeError("an array without dimensions has no rows that arrow can hold")
    if array.ndim == 1:
        return arrow.array(array)
    import numpy as np

    if not all(array.shape):
        raise TypeError(f"an array of shape {array.shape} has no rows that arrow can hold")
    return arrow.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(array))
