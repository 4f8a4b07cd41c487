"""Connections that break and come back: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dask
import pytest

from dagrpc import Client, FutureCancelledError, LocalCluster, Lock
from dagrpc._client.client_core import core_of
from dagrpc.exceptions import CommClosedError
from tests.support.clusters import inc, note, runs
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

TASKS = 2_000


@pytest.fixture(scope="module")
def quick() -> Iterator[None]:
    """Settings with which a dead connection is found out soon."""
    with dask.config.set({"dagrpc.comm.timeouts.tcp": "2s"}):
        yield


@pytest.fixture(scope="module")
def cluster(quick: None) -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, silence_logs=50) as cluster:
        yield cluster


@pytest.fixture
def proxy(cluster: LocalCluster) -> Iterator[TcpProxy]:
    with TcpProxy(cluster.scheduler_address) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: TcpProxy) -> Iterator[Client]:
    with Client(proxy.address) as client:
        yield client


# --- between client and scheduler ---


@pytest.mark.parametrize("reset", [True, False])
def test_a_client_goes_on_where_it_was(client: Client, proxy: TcpProxy, tmp_path: Path, reset: bool) -> None:
    done = client.submit(inc, 1, pure=False)
    (data,) = client.scatter([[1, 2, 3]])
    assert done.result(timeout=30) == 2
    futures = client.map(note, [str(tmp_path / "runs")] * 200, range(200), delay=0.005, pure=False)
    proxy.drop(reset)
    assert client.gather(futures) == list(range(1, 201))
    assert runs(tmp_path / "runs") == list(range(200))
    assert (done.result(timeout=30), data.result(timeout=30)) == (2, [1, 2, 3])
    assert client.status == "running"


def test_a_connection_that_breaks_while_it_is_made_is_made_again(proxy: TcpProxy) -> None:
    proxy.delay(0.1)
    with ThreadPoolExecutor(1) as thread:
        # Whatever it is at by then: connecting, or introducing itself.
        for moment in range(1, 7):
            connecting = thread.submit(Client, proxy.address, timeout=30, set_as_default=False)
            time.sleep(moment * 0.06)
            proxy.drop()
            with connecting.result(timeout=60) as client:
                assert client.submit(inc, 1).result(timeout=30) == 2


def test_a_server_that_is_no_scheduler_is_not_asked_twice(cluster: LocalCluster) -> None:
    with Client(cluster) as client:
        (worker, *_) = client.scheduler_info()["workers"]
    with pytest.raises(CommClosedError, match=f"{worker} speaks gRPC but is not the service that was expected there"):
        Client(worker, timeout=600, set_as_default=False)


def test_tasks_submitted_without_a_connection_run_later(client: Client, proxy: TcpProxy, tmp_path: Path) -> None:
    before = client.submit(inc, 1, pure=False)
    assert before.result(timeout=30) == 2
    proxy.cut()
    eventually(lambda: client.status == "connecting")
    futures = client.map(note, [str(tmp_path / "runs")] * 100, range(100), pure=False)
    total = client.submit(sum, [before, *futures])
    assert client.status == "connecting"
    proxy.restore()
    assert total.result(timeout=60) == 2 + sum(range(1, 101))
    assert runs(tmp_path / "runs") == list(range(100))


def test_many_breaks_while_thousands_of_tasks_run(client: Client, proxy: TcpProxy, tmp_path: Path) -> None:
    futures: list[Any] = []
    for start in range(0, TASKS, TASKS // 10):
        futures += client.map(note, [str(tmp_path / "runs")] * (TASKS // 10), range(start, start + TASKS // 10))
        proxy.drop()
    assert client.gather(futures) == list(range(1, TASKS + 1))
    assert runs(tmp_path / "runs") == list(range(TASKS))


@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_a_half_open_connection_is_found_out(client: Client, proxy: TcpProxy, tmp_path: Path, direction: Any) -> None:
    futures = client.map(note, [str(tmp_path / "runs")] * 50, range(50), delay=0.01, pure=False)
    proxy.blackhole(direction)
    eventually(lambda: client.status == "connecting")
    proxy.restore()
    assert client.gather(futures) == list(range(1, 51))
    assert runs(tmp_path / "runs") == list(range(50))


def test_calls_wait_for_the_connection(client: Client, proxy: TcpProxy) -> None:
    proxy.cut()
    eventually(lambda: client.status == "connecting")
    proxy.restore()
    assert len(client.nthreads()) == 2


def test_locks_and_events_outlast_a_break(client: Client, proxy: TcpProxy, cluster: LocalCluster) -> None:
    lock = Lock("kept", client)
    assert lock.acquire(timeout=30)
    seen: list[Any] = []
    client.subscribe_topic("news", lambda event: seen.append(event[1]))
    proxy.drop()
    with Client(cluster, set_as_default=False) as other:
        assert not Lock("kept", other).acquire(timeout=0.1)
        other.log_event("news", "something")
        eventually(lambda: seen == ["something"])
    lock.release()


def test_nothing_is_kept_once_it_has_arrived(client: Client) -> None:
    big = client.submit(len, b"x" * 20_000_000, pure=False)
    assert big.result(timeout=60) == 20_000_000
    assert client.gather(client.map(inc, range(TASKS), pure=False)) == list(range(1, TASKS + 1))
    session = core_of(client).session.peer.session
    assert session is not None
    assert session.delivery is not None
    assert session.delivery.sent > 5
    eventually(lambda: session.delivery is not None and not session.delivery.kept)


# --- when it takes too long ---


@pytest.fixture(scope="module")
def impatient(quick: None) -> Iterator[LocalCluster]:
    """A cluster that does not wait long for clients."""
    with (
        dask.config.set({"dagrpc.scheduler.session-grace": "500ms"}),
        LocalCluster(n_workers=1, threads_per_worker=1, silence_logs=50) as cluster,
    ):
        yield cluster


def test_after_the_grace_period_a_client_opens_a_new_session(impatient: LocalCluster) -> None:
    with (
        TcpProxy(impatient.scheduler_address) as proxy,
        Client(proxy.address) as client,
        Client(impatient, set_as_default=False) as watcher,
    ):
        done, unfinished = client.submit(inc, 1), client.submit(time.sleep, 2, pure=False)
        assert done.result(timeout=60) == 2
        proxy.cut()
        meanwhile = client.submit(inc, 5)
        eventually(lambda: not watcher.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks)))
        eventually(lambda: done.status == unfinished.status == meanwhile.status == "cancelled")
        with pytest.raises(FutureCancelledError, match=r"connection .* was lost, for more than 0.5 s") as raised:
            done.result(timeout=30)
        assert raised.value.reason == "scheduler-connection-lost"
        late = client.submit(inc, 6)
        proxy.restore()
        assert late.result(timeout=60) == 7
        assert client.status == "running"
        # What was given up can be asked for again, with functions that the scheduler knew before.
        assert client.submit(inc, 1).result(timeout=60) == 2
        assert Lock("new", client).acquire(timeout=30)


def test_a_client_that_nobody_lets_in_again_is_closed(impatient: LocalCluster) -> None:
    with dask.config.set({"dagrpc.comm.timeouts.connect": "1s"}), TcpProxy(impatient.scheduler_address) as proxy:
        client = Client(proxy.address, timeout="20s")
        future = client.submit(time.sleep, 5, pure=False)
        proxy.cut()
        with pytest.raises(FutureCancelledError, match="connection to the scheduler"):
            future.result(timeout=60)
        eventually(lambda: client.status == "closed")
        client.close()


def test_closing_without_a_connection_takes_no_time(client: Client, proxy: TcpProxy) -> None:
    future = client.submit(inc, 1, pure=False)
    proxy.cut()
    eventually(lambda: client.status == "connecting")
    client.close()
    assert (client.status, future.status) == ("closed", "cancelled")


CLIENT = """
import sys, time
from dagrpc import Client
client = Client(sys.argv[1])
future = client.submit(pow, 3, 4, key="theirs")
future.result()
print("ready", flush=True)
sys.stdin.read()
if sys.argv[2] == "closes":
    client.close()
"""


def test_a_closed_client_is_released_at_once_and_a_dead_one_after_the_grace_period(
    cluster: LocalCluster, impatient: LocalCluster
) -> None:
    for way, where in (("closes", cluster), ("dies", impatient)):
        with Client(where, set_as_default=False) as watcher:
            command = [sys.executable, "-c", CLIENT, where.scheduler_address, way]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == b"ready\n"
                assert "theirs" in keys_of(watcher)
                if way == "dies":
                    process.kill()
                elif process.stdin is not None:
                    process.stdin.close()
                process.wait(60)
            eventually(lambda watcher=watcher: "theirs" not in keys_of(watcher), 20)  # type: ignore[misc]


def keys_of(client: Client) -> list[Any]:
    keys: list[Any] = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))
    return keys
