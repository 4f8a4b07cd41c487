"""Failures: workers that die, tasks that misbehave, invalid input. Errors are clear, and no result is lost."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dagrpc import Client, FutureCancelledError, KilledWorker, LocalCluster, as_completed, wait
from tests.support.waiting import eventually


def inc(x: int) -> int:
    return x + 1


def slow_inc(x: int, delay: float = 0.2) -> int:
    time.sleep(delay)
    return x + 1


def die_once(path: str) -> str:
    """Kill the worker's process the first time, and answer the second."""
    if not os.path.exists(path):
        with open(path, "w") as file:
            file.write(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, silence_logs=50) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


def pid_of(client: Client, worker: str) -> int:
    pid: int = client.run(os.getpid, workers=[worker])[worker]
    return pid


# --- workers that die ---


def test_worker_killed_while_it_computes(client: Client, tmp_path: Any) -> None:
    future = client.submit(die_once, str(tmp_path / "died"))
    assert future.result(timeout=60) == "alive"


def test_worker_killed_while_it_holds_results(client: Client) -> None:
    futures = client.map(inc, range(50), pure=False)
    wait(futures, timeout=30)
    worker = next(address for address, keys in client.has_what().items() if keys)
    os.kill(pid_of(client, worker), signal.SIGKILL)
    total = client.submit(sum, futures)
    assert total.result(timeout=60) == sum(range(1, 51))
    assert client.gather(futures) == list(range(1, 51))


def slow_array(number: int) -> np.ndarray:
    time.sleep(0.5)
    return np.full(100_000, number)


@pytest.mark.parametrize("raise_errors", [True, False])
def test_results_lost_before_they_are_yielded_are_waited_for_again(client: Client, raise_errors: bool) -> None:
    futures = client.map(slow_array, range(4), pure=False)
    completed = as_completed(futures, with_results=True, raise_errors=raise_errors, timeout=60)
    wait(futures, timeout=60)
    worker = next(address for address, keys in client.has_what().items() if keys)
    os.kill(pid_of(client, worker), signal.SIGKILL)
    eventually(lambda: "lost" in {future.status for future in futures})
    assert sorted(int(result[0]) for _, result in completed) == [0, 1, 2, 3]


def test_worker_killed_while_it_sends_data(client: Client) -> None:
    big = client.submit(np.ones, 40_000_000, pure=False)
    wait(big, timeout=60)
    ((_, (holder, *_)),) = client.who_has([big]).items()
    other = next(address for address in client.nthreads() if address != holder)
    pid = pid_of(client, holder)
    needs = client.submit(lambda x: float(x.sum()), big, workers=[other], allow_other_workers=True, pure=False)
    time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    assert needs.result(timeout=90) == 40_000_000


def test_many_tasks_survive_the_death_of_a_worker(client: Client) -> None:
    futures = client.map(slow_inc, range(200), delay=0.01, pure=False)
    time.sleep(0.3)
    os.kill(pid_of(client, next(iter(client.nthreads()))), signal.SIGKILL)
    assert client.gather(futures) == list(range(1, 201))


def test_a_task_that_kills_every_worker(client: Client) -> None:
    future = client.submit(os._exit, 3, pure=False)
    with pytest.raises(KilledWorker) as raised:
        future.result(timeout=100)
    assert raised.value.task == future.key
    assert raised.value.last_worker
    assert raised.value.allowed_failures == 3
    # The cluster is of use all the same.
    client.wait_for_workers(2, timeout=60)
    assert client.submit(inc, 1, pure=False).result(timeout=30) == 2


def test_scattered_data_that_dies_with_its_worker(client: Client) -> None:
    (future,) = client.scatter([np.arange(10)])
    ((_, (holder, *_)),) = client.who_has([future]).items()
    os.kill(pid_of(client, holder), signal.SIGKILL)
    eventually(lambda: future.status in ("cancelled", "lost"))
    with pytest.raises(FutureCancelledError, match="lost"):
        future.result(timeout=30)
    client.wait_for_workers(2, timeout=60)


# --- tasks that misbehave ---


def raise_unpicklable() -> None:
    class Local(Exception):
        def __init__(self) -> None:
            super().__init__("cannot travel")
            self.lock = threading.Lock()

    raise Local


def test_unpicklable_parts_of_an_exception_stay_there(client: Client) -> None:
    error = client.submit(raise_unpicklable, pure=False).exception(timeout=30)
    assert type(error).__name__ == "Local"
    assert str(error) == "cannot travel"
    assert "lock object" in repr(error.lock)


