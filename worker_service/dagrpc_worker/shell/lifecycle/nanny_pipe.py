"""Reports of a worker to the process that started it, through the pipe between the two processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dagrpc_worker.shell.worker_record import WorkerRecord


class NannyPipe:
    """Reports how the worker is. On the loop.

    Each report is sent before the worker acts on its cause: a task may end the process at once.
    """

    def __init__(self) -> None:
        self.tell: Callable[[dict[str, Any]], object] = lambda message: None
        """Sends a report; does nothing in a process without a parent."""
        self._at_work = False

    def joined(self, worker: WorkerRecord) -> None:
        """Report that the worker is part of the cluster."""
        self.tell(
            {
                "status": "running",
                "address": worker.address,
                "name": worker.name,
                "directory": worker.local_directory,
                "scheduler": worker.scheduler_address,
            }
        )

    def at_work(self) -> None:
        """Report, once, that the worker has been given something to do."""
        if not self._at_work:
            self._at_work = True
            self.tell({"status": "working"})
