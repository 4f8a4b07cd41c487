"""Measures the sizes of results."""

from __future__ import annotations

import logging
from sys import getsizeof
from typing import Any

from dask.sizeof import sizeof

logger = logging.getLogger("dagrpc.worker")

UNKNOWN_SIZE = 1_000_000
"""Bytes that a value of unknown size counts for."""

_PLAIN_TYPES = frozenset((int, float, bool, type(None), str, complex))


def measure(value: Any) -> int:
    """Return the size of a value in memory, in bytes. Never fails."""
    if type(value) in _PLAIN_TYPES:
        return getsizeof(value)
    try:
        return max(int(sizeof(value)), 0)
    except Exception:
        logger.warning(
            "The size of a %s is unknown; it counts as %d bytes", type(value).__name__, UNKNOWN_SIZE, exc_info=True
        )
        return UNKNOWN_SIZE
