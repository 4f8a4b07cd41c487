"""A library's own type of column, which Arrow knows nothing of, and its own class of dataframes.

The class keeps the currency, and has registered with dask how its columns become Arrow's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from dask.dataframe.dispatch import (
    from_pyarrow_table_dispatch,
    get_parallel_type,
    make_meta_dispatch,
    to_pyarrow_table_dispatch,
)
from dask.dataframe.extensions import make_array_nonempty, make_scalar
from pandas.api.extensions import ExtensionArray, ExtensionDtype, register_extension_dtype, take


@register_extension_dtype
class MoneyDtype(ExtensionDtype):  # type: ignore[misc]
    """Amounts of money in cents."""

    name = "money"
    type = int
    na_value = -1

    @classmethod
    def construct_array_type(cls) -> Any:
        return MoneyArray


class MoneyArray(ExtensionArray):  # type: ignore[misc]
    """Amounts of money."""

    def __init__(self, cents: Any) -> None:
        self.cents = np.asarray(cents, dtype="i8")

    @classmethod
    def _from_sequence(cls, scalars: Sequence[Any], *, dtype: Any = None, copy: bool = False) -> MoneyArray:
        return cls(list(scalars))

    @classmethod
    def _concat_same_type(cls, to_concat: Sequence[Any]) -> MoneyArray:
        return cls(np.concatenate([each.cents for each in to_concat]))

    @property
    def dtype(self) -> Any:
        return MoneyDtype()

    @property
    def nbytes(self) -> int:
        return int(self.cents.nbytes)

    def __len__(self) -> int:
        return len(self.cents)

    def __getitem__(self, item: Any) -> Any:
        found = self.cents[item]
        return MoneyArray(found) if isinstance(found, np.ndarray) else int(found)

    def isna(self) -> Any:
        return self.cents == -1

    def copy(self) -> MoneyArray:
        return MoneyArray(self.cents.copy())

    def take(self, indices: Any, *, allow_fill: bool = False, fill_value: Any = None) -> MoneyArray:
        return MoneyArray(take(self.cents, indices, allow_fill=allow_fill, fill_value=-1))


class MoneyFrame(pd.DataFrame):  # type: ignore[misc]
    """A dataframe in a currency."""

    _metadata = ["currency"]  # noqa: RUF012
    currency = "none"
    conversions = 0

    @property
    def _constructor(self) -> Any:
        return MoneyFrame


@to_pyarrow_table_dispatch.register((MoneyFrame,))
def to_table(frame: MoneyFrame, **kwargs: Any) -> Any:
    """Return a table of money only."""
    MoneyFrame.conversions += 1
    columns = {str(name): column.array.cents for name, column in frame.items()}
    return pa.table(columns).replace_schema_metadata({"currency": frame.currency})


@from_pyarrow_table_dispatch.register((MoneyFrame,))
def from_table(meta: Any, table: Any, **kwargs: Any) -> MoneyFrame:
    """Return its dataframe."""
    frame = MoneyFrame({name: MoneyArray(table.column(name).to_numpy()) for name in table.column_names})
    frame.currency = table.schema.metadata[b"currency"].decode()
    return frame


get_parallel_type.register(MoneyFrame, get_parallel_type.dispatch(pd.DataFrame))
make_meta_dispatch.register(MoneyFrame, lambda frame, **kwargs: frame.iloc[:0])
make_array_nonempty.register(MoneyDtype, lambda dtype: MoneyArray([1, 2]))
make_scalar.register(int, lambda value: value)
