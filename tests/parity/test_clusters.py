"""Section 8 of the API: clusters."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.parity.functions import inc, nap
from tests.support.waiting import eventually


def test_scale(lib: Any) -> None:
    with lib.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster:
        with lib.Client(cluster) as client:
            cluster.scale(3)
            client.wait_for_workers(3, timeout=60)
            cluster.scale(1)
            assert eventually(lambda: len(client.nthreads()) == 1)
        assert cluster.name
        assert cluster.scheduler_address
        assert "LocalCluster" in repr(cluster)
        assert isinstance(cluster._repr_html_(), str)
    assert str(cluster.status).endswith("closed")


def test_adaptive(lib: Any) -> None:
    with (
        lib.LocalCluster(n_workers=0, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        lib.Client(cluster) as client,
    ):
        adaptive = cluster.adapt(minimum=0, maximum=2, interval="100 ms", wait_count=2)
        assert isinstance(adaptive, lib.Adaptive)
        assert client.submit(inc, 1).result(timeout=60) == 2
        futures = client.map(nap, [0.3] * 20, pure=False)
        assert eventually(lambda: len(client.nthreads()) == 2)
        client.gather(futures)
        del futures
        assert eventually(lambda: len(client.nthreads()) == 0)


def test_plan(lib: Any) -> None:
    with lib.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster:
        assert eventually(lambda: cluster.plan == cluster.requested == cluster.observed == {0, 1})


def test_client_of_a_cluster(lib: Any) -> None:
    with (
        lib.LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster,
        cluster.get_client() as client,
    ):
        cluster.wait_for_workers(1, timeout=60)
        assert client.submit(inc, 1).result(timeout=60) == 2


def test_client_starts_a_cluster(lib: Any) -> None:
    with lib.Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as client:
        assert isinstance(client.cluster, lib.LocalCluster)
        assert client.submit(inc, 1).result(timeout=60) == 2


def test_asynchronous_cluster(lib: Any) -> None:
    async def main() -> None:
        async with (
            lib.LocalCluster(n_workers=1, processes=False, asynchronous=True, dashboard_address=":0") as cluster,
            lib.Client(cluster, asynchronous=True) as client,
        ):
            assert await client.submit(inc, 1) == 2

    asyncio.run(main())


def test_servers_as_objects(lib: Any) -> None:
    async def main() -> None:
        async with (
            lib.Scheduler(port=0, dashboard_address=":0") as scheduler,
            lib.Worker(scheduler.address, name="first", nthreads=2) as worker,
            lib.Client(scheduler.address, asynchronous=True) as client,
        ):
            assert await client.submit(inc, 1) == 2
            assert list(scheduler.workers) == [worker.address]
            assert worker.name == "first"
            assert scheduler.total_nthreads == 2
            future = client.submit(inc, 5)
            await future
            assert future.key in scheduler.tasks
            assert worker.data[future.key] == 6

    asyncio.run(main())


def test_spec_cluster(lib: Any) -> None:
    async def main() -> None:
        spec = {
            0: {"cls": lib.Worker, "options": {"nthreads": 1}},
            "two": {"cls": lib.Worker, "options": {"nthreads": 2}},
        }
        async with (
            lib.SpecCluster(
                workers=spec,
                scheduler={"cls": lib.Scheduler, "options": {"port": 0, "dashboard_address": ":0"}},
                asynchronous=True,
            ) as cluster,
            lib.Client(cluster, asynchronous=True) as client,
        ):
            await client.wait_for_workers(2, timeout=60)
            assert sorted((await client.nthreads()).values()) == [1, 2]

    asyncio.run(main())


def test_errors(lib: Any) -> None:
    with (
        lib.LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster,
        pytest.raises(NotImplementedError),
    ):
        cluster.start_worker()
