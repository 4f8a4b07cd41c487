"""Locks in processes that are forked off: nobody is left there who could release what another thread had acquired."""

from __future__ import annotations

import os
from typing import Any, TypeVar

Lock = TypeVar("Lock")


def free_in_children(lock: Lock) -> Lock:
    """Have a lock be free in every process that is forked off from now on, as those of the standard library are."""
    reset: Any = lock
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=reset._at_fork_reinit)
    return lock