def test_unpicklable_result(client: Client) -> None:
    lock = client.submit(threading.Lock, pure=False)
    with pytest.raises(TypeError, match="lock"):
        lock.result(timeout=30)
    # On its worker it can be used.
    ((_, (holder, *_)),) = client.who_has([lock]).items()
    assert client.submit(lambda value: value.locked(), lock, workers=[holder], pure=False).result(timeout=30) is False


def test_missing_import(client: Client, tmp_path: Any) -> None:
    (tmp_path / "not_on_workers.py").write_text("def f(x):\n    return x\n")
    sys.path.insert(0, str(tmp_path))
    try:
        import not_on_workers  # type: ignore[import-not-found]

        future = client.submit(not_on_workers.f, 1, pure=False)
        with pytest.raises(RuntimeError, match="No module named 'not_on_workers'") as raised:
            future.result(timeout=30)
        assert isinstance(raised.value.__cause__, ModuleNotFoundError)
    finally:
        sys.path.remove(str(tmp_path))


def test_retries(client: Client, tmp_path: Any) -> None:
    def flaky(path: str) -> int:
        with open(path, "a") as file:
            file.write("x")
        if os.path.getsize(path) < 3:
            raise OSError("not yet")
        return os.path.getsize(path)

    path = str(tmp_path / "tries")
    assert client.submit(flaky, path, retries=5, pure=False).result(timeout=30) == 3
    os.unlink(path)
    assert isinstance(client.submit(flaky, path, retries=1, pure=False).exception(timeout=30), OSError)


# --- input that is no good ---


def test_resource_that_no_worker_has(client: Client) -> None:
    future = client.submit(inc, 1, resources={"unobtainium": 1}, pure=False)
    eventually(lambda: client.run_on_scheduler(_state, future.key) == "no-worker")
    assert future.status == "pending"
    future.cancel()


def _state(key: str, dask_scheduler: Any) -> str:
    task = dask_scheduler.tasks.get(key)
    return task.state if task is not None else "forgotten"


def test_unknown_worker_waits_visibly(client: Client) -> None:
    future = client.submit(inc, 2, workers=["127.0.0.1:1"], pure=False)
    eventually(lambda: client.run_on_scheduler(_state, future.key) == "no-worker")
    allowed = client.submit(inc, 3, workers=["127.0.0.1:1"], allow_other_workers=True, pure=False)
    assert allowed.result(timeout=30) == 4
    future.cancel()


# --- size ---


def test_result_beyond_two_gibibytes(client: Client) -> None:
    size = 2**31 + 11
    future = client.submit(np.ones, size, dtype="u1", pure=False)
    result = future.result(timeout=110)
    assert result.shape == (size,)
    assert result[0] == result[-1] == 1
    del result


def test_graph_beyond_every_message_limit(client: Client) -> None:
    blocks = [np.full(1_000_000, i, dtype="f8") for i in range(20)]
    futures = client.map(lambda block: float(block.sum()), blocks, pure=False)
    assert client.gather(futures) == [i * 1e6 for i in range(20)]
    one = np.ones(12_000_000)
    assert client.submit(np.sum, one, pure=False).result(timeout=60) == 12_000_000


def test_fifty_thousand_tasks_waiting(client: Client) -> None:
    gate = client.submit(slow_inc, 0, delay=3, pure=False)
    waiting = client.map(lambda x, _: x, range(50_000), [gate] * 50_000, pure=False)
    # Everybody else is served meanwhile.
    assert client.submit(inc, 1, pure=False).result(timeout=30) == 2
    assert sum(client.gather(waiting)) == sum(range(50_000))


# --- several clients ---


def test_two_clients_with_the_same_keys(cluster: LocalCluster) -> None:
    with Client(cluster) as one, Client(cluster, set_as_default=False) as other:
        mine, theirs = one.submit(slow_inc, 41), other.submit(slow_inc, 41)
        assert mine.key == theirs.key
        assert mine.result(timeout=30) == theirs.result(timeout=30) == 42
        mine.release()
        del mine
        time.sleep(0.2)
        assert other.submit(inc, theirs).result(timeout=30) == 43


def test_a_client_that_goes_away_leaves_nothing(cluster: LocalCluster) -> None:
    with Client(cluster) as stays:
        with Client(cluster, set_as_default=False) as goes:
            futures = goes.map(inc, range(100), pure=False)
            wait(futures, timeout=30)
        eventually(lambda: stays.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)) == 0)
        eventually(lambda: not any(stays.has_what().values()))
