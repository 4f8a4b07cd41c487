"""Exit codes of worker processes, and ways to end a process."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of a worker process that was not killed. The codes from 64 on follow ``sysexits.h``."""

    CLOSED = 0
    """The worker was told to close."""
    BAD_SETTINGS = 64
    """The worker cannot start with its settings, for instance because its port is taken."""
    NO_SCHEDULER = 69
    """The worker found no scheduler within its death timeout."""
    BUG = 70
    """The worker closed after an internal error."""
    CUT_OFF = 71
    """The scheduler disconnected the worker several times because the worker could not keep up."""
    TASK = 72
    """A task, or a coroutine on the event loop, ended the process, for instance with `sys.exit`."""
    RESTART = 75
    """The scheduler wants another worker in this one's place."""
    LOST_SCHEDULER = 76
    """The worker lost its scheduler; another worker may find it again."""
    REFUSED = 77
    """The scheduler refuses the worker: its name is taken, or its version does not match."""


def describe_exit(code: int) -> str:
    """Return a readable description of an exit code.

    Examples
    --------
    >>> describe_exit(-9)
    'killed by SIGKILL'
    >>> describe_exit(76)
    'exit code 76 (LOST_SCHEDULER)'
    """
    if code < 0:
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"
    try:
        return f"exit code {code} ({ExitCode(code).name})"
    except ValueError:
        return f"exit code {code}"


def end_at_once(code: int) -> None:
    """End this process at once, as a crash would: without cleaning up or saying goodbye to the scheduler."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


def exit_after(seconds: float, code: int) -> None:
    """End this process after `seconds`, whatever its threads do: a task that never ends must not keep it alive."""

    def end() -> None:
        time.sleep(seconds)
        os._exit(code)

    threading.Thread(target=end, name="dagrpc-exit", daemon=True).start()
