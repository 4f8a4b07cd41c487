"""glibc's malloc: thresholds for large messages, and the return of free memory to the system.

malloc maps a buffer above its mmap threshold separately, and the pages of each mapping are faulted in again for each
message. With the default threshold this costs a factor of 2 to 4 in throughput. Child processes get the thresholds in
their environment; a running process sets them here. On systems without glibc the functions do nothing.
"""

from __future__ import annotations

import ctypes
import gc
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
    """Set the thresholds of this process once, unless its environment sets them or the configuration says 0."""
    library = _libc()
    if library is None or "MALLOC_MMAP_THRESHOLD_" in os.environ or "MALLOC_TRIM_THRESHOLD_" in os.environ:
        return
    mmap_threshold = config.get_bytes("comm.malloc.mmap-threshold")
    trim_threshold = config.get_bytes("comm.malloc.trim-threshold")
    if mmap_threshold and trim_threshold:
        # Both or neither: setting one of them fixes the other at a small default.
        library.mallopt(_M_MMAP_THRESHOLD, mmap_threshold)
        library.mallopt(_M_TRIM_THRESHOLD, trim_threshold)


def keep_at_most(nbytes: int) -> None:
    """Lower the thresholds to `nbytes` where they are higher, so that malloc keeps less free memory."""
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
    """Return freed memory to the system."""
    library = _libc()
    if library is not None:
        library.malloc_trim(0)


def collect_and_trim() -> None:
    """Collect garbage, then return freed memory to the system. Takes up to some hundred milliseconds."""
    gc.collect()
    trim()
