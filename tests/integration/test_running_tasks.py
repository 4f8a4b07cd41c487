"""Running tasks are interrupted when they are cancelled by force, or when their time limit is reached."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import dask
import pytest

from dagrpc import Client, Event, FutureCancelledError, LocalCluster
from dagrpc.exceptions import TaskInterrupted, TaskTimeout
from tests.support.waiting import eventually

WAIT = 60.0


def spin(began: str, stopped: str) -> None:
    """Run for ever, in Python; tell by files when it begins and how it ends."""
    try:
        Path(began).touch()
        while True:
            sum(range(1000))
    except TaskInterrupted:
        Path(stopped).touch()
        raise


def wait_for(path: Path) -> None:
    eventually(path.exists, WAIT, f"{path} did not come")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "began", tmp_path / "stopped"


def test_force_breaks_off_what_runs(client: Client, files: tuple[Path, Path]) -> None:
    future = client.submit(spin, *map(str, files))
    wait_for(files[0])
    client.cancel(future, force=True, reason="enough")
    wait_for(files[1])
    with pytest.raises(FutureCancelledError, match="enough"):
        future.result()
    # Its thread is free again, and so are all others.
    assert client.gather(client.map(abs, range(20), pure=False)) == list(range(20))


def test_force_by_the_future(client: Client, files: tuple[Path, Path]) -> None:
    future = client.submit(spin, *map(str, files))
    wait_for(files[0])
    future.cancel(force=True)
    wait_for(files[1])


def test_force_breaks_off_what_a_cancelled_task_waits_for(client: Client, files: tuple[Path, Path]) -> None:
    first = client.submit(spin, *map(str, files))
    last = client.submit(str, first)
    first.release()
    wait_for(files[0])
    client.cancel(last, force=True)
    wait_for(files[1])


def test_without_force_what_runs_goes_on(client: Client, tmp_path: Path) -> None:
    going, done = Event("going"), Event("done")

    def work() -> None:
        going.set()
        assert done.wait(WAIT)
        (tmp_path / "over").touch()

    future = client.submit(work)
    assert going.wait(WAIT)
    client.cancel(future)
    done.set()
    wait_for(tmp_path / "over")


def test_force_takes_no_regard_of_other_clients(
    client: Client, shared_cluster: LocalCluster, files: tuple[Path, Path]
) -> None:
    with Client(shared_cluster, set_as_default=False) as other:
        future = client.submit(spin, *map(str, files), key="wanted-by-two")
        wait_for(files[0])
        same = other.submit(spin, *map(str, files), key="wanted-by-two")
        # The scheduler has got that, too.
        assert other.submit(abs, -1).result(WAIT) == 1
        client.cancel(future, force=True)
        wait_for(files[1])
        with pytest.raises(FutureCancelledError):
            same.result(WAIT)


def test_a_coroutine_is_cancelled(client: Client, tmp_path: Path) -> None:
    async def work(began: str, stopped: str) -> None:
        Path(began).touch()
        try:
            await asyncio.sleep(3600)
        finally:
            Path(stopped).touch()

    future = client.submit(work, str(tmp_path / "began"), str(tmp_path / "stopped"))
    wait_for(tmp_path / "began")
    client.cancel(future, force=True)
    wait_for(tmp_path / "stopped")


def test_a_timeout(client: Client, files: tuple[Path, Path]) -> None:
    future = client.submit(spin, *map(str, files), timeout="200 ms")
    with pytest.raises(TaskTimeout) as caught:
        future.result(WAIT)
    error = caught.value
    assert isinstance(error, TimeoutError)
    assert (error.key, error.limit) == (future.key, 0.2)
    assert error.worker in client.scheduler_info()["workers"] or error.worker.rpartition(":")[2]
    assert "ran longer than its limit of 0.2 s" in str(error)
    wait_for(files[1])


def test_retries_apply_to_a_timeout(client: Client, tmp_path: Path) -> None:
    def second_time_lucky(path: str) -> str:
        marker = Path(path)
        if marker.exists():
            return "done"
        marker.touch()
        while True:
            pass

    future = client.submit(second_time_lucky, str(tmp_path / "tried"), timeout=0.5, retries=1)
    assert future.result(WAIT) == "done"


def test_a_thread_that_does_not_come_back_is_replaced() -> None:
    with (
        dask.config.set({"distributed.worker.timeout-grace": "100 ms"}),
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, memory_limit=0) as cluster,
        Client(cluster) as client,
    ):
        # It sleeps outside of Python.
        with dask.annotate(timeout="200 ms"):
            late = client.submit(time.sleep, 30)
        after = client.submit(abs, -1)
        with pytest.raises(TaskTimeout):
            late.result(WAIT)
        assert after.result(20) == 1


def test_annotations_and_graphs(client: Client) -> None:
    def slow(number: int) -> int:
        while number:
            pass
        return number

    with dask.annotate(timeout="200 ms"):
        future = client.submit(slow, 1)
    with pytest.raises(TaskTimeout):
        future.result(WAIT)
    with pytest.raises(TaskTimeout):
        client.compute(dask.delayed(slow)(2), timeout=0.2, sync=True)
    with pytest.raises(TaskTimeout):
        client.gather(client.map(slow, [0, 3], timeout=0.2))
    with pytest.raises(TaskTimeout):
        client.get({"x": (slow, 4)}, "x", timeout=0.2)
    with pytest.raises(TaskTimeout):
        client.persist(dask.delayed(slow)(5), timeout=0.2).compute()


def test_a_timeout_of_the_functions_own(client: Client) -> None:
    def fetch(timeout: Any = None) -> Any:
        return timeout

    def fetch_anything(**settings: Any) -> Any:
        return settings

    assert client.submit(fetch, timeout="1s").result(WAIT) == "1s"
    assert client.submit(fetch_anything, timeout=3).result(WAIT) == {"timeout": 3}
    assert client.gather(client.map(lambda x, timeout: x + timeout, [1, 2], timeout=1)) == [2, 3]
    # It does not say what it takes.
    with pytest.raises(TaskTimeout):
        client.submit(time.sleep, 3, timeout="200 ms").result(WAIT)


@pytest.mark.parametrize("timeout", [0, -1, "soon", float("inf"), True, [1]])
def test_values_that_are_no_timeouts(client: Client, timeout: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        client.submit(abs, 1, timeout=timeout)


def test_asynchronous(shared_cluster: LocalCluster, files: tuple[Path, Path]) -> None:
    async def body() -> None:
        async with Client(shared_cluster, asynchronous=True) as client:
            future = client.submit(spin, *map(str, files))
            await asyncio.to_thread(wait_for, files[0])
            await client.cancel(future, force=True)
            await asyncio.to_thread(wait_for, files[1])
            with pytest.raises(TaskTimeout):
                await client.submit(spin, *map(str, files), timeout=0.2, pure=False)

    asyncio.run(body())
