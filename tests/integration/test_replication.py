"""`replicate` and `rebalance`, on clusters."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dask
import pytest

from dagrpc import Client, Event, LocalCluster, Scheduler, Worker, wait
from dagrpc._loop.io_loop import get_loop
from dagrpc.exceptions import UnknownWorkerError

TIMEOUT = 60
OFF = {"distributed.scheduler.active-memory-manager.start": False}


def inc(x: int) -> int:
    return x + 1


def copies(client: Client, futures: Any) -> list[int]:
    return [len(workers) for workers in client.who_has(futures).values()]


# --- replicate ---


def test_results_are_copied_and_copies_dropped(quiet: Client) -> None:
    futures = quiet.map(inc, range(20), pure=False)
    quiet.replicate(futures)
    assert copies(quiet, futures) == [3] * 20
    quiet.replicate(futures, n=2)
    assert copies(quiet, futures) == [2] * 20
    quiet.replicate(futures, n=10)
    assert copies(quiet, futures) == [3] * 20
    quiet.replicate(futures[0], n=1)
    assert copies(quiet, futures) == [1] + [3] * 19
    assert quiet.gather(futures) == list(range(1, 21))


def test_copies_on_certain_workers(quiet: Client) -> None:
    first, second, third = quiet.nthreads()
    future = quiet.submit(inc, 1, workers=[first], pure=False)
    quiet.replicate([future], workers=[second])
    assert set(quiet.who_has(future)[future.key]) == {first, second}
    quiet.replicate([future], n=1, workers=[second, third])
    assert set(quiet.who_has(future)[future.key]) == {first, second}
    quiet.replicate([future], n=1, workers=[first, second])
    assert len(quiet.who_has(future)[future.key]) == 1
    names = [str(info["name"]) for info in quiet.scheduler_info()["workers"].values()]
    quiet.replicate([future], workers=names, branching_factor=1)
    assert copies(quiet, future) == [3]


def test_copies_that_somebody_else_waits_for_are_not_dropped(quiet_cluster: LocalCluster, quiet: Client) -> None:
    future = quiet.submit(inc, 1, pure=False)
    quiet.replicate([future])
    with quiet_cluster.scheduler._service.memory_manager_host.planner.holding([future.key]):
        quiet.replicate([future], n=1)
        assert copies(quiet, future) == [3]
    quiet.replicate([future], n=1)
    assert copies(quiet, future) == [1]


def test_data_that_cannot_be_copied(quiet: Client) -> None:
    class Counter:
        pass

    failed = quiet.submit(lambda: 1 / 0, pure=False)
    actor = quiet.submit(Counter, actor=True)
    quiet.replicate([failed, actor])
    assert copies(quiet, actor) == [1]
    quiet.replicate([])
    future = quiet.submit(inc, 1, pure=False)
    with pytest.raises(ValueError, match="delete data"):
        quiet.replicate(future, n=0)
    with pytest.raises(ValueError, match="branching_factor"):
        quiet.replicate(future, branching_factor=0)
    with pytest.raises(TypeError, match="no parameter delete_all"):
        quiet.replicate(future, delete_all=True)
    for error in (UnknownWorkerError, KeyError, ValueError):
        with pytest.raises(error, match="nobody"):
            quiet.replicate(future, workers=["nobody"])
    assert copies(quiet, future) == [1]


def test_a_result_that_is_waited_for_is_copied(quiet: Client) -> None:
    go = Event("copied-later")

    def work() -> int:
        go.wait()
        return 1

    future = quiet.submit(work, pure=False)
    threading.Timer(0.1, go.set).start()
    quiet.replicate(future, n=2)
    assert copies(quiet, future) == [2]


# --- rebalance ---


def test_results_move_from_full_workers_to_empty_ones() -> None:
    settings = {**OFF, "distributed.worker.memory.rebalance.measure": "managed_total"}
    settings |= {"distributed.worker.memory.rebalance.sender-min": 0.1, "distributed.worker.memory.target": False}
    # The process that they share has other things in memory, too.
    settings |= {"distributed.worker.memory.spill": False, "distributed.worker.memory.pause": False}
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, memory_limit="1 GB") as cluster,
        Client(cluster) as client,
    ):
        first, second = client.nthreads()
        futures = client.map(lambda number: bytes(20_000_000), range(20), workers=[first], pure=False)
        wait(futures)
        assert len(client.has_what()[first]) == 20
        assert client.rebalance() is None
        # It stops when both are within 5 % of the limit around the mean of 200 MB.
        moved = client.has_what()
        assert (len(moved[first]), len(moved[second])) == (12, 8)
        assert copies(client, futures) == [1] * 20
        assert [len(value) for value in client.gather(futures)] == [20_000_000] * 20
        client.rebalance()
        assert client.has_what() == moved


class Held:
    """Takes as much memory as it says, and does not travel before it may."""

    begun, may = threading.Event(), threading.Event()

    def __sizeof__(self) -> int:
        return 100_000_000

    def __reduce__(self) -> tuple[type, tuple[()]]:
        self.begun.set()
        assert self.may.wait(60)
        return Held, ()


def test_results_bound_for_a_retiring_worker_move_to_another() -> None:
    settings = {**OFF, "distributed.worker.memory.rebalance.measure": "managed_total"}
    settings |= {"distributed.worker.memory.rebalance.sender-min": 0.0, "distributed.worker.memory.target": False}
    settings |= {"distributed.worker.memory.spill": False, "distributed.worker.memory.pause": False}
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=3, threads_per_worker=1, processes=False, memory_limit="1 GB") as cluster,
        Client(cluster) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        first, second, third = client.nthreads()
        futures = client.map(lambda _: Held(), range(2), workers=[first], pure=False)
        wait(futures)
        # So that the second is given one of them.
        ballast = client.submit(bytes, 10_000_000, workers=[third])
        wait(ballast)
        done = pool.submit(client.rebalance)
        assert Held.begun.wait(60)
        assert list(client.retire_workers([second])) == [second]
        Held.may.set()
        assert done.result(60) is None
        moved = client.has_what()
        assert {first: len(moved[first]), third: len(moved[third])} == {first: 1, third: 2}


def test_data_that_cannot_be_moved_is_named(quiet: Client) -> None:
    future, failed = quiet.submit(inc, 1, pure=False), quiet.submit(lambda: 1 / 0, pure=False)
    quiet.rebalance([future])
    quiet.rebalance([])
    with pytest.raises(KeyError, match=f"Could not rebalance keys: .*{failed.key}"):
        quiet.rebalance([future, failed])
    with pytest.raises(KeyError, match="nobody"):
        quiet.rebalance(workers=["nobody"])
    with pytest.raises(TypeError, match="no parameter gently"):
        quiet.rebalance(gently=True)


def test_settings_that_make_no_sense_are_named(quiet: Client) -> None:
    for setting, value in (("sender-min", 2), ("recipient-max", "much"), ("measure", "mood")):
        with (
            dask.config.set({f"distributed.worker.memory.rebalance.{setting}": value}),
            pytest.raises(ValueError, match=f"rebalance.{setting}"),
        ):
            quiet.rebalance()


def test_the_scheduler_as_an_object_copies_and_moves() -> None:
    async def body() -> None:
        async with (
            Scheduler() as scheduler,
            Worker(scheduler.address, nthreads=1),
            Worker(scheduler.address, nthreads=1),
            Client(scheduler.address, asynchronous=True) as client,
        ):
            future = await client.scatter(1)
            assert await scheduler.replicate([future.key]) is None
            assert len(scheduler.tasks[future.key].who_has) == 2
            assert await scheduler.replicate([future.key], n=1, delete=False) is None
            assert len(scheduler.tasks[future.key].who_has) == 2
            assert await scheduler.replicate(["x", future.key], n=1) == {"status": "partial-fail", "keys": ["x"]}
            assert await scheduler.rebalance() == {"status": "OK"}
            assert await scheduler.rebalance(keys=[]) == {"status": "OK"}
            assert await scheduler.rebalance(["x"]) == {"status": "partial-fail", "keys": ["x"]}
            with pytest.raises(KeyError, match="nobody"):
                await scheduler.rebalance(workers=["nobody"])
            with pytest.raises(ValueError, match="delete data"):
                await scheduler.replicate([future.key], n=0)

    get_loop().run(body(), TIMEOUT)
