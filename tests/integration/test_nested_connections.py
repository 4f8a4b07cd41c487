"""Tasks wait for tasks that they submit, on a worker with one thread whose connection breaks meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import pytest

from dagrpc import Client, LocalCluster, get_client, rejoin, secede, worker_client
from tests.support.clusters import ProxiedWorker, note, runs
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

TIMEOUT = 60
INNER = 60


class Site:
    """A client and a worker of one thread, each behind a proxy of its own."""

    def __init__(self, client: Client, witness: Client, to_scheduler: TcpProxy, worker: ProxiedWorker) -> None:
        self.client = client
        self.witness = witness
        self.proxies = {"client": to_scheduler, "worker": worker.to_scheduler}

    def has_noticed(self, whose: str) -> None:
        """Wait until it was noticed that a connection broke."""
        if whose == "client":
            eventually(lambda: self.client.status == "connecting")
        else:
            eventually(lambda: self.statuses() == ["disconnected"])

    def statuses(self) -> list[str]:
        return [worker["status"] for worker in self.witness.scheduler_info(-1)["workers"].values()]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with (
        pytest.MonkeyPatch.context() as patch,
        dask.config.set({"dagrpc.comm.timeouts.tcp": "2s"}),
        LocalCluster(n_workers=0, silence_logs=50) as cluster,
        TcpProxy(cluster.scheduler_address) as proxy,
        Client(cluster, set_as_default=False) as witness,
        Client(proxy.address) as client,
    ):
        patch.setenv("DAGRPC_COMM__TIMEOUTS__TCP", "2s")
        worker = ProxiedWorker(cluster.scheduler_address, "w")
        try:
            client.wait_for_workers(1, timeout=TIMEOUT)
            yield Site(client, witness, proxy, worker)
        finally:
            worker.close()


# --- tasks that ask for others: each notes when it begins, and what it submits notes when it runs -----------------


def by_worker_client(path: str) -> int:
    note(f"{path}-outer", 1)
    with worker_client() as client:
        futures = client.map(note, [path] * INNER, range(INNER), delay=0.02, pure=False)
        return sum(client.gather(futures))


def by_seceding(path: str) -> int:
    note(f"{path}-outer", 1)
    client = get_client()
    futures = client.map(note, [path] * INNER, range(INNER), delay=0.02, pure=False)
    secede()
    total = sum(future.result(timeout=TIMEOUT) for future in futures)
    rejoin()
    return total


def one_in_another(path: str, depth: int) -> int:
    """Submit a task that submits a task, and so on."""
    note(path, depth)
    time.sleep(0.05)
    if depth == 0:
        return 0
    with worker_client() as client:
        inner: int = client.submit(one_in_another, path, depth - 1, pure=False).result(timeout=TIMEOUT)
    return inner + depth


@pytest.mark.parametrize("whose", ["worker", "client"])
@pytest.mark.parametrize("how", ["drop", "cut", "blackhole"])
@pytest.mark.parametrize("function", [by_worker_client, by_seceding])
def test_tasks_of_a_task(site: Site, tmp_path: Path, function: Any, how: str, whose: str) -> None:
    path, proxy = tmp_path / "runs", site.proxies[whose]
    future = site.client.submit(function, str(path), pure=False)
    break_often(proxy, how, lambda: len(runs(path)), lambda: site.has_noticed(whose))
    assert future.result(timeout=TIMEOUT) == sum(range(1, INNER + 1))
    assert runs(path) == list(range(INNER))
    assert runs(tmp_path / "runs-outer") == [1]
    eventually(lambda: not any(site.client.processing().values()))


def reached(mark: int, progress: Callable[[], int]) -> Callable[[], bool]:
    return lambda: progress() >= mark


def break_often(proxy: TcpProxy, how: str, progress: Callable[[], int], noticed: Callable[[], None]) -> None:
    """Break a connection as things go on; the first time, it is whole again only once it was noticed."""
    for mark in (1, INNER // 3, 2 * INNER // 3):
        eventually(reached(mark, progress))
        if how == "drop" or mark > 1:
            proxy.drop()
            continue
        getattr(proxy, how)()
        noticed()
        proxy.restore()


@pytest.mark.parametrize("whose", ["worker", "client"])
def test_one_in_another(site: Site, tmp_path: Path, whose: str) -> None:
    path, depth = tmp_path / "runs", 12
    future = site.client.submit(one_in_another, str(path), depth, pure=False)
    for mark in (2, 5, 8, 11):
        eventually(lambda mark=mark: len(runs(path)) >= mark)  # type: ignore[misc]
        site.proxies[whose].drop()
    assert future.result(timeout=TIMEOUT) == sum(range(depth + 1))
    assert runs(path) == list(range(depth + 1))
