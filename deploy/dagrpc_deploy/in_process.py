"""A local cluster's services inside this process, on dagrpc's event loop: quick to start, easy to debug."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Of the services themselves this knows nothing: these are looked up when they are made.
from dagrpc import Scheduler, Security, Worker
from dagrpc.v1 import scheduler_service_pb2 as pb


class InProcessBackend:
    """Runs a local cluster's services in this process.

    Parameters
    ----------
    host : str
        Where all of them listen.
    port : int
        The scheduler's port; 0: a free one.
    scheduler_options : mapping, optional
        For `Scheduler`.
    worker_class : callable, optional
        Makes a worker, or a nanny that has one: takes the scheduler's address and options.
    security : Security, optional
        Of all of them.
    """

    def __init__(
        self,
        host: str,
        port: int,
        scheduler_options: Mapping[str, Any] | None = None,
        worker_class: Callable[..., Any] | None = None,
        security: Security | None = None,
    ) -> None:
        self._of_all: dict[str, Any] = {} if security is None else {"security": security}
        self._host = host
        self._worker_class = worker_class or Worker
        options = {"host": host, "port": port, "allow_code": True, **self._of_all, **(scheduler_options or {})}
        self.scheduler = Scheduler(**options)
        self.workers: dict[str, Any] = {}
        """Workers, or nannies, by name."""

    async def start(self, workers: list[dict[str, Any]]) -> str:
        """Start the scheduler and workers, and return the scheduler's address."""
        await self.scheduler
        await self.add_workers(workers)
        return str(self.scheduler.address)

    async def add_workers(self, workers: list[dict[str, Any]]) -> None:
        """Start more workers."""
        started = {}
        for spec in workers:
            given = {name: value for name, value in spec.items() if value is not None}
            started[spec["name"]] = self._worker_class(self.scheduler.address, host=self._host, **self._of_all, **given)
        self.workers = {name: worker for name, worker in self.workers.items() if worker.status != "closed"} | started
        await asyncio.gather(*(worker.start() for worker in started.values()))

    async def drop(self, workers: Sequence[pb.WorkerInfo]) -> None:
        """Close workers, whatever they hold."""
        leaving = [self.workers[worker.name] for worker in workers if worker.name in self.workers]
        await asyncio.gather(*(worker.close(reason="its cluster needs it no more") for worker in leaving))

    async def close(self, timeout: float) -> None:
        """Stop everything."""
        await asyncio.wait_for(self.scheduler.close(reason="its cluster closes"), timeout)
        workers = list(self.workers.values())
        with contextlib.suppress(TimeoutError):
            closing = (worker.close(timeout=timeout, reason="its cluster closes") for worker in workers)
            await asyncio.gather(*closing)
        self.workers = {}
