"""Cluster managers based on jobs, like dask-jobqueue, where each job is a command that starts several workers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import Any

from dagrpc import Client, ProcessInterface, Scheduler, SpecCluster
from tests.support.clusters import inc
from tests.support.waiting import eventually

WAIT = 60


class Job(ProcessInterface):
    """Workers that a command starts. Sets what it was given before the base class does."""

    def __init__(self, scheduler: str | None = None, name: str | None = None, processes: int = 1) -> None:
        self.scheduler = scheduler
        self.name = name
        super().__init__()
        options = ["--name", str(name), "--nworkers", str(processes), "--nthreads", "1", "--death-timeout", "60"]
        self.command = [sys.executable, "-m", "dagrpc.cli", "worker", str(self.scheduler), *options]
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        devnull = asyncio.subprocess.DEVNULL
        self.process = await asyncio.create_subprocess_exec(*self.command, stdout=devnull, stderr=devnull)
        await super().start()

    async def close(self, timeout: float | None = None) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGTERM)
            await asyncio.wait_for(self.process.wait(), 30)
        await super().close()


class JobCluster(SpecCluster):
    """Two workers a job, and names that say which cluster they are of."""

    def __init__(self, **options: Any) -> None:
        worker = {"cls": Job, "options": {"processes": 2}, "group": ["-0", "-1"]}
        super().__init__(scheduler={"cls": Scheduler, "options": {}}, worker=worker, **options)

    def _new_worker_name(self, worker_number: Any) -> str:
        return f"{self._name}-{worker_number}"


def test_jobs_come_and_go() -> None:
    with JobCluster(name="jobs") as cluster, Client(cluster) as client:

        def names() -> set[str]:
            return {worker["name"] for worker in client.scheduler_info()["workers"].values()}

        cluster.scale(2)
        client.wait_for_workers(4, timeout=WAIT)
        assert names() == {"jobs-0-0", "jobs-0-1", "jobs-1-0", "jobs-1-1"}
        data = client.map(inc, range(20))
        assert client.gather(data) == list(range(1, 21))
        cluster.scale(1)
        eventually(lambda: len(names()) == 2)
        assert {name.rpartition("-")[0] for name in names()} == set(cluster.plan)
        assert client.gather(data) == list(range(1, 21))
        jobs = list(cluster.workers.values())
    assert all(job.process.returncode is not None for job in jobs)


def test_jobs_are_submitted_as_there_is_work() -> None:
    with JobCluster() as cluster, Client(cluster) as client:
        cluster.adapt(minimum=0, maximum=2, interval="100 ms", wait_count=2)
        futures = client.map(inc, range(10))
        assert client.gather(futures) == list(range(1, 11))
        del futures
        eventually(lambda: not client.nthreads())
