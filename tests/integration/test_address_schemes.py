"""Addresses are shown with a scheme, as in distributed, and are accepted with and without a scheme."""

from __future__ import annotations

from collections.abc import Iterator

import dask
import dask.array as da
import pytest

from dagrpc import Client, LocalCluster, Security, get_worker
from tests.support.clusters import inc
from tests.support.waiting import eventually

WAIT = 60


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def add(self) -> int:
        self.count += 1
        return self.count


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with (
        dask.config.set({"dagrpc.comm.show-scheme": True}),
        LocalCluster(n_workers=2, threads_per_worker=1, silence_logs=50) as cluster,
    ):
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with dask.config.set({"dagrpc.comm.show-scheme": True}), Client(cluster) as client:
        yield client


def test_addresses_are_the_same_everywhere(cluster: LocalCluster, client: Client) -> None:
    workers = set(client.nthreads())
    assert len(workers) == 2
    assert all(worker.startswith("tcp://127.0.0.1:") for worker in workers)
    assert client.scheduler.address == cluster.scheduler_address == client.scheduler_info()["address"]
    assert client.scheduler.address.startswith("tcp://127.0.0.1:")
    assert repr(client).startswith(f"<Client: '{client.scheduler.address}'")
    assert set(client.scheduler_info()["workers"]) == set(client.has_what()) == workers
    assert {worker["host"] for worker in client.scheduler_info()["workers"].values()} == {"127.0.0.1"}
    answers = client.run(lambda dask_worker: (dask_worker.address, dask_worker.scheduler.address))
    assert answers == {worker: (worker, client.scheduler.address) for worker in workers}
    assert set(client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.workers))) == workers


@pytest.mark.parametrize("bare", [False, True])
def test_workers_are_named_with_and_without(client: Client, bare: bool) -> None:
    for address in client.nthreads():
        named = address.removeprefix("tcp://") if bare else address
        future = client.submit(lambda: get_worker().address, workers=[named], pure=False)
        assert future.result(WAIT) == address
        assert client.nthreads(workers=[named]) == {address: 1}
        assert list(client.run(inc, 1, workers=[named])) == [address]
        (data,) = client.scatter([bytes(10)], workers=[named], hash=False)
        assert client.who_has(data) == {data.key: (address,)}
        client.replicate(data, workers=[named])
        with dask.annotate(workers=named):
            where = dask.delayed(lambda: get_worker().address, pure=False)()
        assert client.compute(where, optimize_graph=False).result(WAIT) == address


def test_many_tasks_go_to_the_worker_that_they_name(client: Client) -> None:
    address = next(iter(client.nthreads()))
    futures = client.map(lambda _: get_worker().address, range(20), workers=[address], pure=False)
    assert set(client.gather(futures)) == {address}


def test_data_moves_and_shuffles(client: Client) -> None:
    values = da.arange(400, chunks=40).reshape((20, 20)).rechunk((20, 2), method="p2p")
    assert int((values + values.T).sum().compute()) == 2 * sum(range(400))
    counter = client.submit(Counter, actor=True).result(WAIT)
    assert [counter.add().result(WAIT) for _ in range(3)] == [1, 2, 3]


def test_workers_retire() -> None:
    with (
        dask.config.set({"dagrpc.comm.show-scheme": True}),
        LocalCluster(n_workers=2, threads_per_worker=1, silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        data = client.scatter(list(range(4)))
        address = next(iter(client.nthreads()))
        assert list(client.retire_workers([address])) == [address]
        eventually(lambda: address not in client.nthreads())
        assert client.gather(data) == list(range(4))
        assert list(client.restart_workers(list(client.nthreads())).values()) == ["OK"]


def test_with_tls_they_say_so() -> None:
    security = Security.temporary()
    with (
        dask.config.set({"dagrpc.comm.show-scheme": True}),
        LocalCluster(n_workers=1, threads_per_worker=1, security=security, silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        assert cluster.scheduler_address.startswith("tls://127.0.0.1:")
        (worker,) = client.nthreads()
        assert worker.startswith("tls://127.0.0.1:")
        assert client.submit(inc, 1, workers=[worker]).result(WAIT) == 2
