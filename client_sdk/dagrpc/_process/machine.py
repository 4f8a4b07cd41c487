"""The processors and the memory of this machine, and how workers divide them."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def cpu_count() -> int:
    """Return how many processors this process may use, cgroup limits included."""
    # A scheduler starts sooner without dask, which it does not need otherwise.
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)


def total_memory() -> int:
    """Return how much memory this process may use, in bytes, cgroup limits included."""
    total = _physical_memory()
    for path in _CGROUP_LIMITS:
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total


def _physical_memory() -> int:
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    import psutil

    return int(psutil.virtual_memory().total)


def processes_and_threads(threads: int) -> tuple[int, int]:
    """Return the number of processes, and of threads in each, for so many threads.

    Small machines get a process for each thread. Larger machines get about as many processes as threads in each: few
    enough processes to limit their traffic, and few enough threads to share an interpreter's lock.

    Examples
    --------
    >>> processes_and_threads(4)
    (4, 1)
    >>> processes_and_threads(64)
    (8, 8)
    """
    if threads <= 4:
        processes = threads
    else:
        processes = min(f for f in range(1, threads + 1) if threads % f == 0 and f >= math.sqrt(threads))
    return processes, threads // processes


def parse_memory_limit(limit: str | float | int | None, nthreads: int, workers: int = 1) -> int:
    """Return a worker's memory limit in bytes; 0 stands for no limit.

    `limit` is ``"auto"`` (the machine's memory in proportion to the threads), a size such as ``"4 GiB"``, a fraction of
    the machine's memory (a float up to 1), bytes, or 0 or None for no limit; ValueError for anything else. `workers` is
    the number of such workers on the machine, for ``"auto"``.

    Examples
    --------
    >>> parse_memory_limit("1 GiB", 1)
    1073741824
    """
    if limit is None or limit == 0 or limit == "0":
        return 0
    memory = total_memory()
    if limit == "auto":
        share = min(1.0, nthreads * max(workers, 1) / cpu_count())
        return int(memory * share / max(workers, 1))
    if isinstance(limit, str):
        try:
            number = float(limit)
        except ValueError:
            from dask.utils import parse_bytes

            return min(int(parse_bytes(limit)), memory)
        return parse_memory_limit(number, nthreads)
    if limit < 0:
        raise ValueError(f"memory_limit is {limit!r}; it must not be negative")
    if isinstance(limit, float) and limit <= 1:
        return int(memory * limit)
    return min(int(limit), memory)
