"""Unpickling in worker processes: one thread at a time.

Unpickling imports modules. Where modules of a package import each other, as those of dask.dataframe do, two threads
that begin with different ones stand in each other's way: Python sees the deadlock and lets one of them go on with
modules that are half imported, and its import fails. So threads that unpickle what others sent wait for their turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from dagrpc._process.fork_locks import free_in_children

P = ParamSpec("P")
R = TypeVar("R")

_PATIENCE = 30.0
"""How long to wait for one's turn, in seconds. Who unpickles so long waits for something itself, perhaps for us."""

_turn = free_in_children(threading.RLock())


def with_unpickle_lock(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function that unpickles while no other thread does. Not for an event loop's thread."""
    mine = _turn.acquire(timeout=_PATIENCE)
    try:
        return function(*args, **kwargs)
    finally:
        if mine:
            _turn.release()
