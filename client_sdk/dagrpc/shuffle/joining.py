"""Joins columns whose pieces have different types, if this leaves the values unchanged.

Pieces differ in type if some partitions have categories that others lack, or fractions where others have integers.
The joined column has the type that pandas' `concat` chooses, as in shuffles by tasks. The announced type (from the
meta) only provides categories.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

_EXACT_BITS = {2: 11, 4: 24, 8: 53}
"""The number of bits of integers that floating-point numbers hold exactly, by the size of the numbers in bytes."""


def same_type(one: Any, other: Any) -> bool:
    """Return whether two types are the same, including the categories and their order."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if not isinstance(one, pd.CategoricalDtype):
        return bool(one == other)
    mine, others = one.categories, other.categories
    if mine is None or others is None:
        return mine is others and one.ordered == other.ordered
    if (
        one.ordered != other.ordered
        or len(mine) != len(others)
        or mine.dtype != others.dtype
        or not mine.equals(others)
    ):
        return False
    # 1, 1.0 and True are equal.
    return mine.dtype != object or list(map(type, mine)) == list(map(type, others))


def join_arrays(arrays: Sequence[Any], announced: Any) -> Any:
    """Return the concatenation of arrays.

    Parameters
    ----------
    arrays : sequence of numpy.ndarray or pandas.api.extensions.ExtensionArray
        The arrays in order. None of them is empty.
    announced : dtype
        The type in the meta, or None.

    Raises
    ------
    ValueError
        If no type can hold the values of all arrays unchanged.
    """
    if len(arrays) == 1:
        return arrays[0]
    types = [array.dtype for array in arrays]
    if all(isinstance(dtype, pd.CategoricalDtype) for dtype in types):
        return _join_categories(arrays, announced)
    try:
        joined = pd.concat([pd.Series(array, dtype=array.dtype, copy=False) for array in arrays], ignore_index=True)
    except Exception as error:
        raise ValueError(f"pieces of types {_names(types)} do not fit together: {error}") from error
    if joined.dtype == object:
        return np.concatenate([_objects(array) for array in arrays])
    for array in arrays:
        if not _keeps(array, joined.dtype):
            raise ValueError(f"pieces of types {_names(types)} do not fit together: as '{joined.dtype}' values change")
    return joined.to_numpy(copy=True) if isinstance(joined.dtype, np.dtype) else joined.array


def _objects(array: Any) -> Any:
    """Return the values of an array as objects, equal to its items. pandas' own conversion changes some values."""
    if isinstance(array, np.ndarray):
        return pd.Series(array, dtype=array.dtype).astype(object).to_numpy()
    found = np.empty(len(array), dtype=object)
    for place, value in enumerate(array):
        found[place] = value
    return found


def _names(types: Sequence[Any]) -> str:
    return ", ".join(dict.fromkeys(f"'{dtype}'" for dtype in types))


def _keeps(array: Any, dtype: Any) -> bool:
    """Return whether integers are unchanged as another type. Floating-point numbers cannot hold some large integers."""
    values = array.remove_unused_categories().categories if isinstance(array.dtype, pd.CategoricalDtype) else array
    if isinstance(values.dtype, pd.SparseDtype):
        values = np.asarray(values)
    if isinstance(dtype, pd.SparseDtype):
        dtype = dtype.subtype
    if getattr(values.dtype, "kind", "") not in "iu" or getattr(dtype, "kind", "") not in "fc":
        return True
    size = dtype.itemsize // 2 if dtype.kind == "c" else dtype.itemsize
    exact = _EXACT_BITS.get(size, 64)
    if 8 * values.dtype.itemsize <= exact:
        return True
    integers = pd.Series(values).dropna()
    large = integers[((integers > 2**exact) | (integers < -(2**exact))).to_numpy(dtype=bool)]
    return all(int(np.dtype(f"f{size}").type(value)) == value for value in map(int, large))


# --- categories --------------------------------------------------------------------------------------------------


def _join_categories(arrays: Sequence[Any], announced: Any) -> Any:
    """Return the concatenation of categorical arrays whose categories differ.

    The result has the announced categories, or else those of a piece, if they include the categories of all pieces in a
    compatible order. Otherwise unordered categories are united, and ordered categories become plain values.
    """
    types = [array.dtype for array in arrays if len(array.categories)] or [arrays[0].dtype]
    longest = max(types, key=lambda dtype: len(dtype.categories))
    for candidate in (announced, longest):
        if isinstance(candidate, pd.CategoricalDtype) and all(_covers(candidate, dtype) for dtype in types):
            fitted = [_fitted(array, candidate) for array in arrays]
            return pd.Categorical.from_codes(np.concatenate([array.codes for array in fitted]), dtype=candidate)
    return _united(arrays, types)


def _covers(candidate: Any, dtype: Any) -> bool:
    """Return whether a type has all categories of another type, in the same order if they are ordered."""
    mine, others = candidate.categories, dtype.categories
    if mine is None or candidate.ordered != dtype.ordered or mine.dtype != others.dtype or len(mine) < len(others):
        return False
    if isinstance(mine, pd.IntervalIndex):
        mine, others = mine.astype(object), others.astype(object)
    places = mine.get_indexer(others)
    return bool((places >= 0).all() and (not dtype.ordered or (np.diff(places) > 0).all()))


def _fitted(array: Any, dtype: Any) -> Any:
    if len(array.categories):
        return array.set_categories(dtype.categories)
    return pd.Categorical.from_codes(array.codes, dtype=dtype)


def _united(arrays: Sequence[Any], types: Sequence[Any]) -> Any:
    from pandas.api.types import union_categoricals

    ordered = any(dtype.ordered for dtype in types)
    if not ordered and len({dtype.categories.dtype for dtype in types}) == 1:
        return union_categoricals([array for array in arrays if len(array.categories)] or list(arrays))
    values = np.concatenate([_objects(array) for array in arrays])
    if ordered:
        return values
    kinds = pd.Index(pd.unique(values[~pd.isna(values)]), dtype=object, tupleize_cols=False)
    return pd.Categorical(values, categories=kinds)
