"""Figures about the cluster as a whole, made from the core's views."""

from __future__ import annotations

from collections import Counter

from dagrpc_scheduler.core import views
from dagrpc_scheduler.core.machine import SchedulerCore

LOADS = ("idle", "partially_saturated", "saturated", "paused", "retiring")
"""The states that `worker_loads` counts, as distributed's metric ``scheduler_workers`` names them."""


def load_of(worker: views.WorkerInfo) -> str:
    """Return one of `LOADS` for a worker; its status if the worker neither runs nor is listed there."""
    if worker.status != "running":
        return worker.status
    running = worker.processing - worker.long_running
    if running == 0:
        return "idle"
    return "saturated" if running > worker.nthreads else "partially_saturated"


def worker_loads(core: SchedulerCore) -> dict[str, int]:
    """Return how many workers are in each state of load; all of `LOADS` are listed."""
    found = Counter(dict.fromkeys(LOADS, 0))
    found.update(load_of(worker) for worker in views.workers(core))
    return dict(found)


def counts(core: SchedulerCore, clients: int, desired_workers: int) -> dict[str, int]:
    """Return the figures of ``/json/counts.json``, by the names that distributed has for them.

    Parameters
    ----------
    core : SchedulerCore
        The scheduler's core.
    clients : int
        How many clients are connected.
    desired_workers : int
        How many workers the tasks at hand could use.
    """
    workers = views.workers(core)
    states = views.state_counts(core)
    loads = Counter(load_of(worker) for worker in workers)
    return {
        "bytes": sum(worker.nbytes for worker in workers),
        "clients": clients,
        "cores": sum(worker.nthreads for worker in workers),
        "erred": states["erred"],
        "hosts": len({worker.host for worker in workers}),
        "idle": loads["idle"],
        "memory": states["memory"],
        "processing": states["processing"],
        "released": states["released"],
        "saturated": loads["saturated"],
        "tasks": sum(states.values()),
        "unrunnable": states["no-worker"],
        "waiting": states["waiting"],
        "waiting_data": states["waiting"],
        "queued": states["queued"],
        "workers": len(workers),
        "desired_workers": desired_workers,
    }
