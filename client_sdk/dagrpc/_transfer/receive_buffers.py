"""Memory for large incoming frames, which is reused when their values are gone.

Page faults in fresh memory cost more than the copying of a frame of many megabytes. So each large frame gets its own
mapping, with huge pages where the system has them. A mapping without users serves the next frame of its size, and is
unmapped after a few seconds.
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
"""Frames of at least this many bytes, the size of a huge page, get a mapping."""
KEEP_SECONDS = 5.0
"""Seconds for which an unused mapping is kept."""
KEEP_BYTES = min(2**30, total_memory() // 16)
"""Bytes of unused mappings that are kept at most."""


class ReceiveBuffers:
    """Allocates writable buffers. Used in the event loop's thread; buffers may be freed in any thread."""

    def __init__(self, keep_bytes: int = KEEP_BYTES, keep_seconds: float = KEEP_SECONDS) -> None:
        self._keep_bytes = keep_bytes
        self._keep_seconds = keep_seconds
        self._returned: deque[mmap.mmap] = deque()
        """Mappings without users. Finalizers append to it from any thread, and do nothing else."""
        self._free: dict[int, list[tuple[float, mmap.mmap]]] = {}
        """Unused mappings by size, each with the time of its return, oldest first."""
        self._free_bytes = 0
        self._lent = 0
        """The number of mappings in use."""
        self._sweep: asyncio.TimerHandle | None = None

    @property
    def unused_bytes(self) -> int:
        """Bytes of unused mappings."""
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
                # Not for the rest, of which a huge page would waste the larger part.
                mapping.madvise(mmap.MADV_HUGEPAGE, 0, length // LARGE * LARGE)
        self._lent += 1
        self._arm()
        # All views of the buffer keep this object alive, which keeps the mapping.
        owner = (ctypes.c_char * length).from_buffer(mapping)
        weakref.finalize(owner, self._returned.append, mapping).atexit = False
        return memoryview(owner).cast("B")

    def keep_at_most(self, nbytes: int) -> None:
        """Lower the limit on unused memory to `nbytes` if it is higher."""
        self._keep_bytes = min(self._keep_bytes, nbytes)

    def give_back(self) -> int:
        """Unmap all unused mappings; return their size in bytes."""
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
        """Unmap mappings that were unused for `keep_seconds`."""
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
        # Mappings in use may be returned without a further call of `allocate`.
        if self._free or self._lent:
            self._arm()
