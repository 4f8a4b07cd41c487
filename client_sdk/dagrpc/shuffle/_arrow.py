"""What dask imports to tell whether a dataframe can be shuffled."""

from __future__ import annotations

from dagrpc.shuffle.columns import check_meta as check_dtype_support

__all__ = ["check_dtype_support"]
