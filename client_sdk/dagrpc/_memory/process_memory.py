"""How much memory a process uses."""

from __future__ import annotations

import re
import sys

_LINES = re.compile(rb"^Rss(?:Anon|Shmem):\s+(\d+) kB$", re.MULTILINE)


def used_memory(pid: int | None = None) -> int:
    """Return the bytes of memory that the system cannot take from a process.

    Files that it has mapped do not count where that can be told: they are read again when they are needed.

    Parameters
    ----------
    pid : int, optional
        The process; by default this one.

    Raises
    ------
    OSError
        If it cannot be looked at: it has ended, for instance.

    Examples
    --------
    >>> used_memory() > 1_000_000
    True
    """
    if sys.platform == "linux":
        with open(f"/proc/{pid or 'self'}/status", "rb") as file:
            found = _LINES.findall(file.read())
        if found:
            return sum(map(int, found)) * 1024
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error as error:
        raise OSError(f"Process {pid} cannot be looked at: {error}") from error
