"""Workers in this process, with a stand-in for the scheduler."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from dagrpc._loop.io_loop import get_loop
from dagrpc._rpc.channels import ServiceClient, open_channel
from dagrpc._rpc.grpc_options import DATA_CHANNEL
from dagrpc._transfer.transfers import WORKER_SERVICE
from dagrpc_worker.options import WorkerOptions
from dagrpc_worker.shell.facade.make_service import make_service
from dagrpc_worker.shell.service import WorkerService
from tests.unit.worker_shell.standin import JoinedWorker, StandIn


class Lab:
    """A stand-in with workers in this process."""

    def __init__(self, scheduler: StandIn) -> None:
        self.scheduler = scheduler
        self.workers: list[WorkerService] = []
        self._channels: list[Any] = []

    async def worker(self, name: str, **options: Any) -> JoinedWorker:
        """Start a worker and return it as the stand-in sees it."""
        settings = {"nthreads": 1, "heartbeat_interval": 0.05, "scheduler_address": self.scheduler.address, **options}
        service = make_service(WorkerOptions(name=name, **settings))
        await service.start()
        self.workers.append(service)
        return self.scheduler.workers[service.address]

    def client(self, address: str) -> ServiceClient:
        channel = open_channel(address, DATA_CHANNEL)
        self._channels.append(channel)
        return ServiceClient(channel, WORKER_SERVICE, address)

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()
        await asyncio.gather(*(worker.close("test over") for worker in self.workers))
        await self.scheduler.stop()


def in_lab(body: Callable[[Lab], Awaitable[None]], timeout: float = 100.0) -> None:
    """Run a test on the process's loop."""

    async def run() -> None:
        lab = Lab(await StandIn().start())
        try:
            await body(lab)
        finally:
            await lab.close()

    get_loop().run(run(), timeout)


def on(*workers: JoinedWorker, nbytes: int = 28) -> tuple[int, list[str]]:
    return nbytes, [worker.address for worker in workers]
