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
        # Takes a while to import, and the first task need not wait for it.
        import psutil

        self._worker = worker
        self._error = psutil.Error
        self._process = psutil.Process()
        self._process.cpu_percent()

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
        process = self._process
        try:
            with process.oneshot():
                return {
                    "cpu": process.cpu_percent(),
                    "memory": process.memory_info().rss,
                    "num_fds": process.num_fds() if hasattr(process, "num_fds") else 0,
                    "num_threads": process.num_threads(),
                }
        except (OSError, self._error) as error:
            # Out of file descriptors, for instance: the scheduler must hear of us all the same.
            logger.warning("%s: the process cannot be measured: %s", self._worker.address, error)
            return {}
