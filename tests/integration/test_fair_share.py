"""Two clients on one cluster that shares its workers fairly between them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import dask
import dask.array as da
import pytest

from dagrpc import Client, LocalCluster

ran: list[str] = []
"""Submitters of the tasks that ran, in the order of execution. The workers run in this process."""


def work(who: str, number: int) -> int:
    ran.append(who)
    time.sleep(0.002)
    return number


@pytest.fixture
def fair_cluster() -> Iterator[LocalCluster]:
    with (
        dask.config.set({"dagrpc.scheduler.fair-share": True}),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, memory_limit=0) as cluster,
    ):
        yield cluster


def test_a_short_job_does_not_wait_for_a_long_one(fair_cluster: LocalCluster) -> None:
    ran.clear()
    with Client(fair_cluster) as first, Client(fair_cluster, set_as_default=False) as second:
        long = first.map(_in_this_process, ["long"] * 3_000, range(3_000), priority=10, pure=False)
        assert long[0].result(60) == 0
        short = second.map(_in_this_process, ["short"] * 30, range(30), pure=False)
        assert second.gather(short) == list(range(30))
        seen = list(ran)
        # By priority and by age, all of the long job would have come first.
        assert seen.count("short") == 30
        assert seen.count("long") < 3_000
        between = seen[seen.index("short") : len(seen) - seen[::-1].index("short")]
        assert between.count("long") < 1_000
        first.cancel(long)


def _in_this_process(who: str, number: int) -> int:
    from tests.integration.test_fair_share import work as here

    return here(who, number)


def test_graphs_work_as_before(fair_cluster: LocalCluster) -> None:
    with Client(fair_cluster) as client:
        x = da.ones((400, 400), chunks=(50, 50))
        assert float((x @ x.T).sum().compute()) == 400.0**3
        here = next(iter(client.nthreads()))
        assert client.gather(client.map(abs, range(10), workers=[here])) == list(range(10))
        counter = client.submit(list, [1, 2], actor=True).result(60)
        assert counter.count(1).result(60) == 1
