"""The results that a worker holds, by key."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any


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
        """Size in memory of everything held, as measured when it came."""

    def keep_in(self, values: MutableMapping[str, Any]) -> None:
        """Keep the values in a mapping of somebody else's from now on. To be called while there are none."""
        self._values = values

    def put(self, key: str, value: Any, nbytes: int) -> None:
        """Hold a value. A value that has the key already is replaced."""
        with self._lock:
            self.nbytes += nbytes - self._sizes.get(key, 0)
            self._sizes[key] = nbytes
            replaced = self._values.get(key)
            self._values[key] = value
        del replaced

    def drop(self, keys: Iterable[str]) -> None:
        """Hold values no longer. Unknown keys are passed over."""
        dropped = []
        with self._lock:
            for key in keys:
                self.nbytes -= self._sizes.pop(key, 0)
                # Kept until the lock is free: a value's destructor may take its time.
                dropped.append(self._values.pop(key, None))

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
