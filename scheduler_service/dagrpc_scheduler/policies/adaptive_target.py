"""The number of workers that an adaptive cluster should have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_MEMORY_FULL = 0.6
"""More memory is requested once the results take this fraction of all workers' memory."""


@dataclass(slots=True, frozen=True)
class Load:
    """The work and the workers of a cluster."""

    workers: int
    """Number of workers."""
    occupancy: float
    """Seconds for which all known work is expected to keep one thread busy."""
    runnable: int
    """Number of tasks that run or could run at this moment."""
    unrunnable: int
    """Number of tasks that no worker may run."""
    nbytes: int
    """Bytes of all results that workers hold, replicas included."""
    memory_limit: int
    """Sum of the workers' memory limits; 0 if one of them has none."""
    nthreads: Sequence[int]
    """Number of threads of each worker."""


def adaptive_target(load: Load, target_duration: float, closable: int) -> int:
    """Return the number of workers that there should be.

    The number suffices to finish within `target_duration`, but does not exceed the number of runnable tasks. It doubles
    when memory is short, and is at least one while some task has no worker. It falls only as far as workers may be
    closed.

    Parameters
    ----------
    load : Load
        The work and the workers of the cluster.
    target_duration : float
        Seconds within which all known work should be done.
    closable : int
        The number of workers that may be closed.

    Examples
    --------
    >>> busy = Load(2, occupancy=100.0, runnable=50, unrunnable=0, nbytes=0, memory_limit=0, nthreads=[1, 1])
    >>> adaptive_target(busy, 5.0, 0)
    20
    >>> adaptive_target(busy, 1.0, 0)
    50
    >>> idle = Load(2, occupancy=0.0, runnable=0, unrunnable=0, nbytes=0, memory_limit=0, nthreads=[1, 1])
    >>> adaptive_target(idle, 5.0, 2)
    0
    """
    threads = min(math.ceil(load.occupancy / target_duration), load.runnable) if load.occupancy > 0 else 0
    # Work of unknown duration may count as none, but a running task still needs a worker.
    threads = max(threads, 1 if load.runnable else 0)
    wanted = math.ceil(threads / _threads_each(load.nthreads))
    if load.unrunnable and not load.workers:
        wanted = max(wanted, 1)
    elif load.unrunnable and not load.runnable:
        # The tasks may wait for a kind of worker that the next one provides.
        wanted = max(wanted, load.workers)
    if load.memory_limit and load.nbytes > _MEMORY_FULL * load.memory_limit:
        wanted = max(wanted, 2 * load.workers)
    if wanted >= load.workers:
        return wanted
    return max(wanted, load.workers - closable)


def _threads_each(nthreads: Sequence[int]) -> float:
    """Return the number of threads that a further worker is likely to bring."""
    return sum(nthreads) / len(nthreads) if nthreads else 1.0
