"""Columns of dataframes as Arrow arrays, and back to what they were.

Arrow's own conversion of dataframes turns missing values into nulls, and what it does not know into something else.
Here a column comes back with the type and the values that it had.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype, is_object_dtype

_PICKLED = {b"dagrpc": b"pickle"}
"""Marks columns whose values are pickles."""


def check_meta(meta: pd.DataFrame) -> None:
    """Raise if a dataframe cannot be shuffled.

    Raises
    ------
    TypeError
        Naming the column.
    ValueError
        If two columns have the same name.
    """
    if isinstance(meta.index, pd.MultiIndex):
        raise TypeError("p2p does not support dataframes with a MultiIndex; use shuffle_method='tasks'")
    if not meta.columns.is_unique:
        twice = meta.columns[meta.columns.duplicated()][0]
        raise ValueError(f"p2p wants columns of different names, and there are several named {twice!r}")
    for name, dtype in meta.dtypes.items():
        if isinstance(dtype, pd.SparseDtype):
            raise TypeError(f"p2p does not support sparse data found in column {name!r}; use shuffle_method='tasks'")
        if getattr(dtype, "kind", "") == "c":
            raise TypeError(
                f"p2p does not support data of type '{dtype}' found in column {name!r}; use shuffle_method='tasks'"
            )


def encode_column(values: Any, name: str) -> tuple[Any, dict[bytes, bytes] | None]:
    """Return a column or index as an Arrow array, and what is to be noted with it.

    Raises
    ------
    TypeError
        If it cannot be one; names the column.
    """
    import pyarrow as pa

    dtype = values.dtype
    if is_object_dtype(dtype):
        return _encode_objects(values.to_numpy(), name)
    try:
        # NaN is a number, not a missing one.
        array = pa.array(values.to_numpy()) if isinstance(dtype, np.dtype) else pa.array(values.array)
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError) as error:
        raise TypeError(
            f"p2p does not support column {name!r} of type '{dtype}': {error}; use shuffle_method='tasks'"
        ) from error
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array, None


def _encode_objects(values: Any, name: str) -> tuple[Any, dict[bytes, bytes] | None]:
    """Return strings and None as strings, and anything else as pickles."""
    import pyarrow as pa

    try:
        if infer_dtype(values, skipna=True) in ("string", "empty"):
            # NaN is not the same as None: it makes this fail.
            return pa.array(values, type=pa.large_string(), from_pandas=False), None
    except (pa.ArrowException, TypeError, ValueError):
        pass
    try:
        pickles = [pickle.dumps(value, protocol=5) for value in values]
    except Exception as error:
        raise TypeError(f"p2p cannot send the objects in column {name!r}: {type(error).__name__}: {error}") from error
    return pa.array(pickles, type=pa.large_binary()), _PICKLED


def decode_columns(parts: Sequence[tuple[Any, Any]], dtype: Any) -> Any:
    """Return a column that came in parts, each with its field, as a pandas or NumPy array.

    Parameters
    ----------
    dtype : dtype
        What it should be. Values that do not fit in there decide for themselves, as with any other way of shuffling.
    """
    import pyarrow as pa

    first = parts[0][0]
    if all(field.type == first.type and field.metadata == first.metadata for field, _ in parts):
        return _decode(first, pa.chunked_array([c for _, part in parts for c in part.chunks], type=first.type), dtype)
    series = [pd.Series(_decode(field, part, dtype)) for field, part in parts]
    return _as(pd.concat(series, ignore_index=True).array, dtype)


def _decode(field: Any, values: Any, dtype: Any) -> Any:
    import pyarrow as pa

    if field.metadata == _PICKLED:
        found = np.empty(len(values), dtype=object)
        found[:] = [pickle.loads(value) for value in values.to_pylist()]
        return _as(found, dtype)
    if pa.types.is_dictionary(field.type):
        return _decode_categories(values, dtype)
    if isinstance(dtype, np.dtype) and not is_object_dtype(dtype):
        return _as(_to_numpy(values), dtype)
    if hasattr(dtype, "__from_arrow__"):
        try:
            return dtype.__from_arrow__(_copied(values))
        except (TypeError, ValueError, NotImplementedError, pa.ArrowException):
            # The values are not what they should be.
            return _as(values.to_pandas().array, dtype)
    if is_object_dtype(dtype):
        found = np.empty(len(values), dtype=object)
        found[:] = values.to_pylist()
        return found
    return _as(values.to_pandas().array, dtype)


def _to_numpy(values: Any) -> Any:
    """Return a copy in one piece, which can be written to and keeps nothing else alive."""
    chunks = [chunk.to_numpy(zero_copy_only=False) for chunk in values.chunks]
    return np.concatenate(chunks)


def _copied(values: Any) -> Any:
    """Return a chunked array as one chunk that keeps nothing else alive."""
    import pyarrow as pa

    chunks = values.chunks
    # A single one would be handed back as it is.
    return pa.chunked_array([pa.concat_arrays([*chunks, chunks[0].slice(0, 0)])])


def _decode_categories(values: Any, dtype: Any) -> Any:
    chunks = [
        pd.Categorical.from_codes(_codes(chunk), _categories(chunk), ordered=chunk.type.ordered)
        for chunk in values.chunks
    ]
    if len(chunks) > 1:
        from dask.dataframe import methods

        same = all(chunk.categories.equals(chunks[0].categories) for chunk in chunks)
        found = (
            pd.Categorical.from_codes(
                np.concatenate([chunk.codes for chunk in chunks]), chunks[0].categories, ordered=chunks[0].ordered
            )
            if same
            else methods.union_categoricals(chunks, ignore_order=True)  # type: ignore[attr-defined, no-untyped-call]
        )
    else:
        found = chunks[0].copy()
    if isinstance(dtype, pd.CategoricalDtype) and dtype.categories is not None:
        if found.categories.isin(dtype.categories).all():
            return found.set_categories(dtype.categories, ordered=dtype.ordered)
        return found
    return found if isinstance(dtype, pd.CategoricalDtype) else _as(found, dtype)


def _codes(chunk: Any) -> Any:
    return chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False)


def _categories(chunk: Any) -> Any:
    return pd.Index(chunk.dictionary.to_pandas())


def _as(values: Any, dtype: Any) -> Any:
    """Return values as a type if they fit in there."""
    if values.dtype == dtype:
        return values
    to_integers = (
        isinstance(values.dtype, np.dtype) and values.dtype.kind == "f" and getattr(dtype, "kind", "") in "iub"
    )
    if to_integers and not np.isfinite(values).all():
        return values
    try:
        converted = values.astype(dtype)
    except (TypeError, ValueError):
        return values
    return values if to_integers and not np.array_equal(converted, values) else converted
