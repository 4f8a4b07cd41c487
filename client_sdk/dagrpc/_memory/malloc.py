"""glibc's malloc, tuned for large messages.

Buffers above malloc's mmap threshold are mapped and faulted in anew for every message, which costs a factor of 2 to 4
in throughput. Child processes get the thresholds in their environment; a process that runs already sets them here.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

from dagrpc import config

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


@cache
def _libc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") else None


@cache
def tune() -> None:
    """Set the thresholds of this process once, unless its environment sets them or configuration says 0."""
    library = _libc()
    if library is None or "MALLOC_MMAP_THRESHOLD_" in os.environ or "MALLOC_TRIM_THRESHOLD_" in os.environ:
        return
    mmap_threshold = config.get_bytes("comm.malloc.mmap-threshold")
    trim_threshold = config.get_bytes("comm.malloc.trim-threshold")
    if mmap_threshold and trim_threshold:
        # Both or neither: setting either one freezes the other at a small default.
        library.mallopt(_M_MMAP_THRESHOLD, mmap_threshold)
        library.mallopt(_M_TRIM_THRESHOLD, trim_threshold)


def keep_at_most(nbytes: int) -> None:
    """Have malloc keep less free memory than that, and map what is larger by itself, if its thresholds are higher."""
    library = _libc()
    if library is None:
        return
    tune()
    for number, name in ((_M_MMAP_THRESHOLD, "mmap"), (_M_TRIM_THRESHOLD, "trim")):
        present = os.environ.get(f"MALLOC_{name.upper()}_THRESHOLD_", "")
        threshold = int(present) if present.isdigit() else config.get_bytes(f"comm.malloc.{name}-threshold")
        if threshold > nbytes:
            library.mallopt(number, nbytes)


def trim() -> None:
    """Give freed memory back to the system."""
    library = _libc()
    if library is not None:
        library.malloc_trim(0)
