"""Records the futures in a pickle, at any depth of the value."""

from __future__ import annotations

import threading
from typing import Any

_noting = threading.local()


class noted:
    """Collects the futures that the thread pickles within a block. The list may contain a future several times."""

    __slots__ = ("_former",)

    def __enter__(self) -> list[Any]:
        self._former: list[Any] | None = getattr(_noting, "futures", None)
        futures: list[Any] = []
        _noting.futures = futures
        return futures

    def __exit__(self, *_: object) -> None:
        _noting.futures = self._former


def note(future: Any) -> None:
    """Record that a future is being pickled."""
    futures: list[Any] | None = getattr(_noting, "futures", None)
    if futures is not None:
        futures.append(future)
