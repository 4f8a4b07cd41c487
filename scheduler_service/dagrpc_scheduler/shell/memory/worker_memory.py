"""What the memory of workers is used for, from what they hold now and what they measured last."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from dagrpc.exceptions import InvalidRequestError
from dagrpc_scheduler.core.model import WorkerState
from dagrpc_scheduler.shell.facade.memory_views import MemoryState

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

MEASURES = frozenset(
    [field.name for field in fields(MemoryState)]
    + [name for name, value in vars(MemoryState).items() if isinstance(value, property)]
)
"""The figures that there are of a worker's memory."""


def memory_of(service: SchedulerService, worker: WorkerState) -> MemoryState:
    """Return what a worker's memory is used for.

    What it holds is known as of now, what it measured is up to a second old: its process takes no less than the results
    in it, and no more is on disk than there is.
    """
    connection = service.sessions.workers.get(worker.address)
    metrics = connection.metrics if connection is not None else {}
    spilled = min(int(metrics.get("spilled_bytes", 0)), worker.nbytes)
    process = max(int(metrics.get("memory", 0)), worker.nbytes - spilled)
    old = connection.unmanaged.value if connection is not None else None
    return MemoryState.measured(process, worker.nbytes, spilled, old)


def measured(service: SchedulerService, measure: str) -> dict[WorkerState, int]:
    """Return one figure of all workers' memory."""
    workers = service.core.state.workers.values()
    return {worker: getattr(memory_of(service, worker), measure) for worker in workers}


def checked_measure(measure: str, setting: str) -> str:
    """Return the name of a figure.

    Raises
    ------
    InvalidRequestError
        If there is no such figure; names the setting.
    """
    if measure not in MEASURES:
        raise InvalidRequestError(f"{setting} must be one of {', '.join(sorted(MEASURES))}; got {measure!r}")
    return measure
