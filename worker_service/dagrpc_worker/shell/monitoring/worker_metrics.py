"""What a worker measures of itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagrpc_worker.shell.service import WorkerService

logger = logging.getLogger("dagrpc.worker")


class Metrics:
    """Measures the process and counts what the worker holds and does.

    Parameters
    ----------
    worker : WorkerService
        The worker.
    """

    def __init__(self, worker: WorkerService) -> None:
        self._worker = worker
        self._monitor = worker.monitor

    def sample(self) -> dict[str, float]:
        """Return measurements by name; see `WorkerInfo.metrics` in the contract."""
        worker = self._worker
        return {
            **self._process_sample(),
            "managed_bytes": worker.data.nbytes,
            **worker.data.statistics(),
            "in_memory": len(worker.data),
            "executing": len(worker.executing()),
            **worker.counts(),
        }

    def _process_sample(self) -> dict[str, float]:
        try:
            found = self._monitor.update()
        except OSError as error:
            # Out of file descriptors, for instance: the scheduler must hear of us all the same.
            logger.warning("%s: the process cannot be measured: %s", self._worker.address, error)
            return {}
        return {name: value for name, value in found.items() if name != "time"}
