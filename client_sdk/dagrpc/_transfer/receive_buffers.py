"""Memory for large frames that come in, used again when their values are gone.

A frame of many megabytes that is written to fresh memory costs more in page faults than in copying. Large frames
therefore get mappings of their own, of huge pages where the system has them, and a mapping whose last user is gone
serves the next frame of its size. What nobody wanted for a few seconds goes back to the system.
"""

from __future__ import annotations

import asyncio
import ctypes
import mmap
import time
import weakref
from collections import deque

from dagrpc._process.machine import total_memory

LARGE = 2 * 2**20
"""Frames from this size on get a mapping; it is the size of a huge page."""
KEEP_SECONDS = 5.0
"""How long a mapping that nobody uses is kept."""
KEEP_BYTES = min(2**30, total_memory() // 16)
"""How much memory that nobody uses is kept."""


class ReceiveBuffers:
    """Hands out writable buffers. For the event loop's thread only; buffers may end their lives in any.

    Parameters
    ----------
    keep_bytes : int
        How much unused memory to keep.
    keep_seconds : float
        For how long.
    """

    def __init__(self, keep_bytes: int = KEEP_BYTES, keep_seconds: float = KEEP_SECONDS) -> None:
        self._keep_bytes = keep_bytes
        self._keep_seconds = keep_seconds
        self._returned: deque[mmap.mmap] = deque()
        """Mappings whose users are gone. A finalizer appends from any thread, and does nothing else."""
        self._free: dict[int, list[tuple[float, mmap.mmap]]] = {}
        """Unused mappings by size, with the time since when, oldest first."""
        self._free_bytes = 0
        self._lent = 0
        """How many mappings are in use."""
        self._sweep: asyncio.TimerHandle | None = None

    @property
    def unused_bytes(self) -> int:
        """How much memory is kept that nobody uses."""
        self._take_back()
        return self._free_bytes

    def allocate(self, length: int) -> memoryview:
        """Return a writable buffer of `length` bytes, whose content is undefined."""
        if length < LARGE:
            return memoryview(bytearray(length))
        self._take_back()
        size = -(-length // LARGE) * LARGE
        free = self._free.get(size)
        if free:
            _, mapping = free.pop()
            self._free_bytes -= size
        else:
            mapping = mmap.mmap(-1, size)
            if hasattr(mmap, "MADV_HUGEPAGE"):
                # The rest, less than a huge page, is not to become one: nobody uses most of it.
                mapping.madvise(mmap.MADV_HUGEPAGE, 0, length // LARGE * LARGE)
        self._lent += 1
        self._arm()
        # Everything that is made of the buffer keeps this object alive, and it the mapping.
        owner = (ctypes.c_char * length).from_buffer(mapping)
        weakref.finalize(owner, self._returned.append, mapping).atexit = False
        return memoryview(owner).cast("B")

    def keep_at_most(self, nbytes: int) -> None:
        """Keep less unused memory, if so far more may be kept."""
        self._keep_bytes = min(self._keep_bytes, nbytes)

    def give_back(self) -> int:
        """Give all memory that nobody uses back to the system. Return how many bytes that were."""
        self._take_back()
        given = self._free_bytes
        self._free.clear()
        self._free_bytes = 0
        return given

    def _take_back(self) -> None:
        now = time.monotonic()
        while self._returned:
            mapping = self._returned.popleft()
            self._lent -= 1
            size = len(mapping)
            if self._free_bytes + size <= self._keep_bytes:
                self._free.setdefault(size, []).append((now, mapping))
                self._free_bytes += size

    def _arm(self) -> None:
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._keep_seconds, self.sweep)

    def sweep(self) -> None:
        """Give back to the system what nobody wanted for a while."""
        self._sweep = None
        self._take_back()
        oldest = time.monotonic() - self._keep_seconds
        for size, free in list(self._free.items()):
            kept = [(since, mapping) for since, mapping in free if since > oldest]
            self._free_bytes -= size * (len(free) - len(kept))
            if kept:
                self._free[size] = kept
            else:
                del self._free[size]
        # Mappings that are in use now may come back without anyone asking for another.
        if self._free or self._lent:
            self._arm()
