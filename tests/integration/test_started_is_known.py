"""A worker, nanny, cluster or client that has started is known to its scheduler."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dagrpc import Client, LocalCluster, Nanny, Scheduler, Worker
from dagrpc._peer.session import Session


@pytest.fixture(autouse=True, params=[0.0, 0.1], ids=["at once", "slow"])
def pause(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """The seconds that a scheduler of this process takes between a welcome and its next step."""
    seconds: float = request.param
    write_now = Session.write_now

    async def write_and_pause(self: Session[Any], message: Any) -> None:
        await write_now(self, message)
        if hasattr(message, "welcome"):
            await asyncio.sleep(seconds)

    monkeypatch.setattr(Session, "write_now", write_and_pause)
    return seconds


def test_a_worker_that_has_started_is_among_the_schedulers_workers() -> None:
    async def main() -> None:
        async with Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
            for number in range(20):
                async with Worker(scheduler.address, nthreads=1, name=f"w{number}") as worker:
                    assert list(scheduler.workers) == [worker.address]

    asyncio.run(asyncio.wait_for(main(), 120))


def test_workers_that_start_at_once_are_all_known() -> None:
    async def main() -> None:
        async with Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
            workers = [Worker(scheduler.address, nthreads=1) for _ in range(10)]
            await asyncio.gather(*workers)
            assert set(scheduler.workers) == {worker.address for worker in workers}
            await asyncio.gather(*(worker.close() for worker in workers))

    asyncio.run(asyncio.wait_for(main(), 120))


def test_the_worker_of_a_nanny_that_has_started_is_known() -> None:
    async def main() -> None:
        async with Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
            for _ in range(4):
                async with Nanny(scheduler.address, nthreads=1) as nanny:
                    assert list(scheduler.workers) == [nanny.worker_address]

    asyncio.run(asyncio.wait_for(main(), 120))


def test_the_workers_of_a_cluster_that_has_started_are_known() -> None:
    async def main() -> None:
        for _ in range(15):
            async with LocalCluster(
                n_workers=2, threads_per_worker=1, processes=False, asynchronous=True, dashboard_address=None
            ) as cluster:
                assert len(cluster.scheduler.workers) == 2

    asyncio.run(asyncio.wait_for(main(), 120))


def test_a_client_that_has_connected_is_among_the_schedulers_clients() -> None:
    async def main() -> None:
        async with Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
            for _ in range(20):
                async with Client(scheduler.address, asynchronous=True) as client:
                    assert client.id in scheduler.clients

    asyncio.run(asyncio.wait_for(main(), 120))
