"""Converts columns of dataframes to Arrow arrays and back, value by value.

Arrow's own conversion of dataframes turns missing values into nulls, and changes values that it does not know. This
module encodes a column as one of five kinds, each of which restores the column exactly:

- the bits of its values, if these have a fixed size: NumPy's types, dates, periods, and the codes of categories;
- Arrow's form, for columns that pandas itself stores in such or similar arrays;
- text, for objects that are strings or None;
- pickles, one for each piece, for all other objects and for other libraries' arrays;
- what a library has registered with dask for its dataframes (`dagrpc.shuffle.registered`).
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from pandas.api.types import is_object_dtype

from dagrpc._codec.pickle5 import dumps_inband

BITS: Final = b"bits"
ARROW: Final = b"arrow"
TEXT: Final = b"text"
PICKLES: Final = b"pickles"
REGISTERED: Final = b"registered"

_UNSIGNED: Final = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_STRINGS: Final = {str, type(None)}


@dataclass(frozen=True, slots=True)
class Order:
    """The order in which the rows of a partition are sent, and the pieces into which they are cut."""

    rows: Any
    """The positions of the rows in the partition."""
    starts: Any
    """The start of each piece among the rows. The last piece ends with the last row."""


def encode_column(values: Any, order: Order, name: object) -> tuple[Any, bytes]:
    """Return a column or index as an Arrow array in another order, and the kind of its encoding.

    Parameters
    ----------
    values : pandas.Series or pandas.Index
        The column.
    order : Order
        The order.
    name : object
        Name of the column in error messages.

    Raises
    ------
    TypeError
        If the values cannot be pickled. The message names the column.
    """
    import pyarrow as pa

    bits = bits_of(values)
    if bits is not None:
        return _from_bits(bits.take(order.rows)), BITS
    if is_arrow_kind(values.dtype):
        try:
            return _in_order(pa.array(values.array), order), ARROW
        except (pa.ArrowException, UnicodeError):
            # The text is not UTF-8, or Arrow does not support `take` for the type.
            return _pickled(values.array, order, name), PICKLES
    if not is_object_dtype(values.dtype):
        return _pickled(values.array, order, name), PICKLES
    objects = values.to_numpy().take(order.rows)
    if set(map(type, objects.tolist())) <= _STRINGS:
        try:
            return pa.array(objects, type=pa.large_string(), from_pandas=False), TEXT
        except (pa.ArrowException, UnicodeError):
            pass
    return _pickled(objects, Order(np.arange(len(objects)), order.starts), name), PICKLES


def bits_of(values: Any) -> Any:
    """Return the values of a column as a NumPy array if they are of a fixed size, else None."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        return None if dtype.hasobject else values.to_numpy()
    if isinstance(dtype, pd.CategoricalDtype):
        return values.array.codes
    if isinstance(dtype, pd.DatetimeTZDtype | pd.PeriodDtype):
        return values.array.asi8
    return None


def is_arrow_kind(dtype: Any) -> bool:
    """Return whether Arrow can hold arrays of a type of pandas: strings, Arrow's types, nullable types."""
    own = not is_foreign(dtype) and hasattr(dtype, "__from_arrow__")
    return own and not isinstance(dtype, pd.IntervalDtype | pd.SparseDtype)


def is_foreign(dtype: Any) -> bool:
    """Return whether a type belongs to another library."""
    return not isinstance(dtype, np.dtype) and type(dtype).__module__.partition(".")[0] != "pandas"


def _from_bits(bits: Any) -> Any:
    """Return values as unsigned numbers of the same size, or as bytes if no number type has this size."""
    import pyarrow as pa

    size = bits.dtype.itemsize
    if size in _UNSIGNED:
        return pa.array(bits.view(_UNSIGNED[size]))
    return pa.Array.from_buffers(pa.binary(size), len(bits), [None, pa.py_buffer(bits.view(np.uint8))])


def _in_order(array: Any, order: Order) -> Any:
    """Return an array in another order, in one chunk."""
    import pyarrow as pa

    array = array.take(pa.array(order.rows))
    return pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array


