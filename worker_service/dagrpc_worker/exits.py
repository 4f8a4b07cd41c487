"""How worker processes end, for their nannies and for those who start them."""

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
    """Exit codes of a worker process that ended by itself. Those from 64 on are in the spirit of ``sysexits.h``."""

    CLOSED = 0
    """It was asked to leave for good."""
    BAD_SETTINGS = 64
    """It cannot be started as it was told: a port that is taken, for instance."""
    NO_SCHEDULER = 69
    """There was no scheduler within its death timeout."""
    BUG = 70
    """It met a bug and closed."""
    CUT_OFF = 71
    """The scheduler cut it off several times, since it could not keep up."""
    TASK = 72
    """A task, or what runs on its event loop, ended it: with `sys.exit`, for instance. The code was the task's."""
    RESTART = 75
    """The scheduler wants another in its place."""
    LOST_SCHEDULER = 76
    """Its scheduler went away: another may find it again."""
    REFUSED = 77
    """The scheduler does not want it: its name is taken, or its version does not fit."""


def describe_exit(code: int) -> str:
    """Return how a process ended, in words.

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
    """End this process as a crash would: nobody takes leave, so that whoever waits for it knows that it is lost."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


def exit_after(seconds: float, code: int) -> None:
    """End this process after so many seconds, if it is still there then.

    For processes that have nothing left to do: threads of the user's, or a task that never ends, must not keep them.
    """

    def end() -> None:
        time.sleep(seconds)
        os._exit(code)

    threading.Thread(target=end, name="dagrpc-exit", daemon=True).start()
