"""How many workers a cluster that adapts itself to its load should have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_MEMORY_FULL = 0.6
"""Share of all workers' memory in results from which on more memory is asked for."""


@dataclass(slots=True, frozen=True)
class Load:
    """What there is to do, and what there is to do it with."""

    workers: int
    """How many workers there are."""
    occupancy: float
    """Seconds for which all that is to be done is expected to keep one thread busy."""
    runnable: int
    """How many tasks could run at this moment, or run."""
    unrunnable: int
    """How many tasks no worker may run."""
    nbytes: int
    """Size of all results that workers hold, replicas included."""
    memory_limit: int
    """Sum of the workers' memory limits; 0 if one of them has none."""
    nthreads: Sequence[int]
    """Threads of each worker."""


def adaptive_target(load: Load, target_duration: float, closable: int) -> int:
    """Return how many workers there should be.

    Enough to be done within `target_duration`, but no more than there are tasks for; twice as many when memory gets
    scarce; at least one when there is a task that none may run. Fewer than there are only as far as workers may go.

    Parameters
    ----------
    load : Load
        The cluster.
    target_duration : float
        Seconds within which all that is known is to be done.
    closable : int
        How many workers may go.

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
    # Work that nobody has measured yet may be counted as none: a task that runs still needs a worker.
    threads = max(threads, 1 if load.runnable else 0)
    wanted = math.ceil(threads / _threads_each(load.nthreads))
    if load.unrunnable and not load.workers:
        wanted = max(wanted, 1)
    elif load.unrunnable and not load.runnable:
        # They may be waiting for a kind of worker that comes with the next one.
        wanted = max(wanted, load.workers)
    if load.memory_limit and load.nbytes > _MEMORY_FULL * load.memory_limit:
        wanted = max(wanted, 2 * load.workers)
    if wanted >= load.workers:
        return wanted
    return max(wanted, load.workers - closable)


def _threads_each(nthreads: Sequence[int]) -> float:
    """Return how many threads a further worker is likely to bring."""
    return sum(nthreads) / len(nthreads) if nthreads else 1.0