def _pickled(values: Any, order: Order, name: object) -> Any:
    """Return an array in which the first value of each piece is a pickle of the piece, and other values are empty."""
    import pyarrow as pa

    stops = [*order.starts[1:], len(order.rows)]
    try:
        pickles = [
            dumps_inband(values.take(order.rows[start:stop])) for start, stop in zip(order.starts, stops, strict=True)
        ]
    except Exception as error:
        raise TypeError(
            f"p2p cannot send column {name!r} of type '{values.dtype}': {type(error).__name__}: {error}"
        ) from error
    sizes = np.zeros(len(order.rows) + 1, dtype=np.int64)
    sizes[np.asarray(order.starts, dtype=np.int64) + 1] = list(map(len, pickles))
    buffers = [None, pa.py_buffer(np.cumsum(sizes)), pa.py_buffer(b"".join(pickles))]
    return pa.Array.from_buffers(pa.large_binary(), len(order.rows), buffers)


# --- back --------------------------------------------------------------------------------------------------------


def decode_column(pieces: Sequence[tuple[bytes, Any]], dtype: Any) -> list[Any]:
    """Return a column that arrived in pieces as a list of one array, or of several if they cannot be joined here.

    Parameters
    ----------
    pieces : sequence of (bytes, pyarrow.ChunkedArray)
        The pieces, each with its kind.
    dtype : dtype
        The original type of all pieces.
    """
    if all(kind == BITS for kind, _ in pieces):
        return [
            _from_numbers(np.concatenate([_to_numbers(c, dtype) for _, part in pieces for c in part.chunks]), dtype)
        ]
    if all(kind == ARROW for kind, _ in pieces):
        return _from_arrow([part for _, part in pieces], dtype)
    if is_object_dtype(dtype):
        return [np.concatenate([_objects(kind, part) for kind, part in pieces])]
    # Some of the pieces could not be encoded as Arrow arrays.
    return [
        array
        for kind, part in pieces
        for array in (_from_arrow([part], dtype) if kind == ARROW else map(_unpickled, part.chunks))
    ]


def _to_numbers(chunk: Any, dtype: Any) -> Any:
    import pyarrow as pa

    if not pa.types.is_fixed_size_binary(chunk.type):
        return chunk.to_numpy()
    size = chunk.type.byte_width
    data = np.frombuffer(chunk.buffers()[1], dtype=np.uint8)
    return data[chunk.offset * size : (chunk.offset + len(chunk)) * size].view(dtype)


def _from_numbers(numbers: Any, dtype: Any) -> Any:
    """Return values of a type, given their bits as numbers."""
    if isinstance(dtype, np.dtype):
        return numbers.view(dtype)
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.Categorical.from_codes(numbers.view(f"i{numbers.itemsize}"), dtype=dtype)
    if isinstance(dtype, pd.PeriodDtype):
        return pd.arrays.PeriodArray(numbers.view("i8"), dtype=dtype)
    import pyarrow as pa

    # Arrow's memory is read-only, so the array is copied.
    return dtype.__from_arrow__(pa.chunked_array([pa.array(numbers.view("i8")).view(pa.timestamp(dtype.unit))])).copy()


def _from_arrow(parts: Sequence[Any], dtype: Any) -> list[Any]:
    import pyarrow as pa

    chunks = [chunk for part in parts for chunk in part.chunks]
    try:
        # The empty slice forces a copy. A single chunk would otherwise keep the whole buffer alive.
        joined = pa.concat_arrays([*chunks, chunks[0].slice(0, 0)])
    except pa.ArrowException:
        # Arrow cannot join nested dictionaries that differ.
        return [dtype.__from_arrow__(pa.chunked_array([pa.concat_arrays([c, c.slice(0, 0)])])) for c in chunks]
    return [dtype.__from_arrow__(pa.chunked_array([joined]))]


def _objects(kind: bytes, part: Any) -> Any:
    if kind == PICKLES:
        return np.concatenate([_unpickled(chunk) for chunk in part.chunks])
    found = np.empty(len(part), dtype=object)
    found[:] = part.to_pylist()
    return found


def _unpickled(piece: Any) -> Any:
    return pickle.loads(piece[0].as_buffer())
