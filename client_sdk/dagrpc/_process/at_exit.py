"""Functions that run when the program ends."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable


def before_threads_end(function: Callable[[], object]) -> None:
    """Call a function when the program ends, before the interpreter joins its threads and refuses to start others.

    ``atexit`` alone calls too late: closing a client or a cluster needs threads and thread pools. Functions that are
    registered later run earlier.
    """
    getattr(threading, "_register_atexit", atexit.register)(function)
