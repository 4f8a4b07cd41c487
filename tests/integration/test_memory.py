"""Workers with little memory: results on disk, pauses, and nannies that kill."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest

from dagrpc import Client, KilledWorker, LocalCluster, get_worker, wait
from tests.support.waiting import eventually

MIB = 2**20
LIMIT = 300 * MIB


class SpaceClient(Client):
    """A client that knows where the workers of its cluster write to."""

    directory: Path


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SpaceClient]:
    """Two workers of 300 MiB that write to disk from 60 MiB of results on, and are not killed.

    Fresh ones for each test: what a process keeps for itself after much work is a good part of so small a limit.
    """
    settings = {"distributed.worker.memory.target": 0.2, "distributed.worker.memory.terminate": False}
    directory = tmp_path_factory.mktemp("space")
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=LIMIT, local_directory=str(directory)) as cluster,
        SpaceClient(cluster) as client,
    ):
        client.directory = directory
        yield client


def spill_files(client: SpaceClient) -> list[Path]:
    return list(client.directory.rglob("storage/*"))


def spilled(client: Client) -> float:
    metrics = [worker["metrics"] for worker in client.scheduler_info()["workers"].values()]
    return sum(found["spilled_bytes"]["memory"] for found in metrics if found)


def block(number: int, size: int = 8 * MIB) -> np.ndarray:
    return np.full(size // 8, number, dtype="i8")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("method", ["tasks", "p2p"])
def test_four_times_the_memory_through_rechunk_and_sum(tmp_path: Path, method: str) -> None:
    """The thresholds target, spill and pause have their defaults; no worker stays paused."""
    # What a rechunk makes on its way has to fit beside what it is made of. On a machine that has much else to do,
    # a worker of 300 MiB may be over 95 % of it for a moment, and this is not about being killed.
    settings = {
        "array.rechunk.method": method,
        "array.chunk-size": "16 MiB",
        "distributed.worker.memory.terminate": False,
    }
    options: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "local_directory": str(tmp_path)}
    with (
        dask.config.set(settings),
        LocalCluster(**options, memory_limit=LIMIT) as cluster,
        SpaceClient(cluster) as client,
    ):
        client.directory = tmp_path
        rows, columns = 320, 960_000
        x = da.arange(rows * columns, chunks=columns, dtype="i8").reshape((rows, columns)).persist()
        wait(x, timeout=200)
        assert x.nbytes >= 4 * 2 * LIMIT * 0.95
        eventually(lambda: spilled(client) > 2 * LIMIT)
        total = x.rechunk((16, columns // 4)).sum()
        assert client.compute(total).result(200) == rows * columns * (rows * columns - 1) // 2
        del x, total
        eventually(lambda: not spill_files(client))
        eventually(lambda: {worker["status"] for worker in client.scheduler_info()["workers"].values()} == {"running"})


@pytest.mark.timeout(120)
def test_spilled_results_reach_peers_and_clients(small: SpaceClient) -> None:
    first, second = small.scheduler_info()["workers"]
    futures = small.map(block, range(20), workers=[first], pure=False)
    wait(futures, timeout=60)
    eventually(lambda: spilled(small) > 50 * MIB)
    kept = small.run(lambda dask_worker: sorted(dask_worker.data), workers=[first])[first]
    assert set(kept) == {future.key for future in futures}
    modes = {path.stat().st_mode & 0o777 for path in spill_files(small)}
    assert modes == {0o600}
    # By a peer, ...
    firsts = small.map(lambda array: int(array[3]), futures, workers=[second], pure=False)
    assert small.gather(firsts) == list(range(20))
    # ... by the worker itself, ...
    assert small.gather(small.map(lambda array: int(array.sum()), futures, workers=[first], pure=False))[1] == MIB
    # ... and by the client.
    for number, value in enumerate(small.gather(futures)):
        assert value[-1] == number
        assert value.nbytes == 8 * MIB
    del futures, firsts
    eventually(lambda: not spill_files(small))


@pytest.mark.timeout(120)
def test_scattered_data_is_spilled_too(small: SpaceClient) -> None:
    data = [block(number) for number in range(30)]
    futures = small.scatter(data)
    eventually(lambda: spilled(small) > 50 * MIB)
    # One at a time: all of them at once are more than a worker may have.
    firsts = small.map(lambda array: int(array[0]), futures, pure=False)
    assert small.submit(sum, firsts, pure=False).result(60) == 435
    del futures, firsts
    eventually(lambda: not spill_files(small))


def _hold(nbytes: int) -> str:
    worker = get_worker()
    worker.held = np.ones(nbytes, dtype="u1")
    return str(worker.address)


def _let_go(dask_worker: Any) -> None:
    dask_worker.held = None


@pytest.mark.timeout(120)
def test_pause_and_go_on(small: SpaceClient) -> None:
    address = small.submit(_hold, LIMIT).result(60)

    def status() -> str:
        return str(small.scheduler_info()["workers"][address]["status"])

    eventually(lambda: status() == "paused")
    # What is not bound to it runs elsewhere; what is waits.
    (other,) = set(small.scheduler_info()["workers"]) - {address}
    where = small.map(lambda _: get_worker().address, range(8), pure=False)
    assert set(small.gather(where)) == {other}
    bound = small.submit(lambda: 42, workers=[address], pure=False)
    assert not bound.done()
    small.run(_let_go, workers=[address])
    assert bound.result(60) == 42
    eventually(lambda: status() == "running")


@pytest.mark.timeout(120)
def test_files_are_gone_after_closing(tmp_path: Path) -> None:
    options: dict[str, Any] = {"n_workers": 1, "threads_per_worker": 1, "local_directory": str(tmp_path)}
    with LocalCluster(**options, memory_limit=LIMIT, memory_target_fraction=0.1) as cluster, Client(cluster) as client:
        futures = client.map(block, range(10))
        wait(futures, timeout=60)
        eventually(lambda: spilled(client) > 20 * MIB)
        assert list(tmp_path.rglob("storage/*"))
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name == "storage"]


@pytest.mark.timeout(120)
def test_nanny_kills_what_takes_too_much() -> None:
    settings = {"distributed.scheduler.allowed-failures": 1, "distributed.worker.memory.terminate": 0.95}
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=1, threads_per_worker=1, memory_limit=LIMIT) as cluster,
        Client(cluster) as client,
    ):
        before = client.submit(os.getpid).result(60)

        def greedy() -> None:
            held = []
            for _ in range(100):
                held.append(np.ones(10 * MIB, dtype="u1"))
                time.sleep(0.05)

        with pytest.raises(KilledWorker):
            client.submit(greedy).result(90)
        assert client.submit(os.getpid, pure=False).result(60) != before
