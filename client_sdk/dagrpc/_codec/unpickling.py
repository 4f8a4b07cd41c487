"""Unpickling in worker processes: one thread at a time.

Unpickling imports modules. If modules of a package import each other, as in dask.dataframe, two threads that start with
different modules can deadlock. Python detects the deadlock and lets one thread continue with partially imported
modules, so that its import fails. Therefore only one thread at a time unpickles received data.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from dagrpc._process.fork_locks import free_in_children

P = ParamSpec("P")
R = TypeVar("R")

_PATIENCE = 30.0
"""Longest wait for another thread, in seconds. A thread that takes longer may itself be waiting for this one."""

_turn = free_in_children(threading.RLock())


def with_unpickle_lock(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function that unpickles, while no other thread unpickles. Must not be called on an event loop."""
    mine = _turn.acquire(timeout=_PATIENCE)
    try:
        return function(*args, **kwargs)
    finally:
        if mine:
            _turn.release()
