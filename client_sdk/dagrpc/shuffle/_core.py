"""The names that dask imports to put barriers into graphs."""

from __future__ import annotations

from dagrpc.shuffle.graph import P2PBarrierTask, ShuffleId, barrier_key
from dagrpc.shuffle.shuffle_tasks import p2p_barrier

__all__ = ["P2PBarrierTask", "ShuffleId", "barrier_key", "p2p_barrier"]
