"""What the worker's nanny is told of it, through the pipe between the two processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagrpc_worker.shell.service import WorkerService


class ToNanny:
    """Tells whoever started the worker's process how the worker is. On the loop.

    Each is told before the worker acts on it: a task may end the process at once.
    """

    def __init__(self) -> None:
        self.tell: Callable[[dict[str, Any]], object] = lambda message: None
        """Takes what is to be told; does nothing while nobody listens."""
        self._at_work = False

    def joined(self, worker: WorkerService) -> None:
        """Tell that the worker is part of the cluster."""
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
        """Tell, once, that the worker is given something to do."""
        if not self._at_work:
            self._at_work = True
            self.tell({"status": "working"})
