"""A process that uses malloc for all of Python's memory."""

from __future__ import annotations

import os
import sys

_VARIABLE = "PYTHONMALLOC"


def environment() -> dict[str, str]:
    """Return what makes a new process use malloc; nothing, if the user has chosen.

    Python's own allocator keeps what it once got, as long as there is anything left in each MiB of it. After 200,000
    tasks were held and released, 90 MiB stay with a scheduler, less than 20 MiB with malloc, at 5 % more time per task.
    """
    return {} if _VARIABLE in os.environ or not sys.platform.startswith("linux") else {_VARIABLE: "malloc"}


def begin_anew_with_malloc() -> None:
    """Have this process begin again with malloc, unless the user has chosen. It is read before anything else.

    To be called before there are threads, files or children.
    """
    added = environment()
    if not added or getattr(sys, "frozen", False) or not sys.executable or not sys.orig_argv:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **added})
