"""Metrics that a worker measures and sends with its heartbeats."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from dagrpc_worker.data.result_store import DataStore
from dagrpc_worker.shell.monitoring.process_monitor import ProcessMonitor

logger = logging.getLogger("dagrpc.worker")


class Metrics:
    """Measures the process, and counts the worker's results, tasks and transfers.

    Parameters
    ----------
    worker : str
        The worker's address, for the log.
    executing : callable
        Returns the running tasks.
    counts : callable
        Returns further numbers by name.
    """

    def __init__(
        self,
        worker: str,
        monitor: ProcessMonitor,
        data: DataStore,
        executing: Callable[[], Mapping[str, float]],
        counts: Callable[[], Mapping[str, float]],
    ) -> None:
        self._worker = worker
        self._monitor = monitor
        self._data = data
        self._executing = executing
        self._counts = counts

    def sample(self) -> dict[str, float]:
        """Return the metrics by name; see `WorkerInfo.metrics` in the contract."""
        return {
            **self._process_sample(),
            "managed_bytes": self._data.nbytes,
            **self._data.statistics(),
            "in_memory": len(self._data),
            "executing": len(self._executing()),
            **self._counts(),
        }

    def _process_sample(self) -> dict[str, float]:
        try:
            found = self._monitor.present()
        except OSError as error:
            # The process may be out of file descriptors, for instance; the heartbeat must be sent all the same.
            logger.warning("Worker at %s cannot measure its process: %s", self._worker, error)
            return {}
        return {name: value for name, value in found.items() if name != "time"}
