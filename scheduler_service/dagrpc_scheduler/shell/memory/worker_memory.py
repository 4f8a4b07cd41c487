"""Use of the workers' memory: results as they are known now, processes as they were last measured."""

from __future__ import annotations

from dataclasses import fields

from dagrpc.exceptions import InvalidRequestError
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.core.model import WorkerState
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers
from dagrpc_scheduler.shell.user_views.memory_state import MemoryState

MEASURES = frozenset(
    [field.name for field in fields(MemoryState)]
    + [name for name, value in vars(MemoryState).items() if isinstance(value, property)]
)
"""The figures that a `MemoryState` has."""


def memory_of(peers: ConnectedPeers, worker: WorkerState) -> MemoryState:
    """Return what a worker's memory is used for.

    Measurements are up to a second older than what is known of results: the process is taken to use no less than its
    results in memory, and no more is taken to be on disk than there is.
    """
    connection = peers.workers.get(worker.address)
    metrics = connection.metrics if connection is not None else {}
    spilled = min(int(metrics.get("spilled_bytes", 0)), worker.nbytes)
    process = max(int(metrics.get("memory", 0)), worker.nbytes - spilled)
    old = connection.unmanaged.value if connection is not None else None
    return MemoryState.measured(process, worker.nbytes, spilled, old)


def measured(core: SchedulerCore, peers: ConnectedPeers, measure: str) -> dict[WorkerState, int]:
    """Return one figure of each worker's memory."""
    return {worker: getattr(memory_of(peers, worker), measure) for worker in core.state.workers.values()}


def checked_measure(measure: str, setting: str) -> str:
    """Return the name of a figure, or raise `InvalidRequestError` naming the setting if there is no such figure."""
    if measure not in MEASURES:
        raise InvalidRequestError(f"{setting} must be one of {', '.join(sorted(MEASURES))}; got {measure!r}")
    return measure
