"""A local cluster's services inside this process, on dagrpc's event loop: quick to start, easy to debug."""

from __future__ import annotations

import asyncio
from typing import Any

# The one place of the package that imports the services: elsewhere they are started by the names of their modules.
from dagrpc_scheduler.shell.service import SchedulerOptions, SchedulerService
from dagrpc_worker.shell.options import WorkerOptions
from dagrpc_worker.shell.service import WorkerService


class InProcessBackend:
    """Runs a local cluster's services in this process.

    Parameters
    ----------
    host : str
        Where all of them listen.
    port : int
        The scheduler's port; 0: a free one.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._scheduler: SchedulerService | None = None
        self._workers: list[WorkerService] = []

    async def start(self, workers: list[dict[str, Any]]) -> str:
        """Start the scheduler and workers, and return the scheduler's address."""
        self._scheduler = SchedulerService(SchedulerOptions(host=self._host, port=self._port, allow_code=True))
        await self._scheduler.start()
        await self.add_workers(workers)
        return self._scheduler.address

    async def add_workers(self, workers: list[dict[str, Any]]) -> None:
        """Start more workers."""
        assert self._scheduler is not None
        address = self._scheduler.address
        started = []
        for spec in workers:
            given = {name: value for name, value in spec.items() if value is not None}
            options = WorkerOptions(scheduler_address=address, host=self._host, **given)
            started.append(WorkerService(options))
        await asyncio.gather(*(worker.start() for worker in started))
        self._workers = [worker for worker in self._workers if not worker.closed] + started

    async def close(self, timeout: float) -> None:
        """Stop everything."""
        if self._scheduler is not None:
            await asyncio.wait_for(self._scheduler.close("its cluster closes"), timeout)
        await asyncio.gather(
            *(asyncio.wait_for(worker.close("its cluster closes"), timeout) for worker in self._workers)
        )
        self._workers, self._scheduler = [], None
