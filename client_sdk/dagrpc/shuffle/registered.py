"""Converts columns with types of another library by the functions that the library has registered with dask.

The functions in dask's `to_pyarrow_table_dispatch` and `from_pyarrow_table_dispatch` convert whole dataframes. They are
called with a dataframe that has only the columns of the library's own types. All other columns are encoded as usual,
which keeps their types.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pandas as pd

from dagrpc.shuffle.columns import is_foreign
from dagrpc.shuffle.layouts import without_rows

logger = logging.getLogger("dagrpc.shuffle")


def to_table(frame: pd.DataFrame) -> tuple[list[int], Any]:
    """Return the positions of the columns with a registered conversion, and a table of these columns.

    Return [] and None if there are no such columns, or if a round trip changes the class, the names or the types.
    """
    if type(frame) is pd.DataFrame or not len(frame):
        return [], None
    places = [place for place, dtype in enumerate(frame.dtypes) if is_foreign(dtype)]
    if not places:
        return [], None
    from dask.dataframe.dispatch import to_pyarrow_table_dispatch

    dispatch: Any = to_pyarrow_table_dispatch
    convert = dispatch.dispatch(type(frame))
    if convert is dispatch.dispatch(pd.DataFrame):
        return [], None
    part = frame.iloc[:, places]
    try:
        table = convert(part, preserve_index=False)
        if table.num_rows == len(part) and _is_like(from_table(table.slice(0, 1), part), part):
            return places, table
    except Exception as error:
        logger.debug("The serialization functions registered for %s cannot be used: %r", type(frame), error)
    return [], None


def from_table(table: Any, like: pd.DataFrame) -> pd.DataFrame:
    """Return the dataframe that the registered conversion makes of a table."""
    from dask.dataframe.dispatch import from_pyarrow_table_dispatch

    dispatch: Any = from_pyarrow_table_dispatch
    found: pd.DataFrame = dispatch.dispatch(type(like))(without_rows(like), table)
    return found


def _is_like(found: Any, frame: pd.DataFrame) -> bool:
    types: Sequence[Any] = list(getattr(found, "dtypes", ()))
    return type(found) is type(frame) and list(found.columns) == list(frame.columns) and types == list(frame.dtypes)
