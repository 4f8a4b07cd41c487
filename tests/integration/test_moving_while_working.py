"""While data moves all the time, graphs give correct results, and no task is computed twice needlessly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dask
import dask.array as da
import numpy as np
import pytest

from dagrpc import Client, Future, LocalCluster, wait

SETTINGS = {
    "distributed.scheduler.active-memory-manager.interval": "20ms",
    "distributed.worker.memory.rebalance.sender-min": 0.0,
    "distributed.worker.memory.rebalance.sender-recipient-gap": 0.0,
    "distributed.worker.memory.rebalance.measure": "managed_total",
    "distributed.deploy.lost-worker-timeout": "100ms",
}


@pytest.fixture
def busy_cluster() -> Iterator[LocalCluster]:
    """Processes, and a manager that runs fifty times a second."""
    with dask.config.set(SETTINGS), LocalCluster(n_workers=3, threads_per_worker=1, processes=True) as cluster:
        yield cluster


@contextmanager
def meanwhile(*actions: Callable[[], object]) -> Iterator[list[int]]:
    """Do things again and again, each in a thread; raise what they raise."""
    over = threading.Event()
    failures: list[BaseException] = []
    counts = [0] * len(actions)

    def repeat(number: int, action: Callable[[], object]) -> None:
        try:
            while not over.is_set():
                action()
                counts[number] += 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=repeat, args=each, daemon=True) for each in enumerate(actions)]
    for thread in threads:
        thread.start()
    try:
        yield counts
        end = time.monotonic() + 60
        while not all(counts) and not failures and time.monotonic() < end:
            time.sleep(0.01)
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    if failures:
        raise failures[0]
    assert all(counts), counts


def step(x: int, y: int) -> int:
    return x + y


def round_of_sums(client: Client, chain: list[Future]) -> list[Future]:
    neighbours = [*chain[1:], chain[0]]
    return [client.submit(step, x, y, pure=False) for x, y in zip(chain, neighbours, strict=True)]


def blow_up(x: int) -> np.ndarray:
    return np.full(10_000, x)


def add_up(*arrays: np.ndarray) -> int:
    return sum(int(array[0]) for array in arrays)


@pytest.mark.timeout(240)
def test_answers_are_right_while_everything_moves(busy_cluster: LocalCluster) -> None:
    with Client(busy_cluster) as client, Client(busy_cluster, set_as_default=False) as other:
        data = client.scatter(list(range(40)), hash=False)
        held = [other.submit(step, number, 0, pure=False) for number in range(40)]
        wait(held, timeout=60)
        with meanwhile(
            other.rebalance,
            lambda: other.replicate(held, n=2),
            lambda: other.amm.run_once(),
            lambda: other.replicate(held[:5]),
        ):
            for turn in range(5):
                chain = data
                for _ in range(10):
                    chain = round_of_sums(client, chain)
                assert sum(client.gather(chain)) == sum(range(40)) * 2**10
                arrays = client.map(blow_up, data, pure=False)
                assert client.submit(add_up, *arrays, pure=False).result(timeout=60) == sum(range(40))
                x = da.ones((400, 400), chunks=(50, 50)) * turn
                y = (x + x.T).rechunk((100, 400)).sum()
                assert y.compute() == 2 * turn * 400 * 400
        # Data that cannot be computed again is all there.
        assert client.gather(data) == list(range(40))
        assert other.gather(held) == list(range(40))
        logged = [entry for _, entry in client.get_events("all") if entry.get("action") == "remove-worker"]
        assert logged == []


@pytest.mark.timeout(240)
def test_workers_come_and_retire_while_graphs_run(busy_cluster: LocalCluster) -> None:
    with Client(busy_cluster) as client, Client(busy_cluster, set_as_default=False) as other:
        data = client.scatter(list(range(40)), hash=False)
        # Only of those that it has seen a cluster notices that they have left.
        assert len(busy_cluster.observed) == 3

        def change() -> None:
            oldest = next(iter(other.nthreads()))
            assert list(other.retire_workers([oldest])) == [oldest]
            assert oldest not in other.nthreads()
            end = time.monotonic() + 60
            while len(other.nthreads()) < 3:
                assert busy_cluster.observed is not None
                busy_cluster.scale(3)
                assert time.monotonic() < end
                time.sleep(0.1)

        with meanwhile(change, other.rebalance):
            for _ in range(10):
                chain = data
                for _ in range(5):
                    chain = round_of_sums(client, chain)
                assert sum(client.gather(chain)) == sum(range(40)) * 2**5
        assert client.gather(data) == list(range(40))
        removed = [entry for _, entry in client.get_events("all") if entry.get("action") == "remove-worker"]
        assert removed
        # Nothing was lost with any of them.
        assert {entry["lost-computed-tasks"] + entry["lost-scattered-tasks"] for entry in removed} == {()}
