"""Options of workers: executors, stores for results, resources, lifetimes, metrics."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import UserDict
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import dask
import pytest

from dagrpc import Client, LocalCluster, Nanny, Scheduler, Status, secede
from dagrpc_worker.shell.facade.worker import Worker
from tests.support.running import in_own_loop
from tests.support.waiting import eventually_async

pytestmark = pytest.mark.timeout(120)


def inc(number: int) -> int:
    return number + 1


def thread_name() -> str:
    return threading.current_thread().name


_together = threading.Barrier(2)


def meet(number: int) -> bool:
    _together.wait(30)
    return True


@in_own_loop
async def test_tasks_choose_their_pool() -> None:
    with ThreadPoolExecutor(2, thread_name_prefix="gpu") as gpu:
        async with (
            Scheduler() as scheduler,
            Worker(scheduler.address, nthreads=1, executor={"gpu": gpu}) as worker,
            Client(scheduler.address, asynchronous=True) as client,
        ):
            assert {"default", "gpu", "offload"} <= set(worker.executors)
            assert worker.executors["gpu"] is gpu
            with dask.annotate(executor="gpu"):
                assert await client.gather(client.map(meet, range(2))) == [True, True]
                assert (await client.submit(thread_name)).startswith("gpu")
                assert await client.submit(lambda: (secede(), 1)[1]) == 1  # type: ignore[func-returns-value]
            for name, prefix in (("offload", "dagrpc-task"), ("default", "dagrpc-task")):
                with dask.annotate(executor=name):
                    assert (await client.submit(thread_name, pure=False)).startswith(prefix)
            with dask.annotate(executor="missing"), pytest.raises(ValueError, match="Invalid executor 'missing'"):
                await client.submit(thread_name, pure=False)


@in_own_loop
async def test_a_pool_takes_the_place_of_the_default_one() -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as pool:
        async with (
            Scheduler() as scheduler,
            Worker(scheduler.address, nthreads=1, executor=pool) as worker,
            Client(scheduler.address, asynchronous=True) as client,
        ):
            assert (await client.submit(thread_name)).startswith("mine")
            with pytest.raises(ZeroDivisionError):
                await client.submit(lambda: 1 / 0)
            assert worker.executors["default"] is pool
    with pytest.raises(RuntimeError, match="executor is a int"):
        await Worker("127.0.0.1:1", executor=3, death_timeout=1)


@in_own_loop
async def test_functions_run_in_processes() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        async with (
            Scheduler() as scheduler,
            Worker(scheduler.address, nthreads=1, executor={"processes": pool}),
            Client(scheduler.address, asynchronous=True) as client,
        ):
            with dask.annotate(executor="processes"):
                first = client.submit(lambda: os.getpid(), key="pid")
                assert await first != os.getpid()
                assert await client.submit(lambda pid: pid, first) == await first
                with pytest.raises(ZeroDivisionError):
                    await client.submit(lambda: 1 / 0)


class Watched(UserDict):  # type: ignore[type-arg]
    """Notes what is kept in it."""

    def __init__(self, worker_local_directory: str = "", label: str = "") -> None:
        super().__init__()
        self.directory, self.label = worker_local_directory, label


@in_own_loop
async def test_results_are_kept_where_the_user_wants() -> None:
    mine: dict[str, Any] = {}
    made: list[Watched] = []

    def make(worker_local_directory: str, label: str) -> Watched:
        made.append(Watched(worker_local_directory, label))
        return made[-1]

    async with (
        Scheduler() as scheduler,
        Worker(scheduler.address, name="a", data=mine),
        Worker(scheduler.address, name="b", data=(make, {"label": "x"})) as b,
        Worker(scheduler.address, name="c", data=dict) as c,
        Client(scheduler.address, asynchronous=True) as client,
    ):
        futures = [client.submit(inc, 1, key=f"to-{name}", workers=[name]) for name in "abc"]
        assert await client.gather(futures) == [2, 2, 2]
        assert mine == {"to-a": 2}
        assert made[0].data == {"to-b": 2}
        assert (made[0].directory, made[0].label) == (b.local_directory, "x")
        assert dict(c.data) == {"to-c": 2}
        assert await client.submit(sum, futures) == 6
        del futures
        await eventually_async(lambda: not mine and not made[0].data)
        with pytest.raises(RuntimeError, match="data is a int"):
            await Worker(scheduler.address, data=3)


@in_own_loop
async def test_resources_are_changed_while_it_runs() -> None:
    async with (
        Scheduler() as scheduler,
        Worker(scheduler.address, nthreads=1, resources={"A": 1}) as worker,
        Client(scheduler.address, asynchronous=True) as client,
    ):
        future = client.submit(inc, 1, resources={"GPU": 2})
        await eventually_async(
            lambda: future.key in scheduler.tasks and scheduler.tasks[future.key].state == "no-worker"
        )
        await worker.set_resources(GPU=2)
        assert await future == 2
        assert worker.resources == {"A": 1, "GPU": 2}
        assert scheduler.workers[worker.address].resources == {"A": 1, "GPU": 2}
        with pytest.raises(ValueError, match="GPU=-1"):
            await worker.set_resources(GPU=-1)


@in_own_loop
async def test_a_worker_lives_as_long_as_it_is_to() -> None:
    async with (
        Scheduler() as scheduler,
        Worker(scheduler.address, name="a", lifetime=0.3, lifetime_stagger=0.1) as a,
        Worker(scheduler.address, name="b") as b,
        Client(scheduler.address, asynchronous=True) as client,
    ):
        future = client.submit(inc, 1, workers=["a"], allow_other_workers=True)
        assert await future == 2
        await asyncio.wait_for(a.finished(), 60)
        assert a.status is Status.closed
        assert {holder.address for holder in scheduler.tasks[future.key].who_has} == {b.address}


@in_own_loop
async def test_a_nanny_starts_another_when_a_lifetime_is_over() -> None:
    async with (
        Scheduler() as scheduler,
        Nanny(scheduler.address, nthreads=1, lifetime="0.5 s", lifetime_restart=True) as nanny,
    ):
        first = nanny.pid
        await eventually_async(lambda: nanny.status is Status.running and nanny.pid not in (None, first))


@in_own_loop
async def test_measurements_and_information_of_a_users_own() -> None:
    async def slowly(worker: Worker) -> int:
        return len(str(worker.name))

    async with (
        Scheduler() as scheduler,
        Worker(
            scheduler.address,
            name="abc",
            heartbeat_interval="20 ms",
            metrics={"threads": lambda worker: worker.nthreads, "letters": slowly, "bad": lambda worker: "no number"},
            startup_information={"version": lambda worker: [1, "a"]},
            nthreads=3,
        ) as worker,
    ):
        await eventually_async(lambda: "letters" in scheduler.workers[worker.address].metrics)
        metrics = scheduler.workers[worker.address].metrics
        assert (metrics["threads"], metrics["letters"]) == (3, 3)
        assert "bad" not in metrics
        assert scheduler.workers[worker.address].extra == {"version": [1, "a"]}


def test_workers_in_processes_are_told_the_same() -> None:
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, data=Watched, metrics={"five": lambda worker: 5}, heartbeat_interval=0.05
        ) as cluster,
        Client(cluster) as client,
    ):
        assert client.submit(inc, 1, key="x").result() == 2
        kinds = client.run(lambda dask_worker: type(dask_worker._service.data._values).__name__)
        assert list(kinds.values()) == ["Watched"]

        def has_metric() -> bool:
            (worker,) = client.scheduler_info()["workers"].values()
            return worker["metrics"].get("five") == 5

        asyncio.run(eventually_async(has_metric))


class Counting(Worker):
    """A worker of a user's own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.count = 7


@in_own_loop
async def test_a_nanny_starts_workers_of_a_users_own_class() -> None:
    async with (
        Scheduler() as scheduler,
        Nanny(scheduler.address, nthreads=1, worker_class=Counting, name="mine") as nanny,
        Client(scheduler.address, asynchronous=True) as client,
    ):
        assert await client.run(lambda dask_worker: (dask_worker.count, dask_worker.name, dask_worker.status.name)) == {
            nanny.worker_address: (7, "mine", "running")
        }
    with pytest.raises(RuntimeError, match="worker_class"):
        async with Scheduler() as scheduler:
            await Nanny(scheduler.address, worker_class=int)
