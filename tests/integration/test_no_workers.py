"""Clients that wait for tasks that no worker can run learn that, and the reason."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import pytest

from dagrpc import Client, LocalCluster, NoValidWorkerError, Scheduler, Worker
from tests.support.clusters import inc
from tests.support.waiting import eventually

WAIT = 120.0


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    with dask.config.set({"dagrpc.scheduler.no-workers-warning": "300 ms"}):
        yield


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "dagrpc.client" and " for a worker: " in record.getMessage()
    ]


def test_a_client_is_told_once_that_there_are_no_workers(caplog: pytest.LogCaptureFixture) -> None:
    with LocalCluster(n_workers=0, processes=False) as cluster, Client(cluster) as client, Client(cluster):
        future = client.submit(inc, 1)
        eventually(lambda: told(caplog))
        (text,) = told(caplog)
        assert text.startswith("1 task waits for a worker: for ")
        assert repr(future.key) in text
        assert "the cluster has no workers" in text
        assert client.get_events("no-workers")[0][1] == {"message": text, "tasks": 1}
        cluster.scale(1)
        assert future.result(timeout=WAIT) == 2
        assert len(told(caplog)) == 1, "only who waits is told, and not again and again"


def test_a_client_is_told_that_no_worker_is_what_a_task_wants(caplog: pytest.LogCaptureFixture) -> None:
    with LocalCluster(n_workers=1, processes=False) as cluster, Client(cluster) as client:
        waiting = client.submit(inc, 1, resources={"GPU": 2})
        eventually(lambda: told(caplog))
        assert "no running worker with resources GPU=2" in told(caplog)[0]
        assert client.submit(inc, 2).result(timeout=WAIT) == 3
        assert waiting.status == "pending"


def test_a_user_may_do_something_else_with_it() -> None:
    seen: list[Any] = []
    with LocalCluster(n_workers=0, processes=False) as cluster, Client(cluster) as client:
        client.subscribe_topic("no-workers", seen.append)
        future = client.submit(inc, 1)
        eventually(lambda: seen)
        assert seen[0][1]["tasks"] == 1
        del future


def test_queued_tasks_fail_in_time_when_the_last_worker_is_gone() -> None:
    async def body() -> None:
        with dask.config.set({"distributed.scheduler.no-workers-timeout": "1 s"}):
            async with Scheduler() as scheduler, Client(scheduler.address, asynchronous=True) as client:
                worker = await Worker(scheduler.address, nthreads=1)
                futures = client.map(_slow, range(50), pure=False)
                await asyncio.sleep(0.5)
                await worker.close()
                for future in futures:
                    with pytest.raises(NoValidWorkerError):
                        await asyncio.wait_for(future.result(), WAIT)

    asyncio.run(body())


def _slow(number: int) -> int:
    time.sleep(5)
    return number


CRASH = "import os, sys; sys.stderr.write('no licence was found\\n'); sys.stderr.flush(); os._exit(5)"


def test_a_nanny_that_gives_up_tells_who_waits(caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        async with Scheduler(host="127.0.0.1") as scheduler, Client(scheduler.address, asynchronous=True) as client:
            future = client.submit(inc, 1)
            command = [sys.executable, "-m", "dagrpc.cli", "worker", scheduler.address, "--name", "w"]
            process = await asyncio.create_subprocess_exec(
                *command, "--preload", CRASH, stderr=asyncio.subprocess.DEVNULL
            )
            try:
                async with asyncio.timeout(WAIT):
                    while not any("given it up" in text for text in told(caplog)):
                        await asyncio.sleep(0.05)
                    assert await process.wait() == 1
            finally:
                if process.returncode is None:
                    process.kill()
            text = told(caplog)[-1]
            assert "The nanny of worker 'w' has given it up" in text
            assert "6 times in a row" in text
            assert "no licence was found" in text
            (event,) = [event for _, event in await client.get_events("all") if event["action"] == "worker-given-up"]
            assert event["worker"] == "w"
            async with Worker(scheduler.address, name="w", nthreads=1):
                assert await asyncio.wait_for(future.result(), WAIT) == 2

    # The first notice, which does not know it yet, is to come after this one.
    with dask.config.set({"dagrpc.scheduler.no-workers-warning": "1 hour"}):
        asyncio.run(body())


@pytest.mark.parametrize("how", ["scale", "adapt"])
def test_a_cluster_whose_workers_are_given_up_says_so_and_gets_others(how: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    preload = f"import os\nif os.path.exists({str(broken)!r}):\n    os._exit(5)"
    with (
        dask.config.set({"dagrpc.nanny.max-restarts": 1, "distributed.adaptive.interval": "100 ms"}),
        LocalCluster(n_workers=1, threads_per_worker=1, preload=preload, silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        (pid,) = client.run(os.getpid).values()
        broken.touch()
        os.kill(pid, signal.SIGKILL)
        future = client.submit(inc, 1)
        eventually(lambda: cluster.status == "failed", WAIT)
        assert "Has no workers" in cluster.get_logs(scheduler=False, workers=False)["Cluster"]
        assert future.status == "pending"
        broken.unlink()
        if how == "scale":
            cluster.scale(1)
        else:
            cluster.adapt(minimum=1, maximum=1)
        assert future.result(timeout=WAIT) == 2
        eventually(lambda: cluster.status == "running", WAIT)
