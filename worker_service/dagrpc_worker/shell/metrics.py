"""What a worker measures of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagrpc_worker.shell.service import WorkerService


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
        self._process = psutil.Process()
        self._process.cpu_percent()

    def sample(self) -> dict[str, float]:
        """Return measurements by name; see `WorkerInfo.metrics` in the contract."""
        worker, process = self._worker, self._process
        with process.oneshot():
            measured = {
                "cpu": process.cpu_percent(),
                "memory": process.memory_info().rss,
                "num_fds": process.num_fds() if hasattr(process, "num_fds") else 0,
                "num_threads": process.num_threads(),
            }
        return {
            **measured,
            "managed_bytes": worker.data.nbytes,
            "spilled_bytes": 0,
            "in_memory": len(worker.data),
            "executing": len(worker.executing()),
            **worker.counts(),
        }
