"""Giving memory that is free back to the system."""

from __future__ import annotations

import ctypes
import gc
from functools import cache
from typing import Any


def give_back() -> None:
    """Collect garbage, and have the allocator give unused memory back to the system. Takes a while."""
    gc.collect()
    trim()


def trim() -> None:
    """Have the allocator give unused memory back to the system."""
    malloc_trim = _malloc_trim()
    if malloc_trim is not None:
        malloc_trim(0)


@cache
def _malloc_trim() -> Any:
    """Return glibc's; None with another C library."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
