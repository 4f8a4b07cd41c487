"""The names that dask imports to merge dataframes."""

from __future__ import annotations

from dagrpc.shuffle.shuffle_tasks import merge_transfer, merge_unpack

__all__ = ["merge_transfer", "merge_unpack"]
