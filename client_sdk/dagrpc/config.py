"""Configuration, through `dask.config`.

A key such as ``scheduler.allowed-failures`` is looked up as ``dagrpc.scheduler.allowed-failures``, then as
``distributed.scheduler.allowed-failures``, so that files and variables written for distributed keep working; then the
default below holds. Environment variables are dask's: ``DAGRPC_SCHEDULER__ALLOWED_FAILURES`` with the section's name
in front is ``DASK_DAGRPC__SCHEDULER__ALLOWED_FAILURES``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dask.config
from dask.utils import parse_bytes, parse_timedelta

DEFAULTS: dict[str, Any] = {
    # How many workers may die while they run a task before it fails with KilledWorker.
    "scheduler.allowed-failures": 3,
    # Bytes per second that a transfer between workers is assumed to make.
    "scheduler.bandwidth": 100_000_000,
    # Assumed size of a result that was not measured.
    "scheduler.default-data-size": "1 kiB",
    # Assumed duration of a task of which none has run yet.
    "scheduler.unknown-task-duration": "500 ms",
    # Assumed durations by prefix.
    "scheduler.default-task-durations": {},
    # Root tasks beyond this many times the threads of a worker wait on the scheduler; inf: none do.
    "scheduler.worker-saturation": 1.1,
    # How long a task may wait for a worker that satisfies its restrictions; null: for ever.
    "scheduler.no-workers-timeout": None,
    # A worker that has not been heard of for so long is taken to be gone; null: never.
    "scheduler.worker-ttl": "5 minutes",
    # A lock or a semaphore's lease whose holder does not renew it for so long is given to the next; null: never.
    "scheduler.locks.lease-timeout": "30 s",
    # The scheduler stops after so long without work; null: never.
    "scheduler.idle-timeout": None,
    # Results up to this size ride in the completion report, on to the clients that wait.
    "comm.inline-limit": "8 kiB",
    # Size of the pieces of a transfer.
    "comm.chunk-size": "1 MiB",
    # Whether processes of one user on one host read large data out of each other's memory rather than send it.
    "comm.same-host": True,
    # Session messages above this size are sent in fragments.
    "comm.fragment-size": "4 MiB",
    # How long to look for a peer.
    "comm.timeouts.connect": "30 s",
    # How long a transfer may go without progress.
    "comm.timeouts.tcp": "30 s",
    # malloc's mmap and trim thresholds of a process that moves large data (a factor of 2 to 4 in throughput);
    # 0 leaves malloc alone. MALLOC_MMAP_THRESHOLD_ and MALLOC_TRIM_THRESHOLD_ in the environment win.
    "comm.malloc.mmap-threshold": "64 MiB",
    "comm.malloc.trim-threshold": "256 MiB",
    # How many transfers from peers a worker has under way.
    "worker.connections.outgoing": 50,
    # How many transfers to peers a worker serves at once.
    "worker.connections.incoming": 10,
    # How much one transfer asks for.
    "worker.transfer.message-bytes-limit": "50 MB",
    # Threads switch at least this often, so that the worker answers while Python code keeps it busy.
    "worker.switch-interval": "1 ms",
    # Abstract resources of workers that are given none.
    "worker.resources": {},
    # Where workers keep temporary files; null: the system's directory for them.
    "worker.local-directory": None,
    # How often a worker sends its measurements.
    "worker.heartbeat-interval": "1 s",
    # Variables for worker processes before they start, unless they are set.
    "nanny.pre-spawn-environ": {
        "MALLOC_MMAP_THRESHOLD_": 64 * 2**20,
        "MALLOC_TRIM_THRESHOLD_": 256 * 2**20,
        "OMP_NUM_THREADS": 1,
        "MKL_NUM_THREADS": 1,
        "OPENBLAS_NUM_THREADS": 1,
    },
    # How long a worker process may take to join.
    "nanny.start-timeout": "60 s",
    # A worker that ended by itself so many times within the window is not started again.
    "nanny.max-restarts": 5,
    "nanny.restart-window": "60 s",
    # How often a client polls for what it cannot be told.
    "client.heartbeat": "5 s",
    # Length of the texts of failures.
    "admin.max-error-length": 10_000,
    # How many changes of state a story can go back.
    "admin.low-level-log-length": 1_000,
    # Graphs beyond this size are warned about.
    "admin.large-graph-warning-threshold": "10 MB",
}


def get(key: str, override: Any = None) -> Any:
    """Return a setting.

    Parameters
    ----------
    key : str
        Dotted name below ``dagrpc`` or ``distributed``.
    override : optional
        Returned instead if it is not None.

    Examples
    --------
    >>> get("scheduler.allowed-failures")
    3
    """
    if override is not None:
        return override
    for root in ("dagrpc", "distributed"):
        value = dask.config.get(f"{root}.{key}", _ABSENT)
        if value is not _ABSENT:
            return value
    return DEFAULTS[key]


_ABSENT: Any = object()


def get_seconds(key: str, override: Any = None) -> float | None:
    """Return a setting that is a duration, in seconds, or None if it is null."""
    return seconds(get(key, override))


def get_bytes(key: str, override: Any = None) -> int:
    """Return a setting that is a size, in bytes."""
    return int(parse_bytes(get(key, override)))


def seconds(value: float | str | timedelta | None) -> float | None:
    """Return a duration in seconds.

    Parameters
    ----------
    value : number, str, timedelta or None
        ``10``, ``"10s"``, ``"500 ms"``, ``timedelta(minutes=5)``. None stays None.

    Examples
    --------
    >>> seconds("500 ms")
    0.5
    """
    if value is None or isinstance(value, (int, float)):
        return value
    if isinstance(value, timedelta):
        return value.total_seconds()
    return float(parse_timedelta(value, default="s"))
