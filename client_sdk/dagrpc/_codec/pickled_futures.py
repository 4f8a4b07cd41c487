"""Which futures a pickle has in it, wherever in a value they are."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

_noting = threading.local()


@contextlib.contextmanager
def noted() -> Iterator[list[Any]]:
    """Collect the futures that this thread pickles within a block. One may be met several times."""
    former = getattr(_noting, "futures", None)
    futures: list[Any] = []
    _noting.futures = futures
    try:
        yield futures
    finally:
        _noting.futures = former


def note(future: Any) -> None:
    """Take note that a future is pickled."""
    futures: list[Any] | None = getattr(_noting, "futures", None)
    if futures is not None:
        futures.append(future)
