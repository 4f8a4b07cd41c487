"""The results that a worker holds, by key."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from dagrpc._common.bytes_like import Buffer


class DataStore(Mapping[str, Any]):
    """The results that a worker holds, by key, with the size of each.

    Task threads put results here and read those that their tasks use, while the loop serves and drops others.
    Values stay the objects they are; nothing is encoded until a peer asks.
    """

    def __init__(self) -> None:
        # The values lie in a mapping of their own, so that one which moves the least recently used of them to disk
        # can take its place.
        self._values: MutableMapping[str, Any] = {}
        self._sizes: dict[str, int] = {}
        # Re-entrant: whatever is collected meanwhile may have a destructor that comes back here.
        self._lock = threading.RLock()
        self.nbytes = 0
        """Size of everything held, as measured when it came."""
        self.released = 0
        """Bytes that have left memory, ever: an allocator may have kept them."""

    def keep_in(self, values: MutableMapping[str, Any]) -> None:
        """Keep the values in a mapping of somebody else's from now on. To be called while there are none."""
        self._values = values

    def put(self, key: str, value: Any, nbytes: int) -> bool:
        """Hold a value, in place of one that has the key. Return whether to call `make_room` now."""
        with self._lock:
            self.nbytes += nbytes - self._sizes.get(key, 0)
            self._sizes[key] = nbytes
            replaced = self._values.get(key)
            self._values[key] = value
        del replaced
        return False

    def make_room(self) -> int:
        """Have fewer results in memory, if there is anywhere else for them. Blocking."""
        return 0

    def needs_disk(self, keys: Iterable[str]) -> bool:
        """Tell whether reading one of these takes a while."""
        return False

    def encoded(self, key: str) -> tuple[str, str, list[Buffer]] | None:
        """Return name of the type, encoding and frames of a result that is kept encoded; None for all others."""
        return None

    def statistics(self) -> dict[str, float]:
        """Return what the heartbeat tells of results that are not in memory."""
        return {"spilled_bytes": 0}

    def drop(self, keys: Iterable[str]) -> None:
        """Hold values no longer. Unknown keys are passed over."""
        dropped = []
        with self._lock:
            for key in keys:
                nbytes = self._sizes.pop(key, 0)
                self.nbytes -= nbytes
                self.released += nbytes
                # Kept until the lock is free: a value's destructor may take its time.
                dropped.append(self._values.pop(key, None))
            self._give_back_tables()

    def _give_back_tables(self) -> None:
        """Give back the memory of tables that had many results, when there are none. With the lock."""
        if not self._sizes:
            self._sizes.clear()
            if isinstance(self._values, dict):
                self._values.clear()

    def size_of(self, key: str) -> int:
        """Return the size of a value in memory, 0 if it is not here."""
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
