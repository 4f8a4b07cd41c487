"""The memory that a process uses."""

from __future__ import annotations

import re
import sys

_LINES = re.compile(rb"^Rss(?:Anon|Shmem):\s+(\d+) kB$", re.MULTILINE)


def used_memory(pid: int | None = None) -> int:
    """Return the resident bytes of a process, by default of this one.

    On Linux, pages of mapped files are left out: the system can drop them and read them again.

    Raises
    ------
    OSError
        If the process cannot be inspected, for example because it has ended.

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
        raise OSError(f"The memory of process {pid} cannot be read: {error}") from error
