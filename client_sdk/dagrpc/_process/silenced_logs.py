"""Keeps the log lines of clusters from the terminal, as the argument `silence_logs` asks."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable

LOGGERS = ("dagrpc", "distributed")
"""The loggers of dagrpc, and of programs written for distributed."""

_levels: list[int] = []
"""The levels that clusters of this process ask for; the highest counts."""
_lock = threading.Lock()


class _Silence(logging.Filter):
    """Takes out the lines of dagrpc below the level that clusters ask for."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a handler shows a line."""
        return not is_silenced(record)


_silence = _Silence()


def is_silenced(record: logging.LogRecord) -> bool:
    """Return whether a cluster of this process keeps a line from the terminal."""
    name, _, _ = record.name.partition(".")
    return name in LOGGERS and record.levelno < max(_levels, default=0)


def silence_terminal(level: int) -> Callable[[], None]:
    """Show no lines of dagrpc below `level` on the terminal until the returned function is called.

    A terminal shows warnings only unless the program asks for more, so a level up to WARNING changes nothing. Handlers
    that write to a file, and the lines that clients can ask for, stay as they are.
    """
    if level <= logging.WARNING:
        return lambda: None
    with _lock:
        _levels.append(level)
        for handler in _terminal_handlers():
            handler.addFilter(_silence)
    left = [level]

    def restore() -> None:
        with _lock:
            if left:
                _levels.remove(left.pop())

    return restore


def _terminal_handlers() -> list[logging.Handler]:
    """Return the handlers that write the lines of dagrpc to the terminal."""
    found = [handler for name in (None, *LOGGERS) for handler in logging.getLogger(name).handlers]
    if logging.lastResort is not None:
        found.append(logging.lastResort)
    streams = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    return [each for each in found if isinstance(each, logging.StreamHandler) and each.stream in streams]
