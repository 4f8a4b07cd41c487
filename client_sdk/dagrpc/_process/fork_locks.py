"""Locks in forked processes, which lack the threads that could release an acquired lock."""

from __future__ import annotations

import os
from typing import Any, TypeVar

Lock = TypeVar("Lock")


def free_in_children(lock: Lock) -> Lock:
    """Reset a lock in every process that is forked from now on, as the standard library does with its locks."""
    reset: Any = lock
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=reset._at_fork_reinit)
    return lock
