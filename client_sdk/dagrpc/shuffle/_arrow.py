"""The check of dask for dataframes that cannot be shuffled."""

from __future__ import annotations

from typing import Any

__all__ = ["check_dtype_support"]


def check_dtype_support(meta: Any) -> None:
    """Accept a dataframe: columns of every type can be shuffled."""
