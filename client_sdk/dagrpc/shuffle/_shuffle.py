"""The names that dask imports to shuffle a dataframe."""

from __future__ import annotations

from dagrpc.shuffle.graph import DataFrameShuffleSpec
from dagrpc.shuffle.shuffle_tasks import shuffle_transfer, shuffle_unpack

__all__ = ["DataFrameShuffleSpec", "shuffle_transfer", "shuffle_unpack"]
