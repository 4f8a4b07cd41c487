"""Reads the frames of other threads, which in Python 3.11 must not happen around a garbage collection."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar, cast

T = TypeVar("T")

_COLLECTS_IN_ALLOCATIONS = sys.version_info < (3, 12)
"""Whether a collection may begin wherever memory is allocated, also while Python makes the object of a frame.

A collection can run Python code (finalizers, `gc.callbacks`), which lets other threads run meanwhile. A frame whose
object is half made may then be gone, and the next look at it reads freed memory: the process crashes.
"""
_PAUSE = 0.001

_phases: OrderedDict[str, Any] = OrderedDict(start=None, stop=None)
"""The two phases of a collection; the last one is the one that came last.

`gc.callbacks` calls `move_to_end(phase, information)`. It is a function in C: no other thread can run within it, as it
could before the first line of a function in Python.
"""
if _COLLECTS_IN_ALLOCATIONS:
    gc.callbacks.insert(0, cast(Any, _phases.move_to_end))


def read_frames(read: Callable[[dict[int, FrameType]], T], attempts: int = 1) -> T | None:
    """Return what a function reads from the current frames of the other threads, by thread.

    The function must keep none of the frames. While a collection runs, the frames cannot be read; after so many
    attempts the answer is None. Collections wait while the function runs.

    Examples
    --------
    >>> threading.get_ident() in read_frames(set)
    False
    """
    for attempt in range(attempts):
        if attempt:
            time.sleep(_PAUSE)
        paused = _COLLECTS_IN_ALLOCATIONS and gc.isenabled()
        if paused:
            gc.disable()
        try:
            if not _is_collecting():
                return _read(read)
        finally:
            if paused:
                gc.enable()
    return None


def _is_collecting() -> bool:
    try:
        return list(_phases)[-1] == "start"
    except RuntimeError:
        # A collection that a program asked for began or ended just now.
        return True


def _read(read: Callable[[dict[int, FrameType]], T]) -> T:
    frames = sys._current_frames()
    # This thread's own frame refers to `frames`: a cycle that would keep the locals of tasks alive.
    frames.pop(threading.get_ident(), None)
    return read(frames)
