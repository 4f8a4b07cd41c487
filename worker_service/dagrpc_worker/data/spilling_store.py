"""A store for results that moves the least recently used of them to files when memory is short."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dagrpc._codec import payload
from dagrpc._codec.failures import type_name
from dagrpc._common.bytes_like import Buffer
from dagrpc._memory.malloc import trim
from dagrpc_worker.data.result_store import DataStore
from dagrpc_worker.data.spill_files import SpilledValue, SpillFiles

logger = logging.getLogger("dagrpc.worker")

RETRY_SECONDS = 5.0
"""Seconds without writing after the disk was full."""
_TRIM_FROM = 256 * 2**20
"""Bytes moved to files after which the allocator is asked to return memory to the system."""
_SMALL_PART = 20
"""An array of up to 1/20 of the target may be kept alive by its slices while memory is not short."""
_NOTHING = -1
# Pickles of futures and actors name dagrpc's modules. The modules excluded here are named by other pickles as well.
_OURS = re.compile(rb"dagrpc\.(?!_codec\.|shuffle\.)")


class SpillingStore(DataStore):
    """Results in memory, up to a target; the least recently used of the others are in files.

    `put` writes nothing. It returns whether memory holds too many results; the caller then calls `make_room`, in a
    thread. A file stays when its result is read, so that the result can leave memory again without being written. A
    result that cannot be written stays in memory.

    Parameters
    ----------
    files : SpillFiles
        Writes and reads the files.
    target : int
        Maximum bytes of results in memory; 0: no limit.
    max_spill : int
        Maximum bytes of all files; 0: no limit.
    """

    _values: OrderedDict[str, Any]

    def __init__(self, files: SpillFiles, target: int = 0, max_spill: int = 0) -> None:
        super().__init__()
        self.target = self._highest_target = target or sys.maxsize
        self.in_memory = 0
        """Bytes of the results in memory, as measured when they were stored."""
        self.on_disk = 0
        """Bytes of all files."""
        self._files = files
        self._max_spill = max_spill
        # The least recently used first; while memory is far from the target, the order is not updated.
        self._values = OrderedDict()
        self._order_from = self.target // 2
        self._pinned: dict[str, Any] = {}
        """Results that cannot be written."""
        self._spilled: dict[str, SpilledValue] = {}
        """Results that are in files, whether or not they are in memory as well."""
        self._alive: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
        """Results that have left the store's memory but are still referenced elsewhere."""
        # One thread writes at a time and the others wait: tasks must not make results faster than they can be written.
        self._writing = threading.Lock()
        self._retry_at = 0.0
        self._trim_from = min(self.target // 10, _TRIM_FROM)
        self._trimmed_at = 0
        self._told_of_pinned = False
        self._closed = False

    @property
    def spilled(self) -> int:
        """Bytes of the results that are only on disk, as measured when they were stored."""
        return max(self.nbytes - self.in_memory, 0)

    def statistics(self) -> dict[str, float]:
        """Return the metrics of the files."""
        files = self._files
        return {
            "spilled_bytes": self.spilled,
            "spilled_disk_bytes": self.on_disk,
            "spill_written_count": files.written_count,
            "spill_written_bytes": files.written_bytes,
            "spill_read_count": files.read_count,
            "spill_read_bytes": files.read_bytes,
            "spill_seconds": files.seconds,
        }

    # --- storing -------------------------------------------------------------------------------------------------

    def put(self, key: str, value: Any, nbytes: int) -> bool:
        """Store a result; it replaces one of the same key. Return whether memory holds too many results now."""
        gone = None
        if type(value).__name__ == "ndarray":
            value = self._without_the_rest(value)
        with self._lock:
            if key in self._sizes:
                gone = self._forget(key)
            self._sizes[key] = nbytes
            self._values[key] = value
            self.nbytes += nbytes
            self.in_memory += nbytes
            crowded = self.in_memory > self.target
        if gone is not None and gone[0] is not None:
            self._files.remove([gone[0]])
        return crowded

    def _without_the_rest(self, value: Any) -> Any:
        """Return `value`, copied if it is a slice that keeps a much larger array in memory.

        The larger array is not counted, and would stay in memory until its last slice was in a file.
        """
        whole = value
        while type(base := getattr(whole, "base", None)) is type(value):
            whole = base
        if whole is value or whole.nbytes < 2 * value.nbytes:
            return value
        spare = whole.nbytes < self.target // _SMALL_PART and self.in_memory < self._order_from
        return value if spare else value.copy()

    def drop(self, keys: Iterable[str]) -> None:
        """Remove results. Unknown keys are ignored."""
        with self._lock:
            # Released after the lock: a destructor may take long.
            gone = [self._forget(key) for key in keys if key in self._sizes]
            self._give_back_tables()
        files = [stored for stored, _ in gone if stored is not None]
        if files:
            self._files.remove(files)

    def _forget(self, key: str) -> tuple[SpilledValue | None, Any]:
        """Remove a key from all tables; return its file and its value. With the lock."""
        nbytes = self._sizes.pop(key)
        self.nbytes -= nbytes
        value = None
        for held in (self._values, self._pinned):
            if key in held:
                value = held.pop(key)
                self.in_memory -= nbytes
                self.released += nbytes
        stored = self._spilled.pop(key, None)
        if stored is not None:
            self.on_disk -= stored.nbytes
            self._alive.pop(key, None)
        return stored, value

    def __getitem__(self, key: str) -> Any:
        try:
            value = self._values[key]
        except KeyError:
            return self._bring(key)
        if self.in_memory > self._order_from:
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
        return value

    def __contains__(self, key: object) -> bool:
        return key in self._sizes

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._sizes))

    def __len__(self) -> int:
        return len(self._sizes)

    # --- reading -------------------------------------------------------------------------------------------------

    def needs_disk(self, keys: Iterable[str]) -> bool:
        """Return whether one of these results must be read from a file."""
        return bool(self._spilled) and any(key in self._spilled and key not in self._values for key in keys)

    def encoded(self, key: str) -> tuple[str, str, list[Buffer]] | None:
        """Return the type name, encoding and frames of a result that is only in a file; else None. Blocking."""
        with self._lock:
            stored = self._spilled.get(key)
            if stored is None or key in self._values or key in self._alive:
                return None
        try:
            return stored.kind, stored.encoding, self._files.frames(stored)
        except FileNotFoundError:
            # The result was dropped meanwhile; the caller notices.
            return None

    def _bring(self, key: str) -> Any:
        """Return a result that is not among the values in memory, and move it there. Blocking."""
        while True:
            with self._lock:
                found, value = self._find(key)
                if found:
                    return value
                stored = self._spilled[key]
            with stored.reading:
                with self._lock:
                    found, value = self._find(key)
                    if found:
                        return value
                try:
                    value = self._files.load(stored)
                except FileNotFoundError:
                    if self._spilled.get(key) is not stored:
                        continue
                    raise
                with self._lock:
                    if self._spilled.get(key) is stored and key not in self._values:
                        self._admit(key, value)
            if self.in_memory > self.target:
                self.make_room()
            return value

    def _find(self, key: str) -> tuple[bool, Any]:
        """Look for a value in memory; raise if the key is unknown. With the lock."""
        if key in self._values:
            return True, self._values[key]
        if key in self._pinned:
            return True, self._pinned[key]
        if key not in self._spilled:
            raise KeyError(key)
        try:
            value = self._alive[key]
        except KeyError:
            return False, None
        self._admit(key, value)
        return True, value

    def _admit(self, key: str, value: Any) -> None:
        self._values[key] = value
        self.in_memory += self._sizes[key]

    # --- writing -------------------------------------------------------------------------------------------------

    def make_room(self) -> int:
        """Move results to files until memory holds no more than the target. Return the bytes moved. Blocking."""
        return self._evict(lambda freed: self.in_memory <= self.target)

    def allow(self, nbytes: int | None = None) -> None:
        """Change the target to `nbytes`, within the original one; None: the original target.

        Threads that store results then wait until memory holds no more than the target.
        """
        self.target = self._highest_target if nbytes is None else min(max(nbytes, 0), self._highest_target)

    def spill(self, enough: Callable[[int], bool]) -> int:
        """Move results to files, the least recently used first, until `enough(bytes moved)` or none is left.

        Returns the number of bytes moved. Blocking.
        """
        return self._evict(enough)

    def _evict(self, enough: Callable[[int], bool]) -> int:
        freed = 0
        with self._writing:
            while not self._closed and not enough(freed):
                nbytes = self._evict_one()
                if nbytes == _NOTHING:
                    break
                freed += nbytes
                # Not only at the end: the allocator keeps freed memory, and memory is short.
                self._trim()
        self._trim()
        return freed

    def _trim(self) -> None:
        """Ask the allocator to return memory to the system, if enough bytes were moved."""
        if self.released - self._trimmed_at > self._trim_from:
            self._trimmed_at = self.released
            trim()

    def _evict_one(self) -> int:
        """Move the least recently used result to a file. Return its size, or `_NOTHING` if that is not possible."""
        with self._lock:
            if not self._values:
                return _NOTHING
            key, value = next(iter(self._values.items()))
            if key in self._spilled:
                return self._leave(key, value)
        if time.monotonic() < self._retry_at:
            return _NOTHING
        try:
            encoding, frames = payload.encode(value)
            # A future or an actor must stay an object: its encoded form would not keep it alive.
            reason = "it refers to futures or actors" if _may_refer(encoding, frames) else ""
            packed, codecs = self._files.pack(frames) if not reason else ([], [])
        except Exception as error:
            reason = f"it cannot be encoded: {type(error).__name__}: {error}"
        if reason:
            return self._pin(key, value, reason)
        if not self._has_room(sum(memoryview(frame).nbytes for frame in packed)):
            return _NOTHING
        try:
            stored = self._files.write(encoding, type_name(type(value)), packed, codecs)
        except OSError as error:
            self._no_room(f"cannot be written to {self._files.directory}: {error}")
            return _NOTHING
        with self._lock:
            if self._values.get(key) is value and key not in self._spilled:
                self._spilled[key] = stored
                self.on_disk += stored.nbytes
                return self._leave(key, value)
        # The result was dropped or replaced while it was written.
        self._files.remove([stored])
        return 0

    def _leave(self, key: str, value: Any) -> int:
        """Remove from memory a value that is in a file. With the lock."""
        del self._values[key]
        nbytes = self._sizes[key]
        self.in_memory -= nbytes
        self.released += nbytes
        with contextlib.suppress(TypeError):  # not all types can be referred to weakly
            self._alive[key] = value
        return nbytes

    def _pin(self, key: str, value: Any, reason: str) -> int:
        """Keep a value in memory for ever, since it cannot be written."""
        with self._lock:
            if self._values.get(key) is value:
                self._pinned[key] = self._values.pop(key)
        level = logging.DEBUG if self._told_of_pinned else logging.WARNING
        self._told_of_pinned = True
        logger.log(level, "Result %s, a %s, stays in memory: %s", key, type(value).__name__, reason)
        return 0

    def _has_room(self, nbytes: int) -> bool:
        """Return whether a file may be written; to make room, remove files of results that are in memory as well."""
        if not self._max_spill or self.on_disk + nbytes <= self._max_spill:
            return True
        with self._lock:
            spare = [key for key in self._spilled if key in self._values]
            files = [self._spilled.pop(key) for key in spare]
            self.on_disk -= sum(stored.nbytes for stored in files)
            for key in spare:
                self._alive.pop(key, None)
        if files:
            self._files.remove(files)
        if self.on_disk + nbytes <= self._max_spill:
            return True
        self._no_room(f"stay in memory: {self.on_disk} bytes are on disk, and max-spill is {self._max_spill}")
        return False

    def _no_room(self, message: str) -> None:
        self._retry_at = time.monotonic() + RETRY_SECONDS
        logger.error("Results %s. They stay in memory (%d bytes now); none is lost", message, self.in_memory)

    def close(self) -> None:
        """Stop writing. Blocking."""
        self._closed = True
        self._files.close()


def _may_refer(encoding: str, frames: list[Buffer]) -> bool:
    return payload.may_refer(encoding, frames) and _OURS.search(frames[0]) is not None
