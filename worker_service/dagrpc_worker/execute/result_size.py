"""How large results are."""

from __future__ import annotations

import logging
from sys import getsizeof
from typing import Any

from dask.sizeof import sizeof

logger = logging.getLogger("dagrpc.worker")

UNKNOWN_SIZE = 1_000_000
"""What a value counts for whose size cannot be told."""

_PLAIN_TYPES = frozenset((int, float, bool, type(None), str, complex))


def measure(value: Any) -> int:
    """Return the size of a value in memory, in bytes. Never fails."""
    if type(value) in _PLAIN_TYPES:
        return getsizeof(value)
    try:
        return max(int(sizeof(value)), 0)
    except Exception:
        logger.warning(
            "The size of a %s cannot be told; counted as %d bytes", type(value).__name__, UNKNOWN_SIZE, exc_info=True
        )
        return UNKNOWN_SIZE
