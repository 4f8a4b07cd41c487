"""The results that a worker holds, by key."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from dagrpc._common.bytes_like import Buffer


class DataStore(Mapping[str, Any]):
    """The results that a worker holds, by key, with their sizes.

    Task threads store results and read those that their tasks use, while the event loop serves and drops others.
    Results stay the objects that they are, and are encoded only when a peer fetches them.
    """

    def __init__(self) -> None:
        # A separate mapping, so that a user's mapping can take its place.
        self._values: MutableMapping[str, Any] = {}
        self._sizes: dict[str, int] = {}
        # Re-entrant: a garbage collection meanwhile may run a destructor that uses the store.
        self._lock = threading.RLock()
        self.nbytes = 0
        """Bytes of all results, as measured when they were stored."""
        self.released = 0
        """Total number of bytes released so far; the allocator may have kept them."""

    def keep_in(self, values: MutableMapping[str, Any]) -> None:
        """Keep the results in a user's mapping. Only while the store is empty."""
        self._values = values

    def put(self, key: str, value: Any, nbytes: int) -> bool:
        """Store a result; it replaces one of the same key. Return whether the caller must call `make_room`."""
        with self._lock:
            self.nbytes += nbytes - self._sizes.get(key, 0)
            self._sizes[key] = nbytes
            replaced = self._values.get(key)
            self._values[key] = value
        del replaced
        return False

    def make_room(self) -> int:
        """Move results out of memory, if the store has another place for them. Return the bytes released. Blocking."""
        return 0

    def needs_disk(self, keys: Iterable[str]) -> bool:
        """Return whether one of these results must be read from disk."""
        return False

    def encoded(self, key: str) -> tuple[str, str, list[Buffer]] | None:
        """Return the type name, encoding and frames of a result that is stored encoded; None for any other."""
        return None

    def statistics(self) -> dict[str, float]:
        """Return the metrics of results that are not in memory."""
        return {"spilled_bytes": 0}

    def drop(self, keys: Iterable[str]) -> None:
        """Remove results. Unknown keys are ignored."""
        dropped = []
        with self._lock:
            for key in keys:
                nbytes = self._sizes.pop(key, 0)
                self.nbytes -= nbytes
                self.released += nbytes
                # Released after the lock: a destructor may take long.
                dropped.append(self._values.pop(key, None))
            self._give_back_tables()

    def _give_back_tables(self) -> None:
        """Release the memory of tables that had many entries once they are empty. With the lock."""
        if not self._sizes:
            self._sizes.clear()
            if isinstance(self._values, dict):
                self._values.clear()

    def size_of(self, key: str) -> int:
        """Return the size of a result in bytes; 0 if it is not in the store."""
        return self._sizes.get(key, 0)

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._values))

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)} results, {self.nbytes} bytes>"
