"""Scheduler, Worker and Nanny as objects in the user's own event loop."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import dask
import pytest

from dagrpc import Client, LocalCluster, Nanny, Scheduler, Status, Worker, get_client, get_worker
from tests.support.running import in_own_loop
from tests.support.waiting import eventually_async

pytestmark = pytest.mark.timeout(120)


def inc(number: int) -> int:
    return number + 1


@in_own_loop
async def test_a_cluster_of_objects() -> None:
    async with (
        Scheduler() as scheduler,
        Worker(scheduler.address, name="a", nthreads=2) as a,
        Worker(scheduler.address, name="b", nthreads=1) as b,
        Client(scheduler.address, asynchronous=True) as client,
    ):
        assert scheduler.status is Status.running
        assert scheduler.listen_address == scheduler.address == f"127.0.0.1:{scheduler.port}"
        assert set(scheduler.workers) == {a.address, b.address}
        assert scheduler.total_nthreads == 3
        assert await client.submit(inc, 1) == 2
        assert scheduler.identity()["n_workers"] == 2
        assert a.identity()["name"] == "a"
        assert repr(scheduler).startswith("<Scheduler '127.0.0.1:")
        assert repr(a).startswith(f"<Worker '{a.address}', name: a, status: running")
    assert scheduler.status is Status.closed  # type: ignore[comparison-overlap]
    assert a.status is Status.closed


def test_each_loop_of_a_process_can_have_its_own() -> None:
    async def main() -> int:
        async with (
            Scheduler() as scheduler,
            Worker(scheduler.address, nthreads=1),
            Client(scheduler.address, asynchronous=True) as client,
        ):
            return await client.submit(inc, 1)

    assert [asyncio.run(main()) for _ in range(3)] == [2, 2, 2]


@in_own_loop
async def test_the_state_of_a_task_can_be_read() -> None:
    async with (
        Scheduler() as scheduler,
        Worker(scheduler.address, name="a", nthreads=1) as a,
        Worker(scheduler.address, name="b", nthreads=1) as b,
        Client(scheduler.address, asynchronous=True) as client,
    ):
        with dask.annotate(color="red", priority=3):
            first = client.submit(inc, 1, key=("x", 1), workers=["a"], retries=2)
        second = client.submit(inc, first, key="y-1")
        assert await second == 3
        task = scheduler.tasks["x", 1]
        assert task.key == ("x", 1)
        assert (task.state, task.type, task.retries, task.actor, task.suspicious) == ("memory", "int", 2, False, 0)
        assert {worker.address for worker in task.who_has} >= {a.address}
        assert {client.client_key for client in task.who_wants} == {client.id}
        assert task.annotations["color"] == "red"
        assert (task.annotations["workers"], task.annotations["retries"]) == (["a"], 2)
        assert task.worker_restrictions == {"a"}
        assert task.dependents == {scheduler.tasks["y-1"]}
        assert scheduler.tasks["y-1"].dependencies == {task}
        assert (task.waiting_on, task.waiters, task.processing_on, task.exception) == (None, set(), None, None)
        assert task.nbytes == task.get_nbytes() > 0
        assert (task.group.name, task.prefix.name, task.group_key, task.prefix_key) == ("x", "x", "x", "x")
        assert task.group in scheduler.task_prefixes["x"].groups
        assert scheduler.task_groups["x"].states["memory"] == 1
        assert scheduler.task_prefixes["x"].duration_average >= 0
        assert ("x", 2) not in scheduler.tasks
        with pytest.raises(KeyError, match="absent"):
            scheduler.tasks["absent"]
        assert scheduler.tasks.get("absent") is None
        worker = scheduler.workers[a.address]
        assert task in worker.has_what
        assert (worker.name, worker.nthreads, worker.status, worker.processing) == ("a", 1, Status.running, set())
        assert worker.pid == os.getpid()
        assert worker.identity()["name"] == "a"
        assert scheduler.aliases == {"a": a.address, "b": b.address}
        assert [entry.finish for entry in scheduler.story(task)][-1] == "memory"
        assert scheduler.memory.managed >= 0
        assert scheduler.clients[client.id].wants_what == {task, scheduler.tasks["y-1"]}
        assert dict(a.data)["x", 1] == 2


@in_own_loop
async def test_the_failure_of_a_task_can_be_read() -> None:
    async with (
        Scheduler() as scheduler,
        Worker(scheduler.address, nthreads=1),
        Client(scheduler.address, asynchronous=True) as client,
    ):
        bad = client.submit(lambda: 1 / 0, key="bad")
        after = client.submit(inc, bad, key="after")
        await client.gather(after, errors="skip")
        task = scheduler.tasks["after"]
        assert task.state == "erred"
        assert task.exception_blame == scheduler.tasks["bad"]
        assert isinstance(task.exception, ZeroDivisionError)
        assert task.exception_text == "ZeroDivisionError('division by zero')"
        assert task.traceback is not None
        assert "1 / 0" in (task.traceback_text or "")


@in_own_loop
async def test_waiting_and_running_tasks_can_be_seen() -> None:
    async with (
        Scheduler() as scheduler,
        Worker(scheduler.address, nthreads=1) as worker,
        Client(scheduler.address, asynchronous=True) as client,
    ):
        ready = client.submit(_wait_for_file, worker.local_directory + "/go", key="slow")
        after = client.submit(inc, ready, key="after")
        await eventually_async(lambda: "slow" in scheduler.tasks and scheduler.tasks["slow"].processing_on is not None)
        assert scheduler.tasks["after"].waiting_on == {scheduler.tasks["slow"]}
        assert scheduler.tasks["slow"].waiters == {scheduler.tasks["after"]}
        assert scheduler.workers[worker.address].processing == {scheduler.tasks["slow"]}
        assert scheduler.check_idle() is None
        Path(worker.local_directory, "go").touch()
        assert await after == 2
        assert scheduler.check_idle() is not None
        assert scheduler.idle_since is not None


def _wait_for_file(path: str) -> int:
    while not os.path.exists(path):
        time.sleep(0.01)
    return 1


@in_own_loop
async def test_workers_are_retired_and_closed() -> None:
    async with (
        Scheduler() as scheduler,
        Worker(scheduler.address, name="a", nthreads=1) as a,
        Worker(scheduler.address, name="b", nthreads=1) as b,
        Client(scheduler.address, asynchronous=True) as client,
    ):
        future = client.submit(inc, 1, workers=["a"], allow_other_workers=True)
        assert await future == 2
        assert scheduler.workers_to_close(n=1) == [b.address]
        assert scheduler.workers_to_close(n=1, attribute="name") == ["b"]
        assert set(scheduler.workers_to_close(n=2, key=lambda worker: worker.host)) == {a.address, b.address}
        retired = await scheduler.retire_workers([a.address])
        assert list(retired) == [a.address]
        await a.finished()
        assert a.status is Status.closed
        assert set(scheduler.workers) == {b.address}
        assert await client.gather(future) == 2
        # There is nobody to take what it holds.
        assert await scheduler.retire_workers(names=["b"]) == {}
        assert scheduler.workers[b.address].status is Status.running
        with pytest.raises(TypeError, match="one of them"):
            await scheduler.retire_workers(["a"], names=["a"])


@in_own_loop
async def test_workers_are_asked_all_at_once() -> None:
    async with Scheduler() as scheduler, Worker(scheduler.address, nthreads=1) as a, Worker(scheduler.address) as b:
        answers = await scheduler.broadcast(msg={"op": "run", "function": inc, "args": (1,)})
        assert answers == {a.address: 2, b.address: 2}
        assert set(await scheduler.broadcast(msg={"op": "identity"}, workers=[a.address])) == {a.address}
        with pytest.raises(ZeroDivisionError):
            await scheduler.broadcast(msg={"op": "run", "function": divmod, "args": (1, 0)})
        errors = await scheduler.broadcast(msg={"op": "run", "function": divmod, "args": (1, 0)}, on_error="return")
        assert all(isinstance(error, ZeroDivisionError) for error in errors.values())
        with pytest.raises(ValueError, match="op='fly'"):
            await scheduler.broadcast(msg={"op": "fly"})
        await scheduler.close_worker(a.address)
        await a.finished()
        assert set(scheduler.workers) == {b.address}


@in_own_loop
async def test_a_task_is_brought_into_another_state() -> None:
    async with (
        Scheduler() as scheduler,
        Worker(scheduler.address, nthreads=1) as worker,
        Client(scheduler.address, asynchronous=True) as client,
    ):
        path = worker.local_directory + "/fail"
        future = client.submit(_fail_once, path, key="flaky")
        await client.gather(future, errors="skip")
        assert scheduler.tasks["flaky"].state == "erred"
        scheduler.transition("flaky", "released")
        await eventually_async(lambda: scheduler.tasks["flaky"].state == "memory")
        with pytest.raises(ValueError, match="cannot be made processing"):
            scheduler.transition("flaky", "processing")
        with pytest.raises(KeyError):
            scheduler.transition("absent", "released")


def _fail_once(path: str) -> str:
    if os.path.exists(path):
        return "done"
    with open(path, "w"):
        raise RuntimeError("not yet")


@in_own_loop
async def test_a_worker_leaves_in_good_order() -> None:
    async with (
        Scheduler() as scheduler,
        Worker(scheduler.address, name="a") as a,
        Worker(scheduler.address, name="b") as b,
        Client(scheduler.address, asynchronous=True) as client,
    ):
        future = client.submit(inc, 1, workers=["a"], allow_other_workers=True)
        assert await future == 2
        await a.close_gracefully()
        assert a.status is Status.closed
        assert scheduler.tasks[future.key].who_has == {scheduler.workers[b.address]}
        await a.close_gracefully()


@in_own_loop
async def test_tasks_and_functions_see_the_same_worker() -> None:
    async with (
        Scheduler() as scheduler,
        Worker(scheduler.address, name="a") as worker,
        Client(scheduler.address, asynchronous=True) as client,
    ):
        assert await client.submit(lambda: get_worker().name) == "a"
        await client.run(lambda dask_worker: setattr(dask_worker, "kept", 5))
        assert worker.kept == 5  # type: ignore[attr-defined]
        assert await client.submit(lambda: get_worker().kept, pure=False) == 5

        async def task_in_task() -> Any:
            return await get_client().submit(inc, 10)

        assert await client.submit(task_in_task) == 11
        assert await client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.workers)) == [worker.address]


def test_the_scheduler_of_a_cluster_of_processes_is_the_same_object() -> None:
    def look(dask_scheduler: Any) -> tuple[str, str, int]:
        dask_scheduler.kept = getattr(dask_scheduler, "kept", 0) + 1
        task = dask_scheduler.tasks["x"]
        return type(dask_scheduler).__name__, task.state, dask_scheduler.kept

    with LocalCluster(n_workers=1, threads_per_worker=1) as cluster, Client(cluster) as client:
        future = client.submit(inc, 1, key="x")
        assert future.result() == 2
        assert client.run_on_scheduler(look) == ("Scheduler", "memory", 1)
        assert client.run_on_scheduler(look) == ("Scheduler", "memory", 2)
        kind = client.run(lambda dask_worker: (type(dask_worker).__name__, dask_worker.status.name))
        assert list(kind.values()) == [("Worker", "running")]


@in_own_loop
async def test_extensions_are_made_with_the_scheduler() -> None:
    class Extension:
        def __init__(self, scheduler: Scheduler) -> None:
            self.address = scheduler.address

    async with Scheduler(extensions={"mine": Extension}) as scheduler:
        assert scheduler.extensions["mine"].address == scheduler.address


@in_own_loop
async def test_a_nanny_starts_stops_and_restarts_its_worker() -> None:
    async with (
        Scheduler() as scheduler,
        Nanny(
            scheduler.address,
            name="n",
            nthreads=1,
            env={"COLOR": "red"},
            config={"mine": {"number": 7}},
            worker_port="43210:43290",
        ) as nanny,
        Client(scheduler.address, asynchronous=True) as client,
    ):
        assert nanny.status is Status.running
        assert nanny.is_alive()
        assert list(scheduler.workers) == [nanny.worker_address]
        assert 43210 <= int((nanny.worker_address or "").rpartition(":")[2]) <= 43290
        assert os.path.isdir(nanny.worker_dir or "")

        def look() -> tuple[str, int, int]:
            return os.environ["COLOR"], dask.config.get("mine.number"), os.getpid()

        assert await client.submit(look) == ("red", 7, nanny.pid)
        await nanny.kill()
        assert not nanny.is_alive()
        assert (nanny.pid, nanny.worker_dir, nanny.status) == (None, None, Status.stopped)
        assert await nanny.instantiate() is Status.running
        first = nanny.pid
        assert await nanny.restart() == "OK"
        second = nanny.pid
        assert second != first
        os.kill(second or 0, signal.SIGKILL)
        await eventually_async(lambda: nanny.status is Status.running and nanny.pid not in (None, second), 60.0)
        assert await client.submit(look, pure=False) == ("red", 7, nanny.pid)
    assert nanny.status is Status.closed  # type: ignore[comparison-overlap]
    assert not nanny.is_alive()


@in_own_loop
async def test_a_nanny_that_closes_restarts_nothing() -> None:
    async with Scheduler() as scheduler:
        for _ in range(5):
            async with Nanny(scheduler.address, nthreads=1):
                # It hears of that before, while or after it begins to close.
                assert await scheduler.restart(timeout=60, wait_for_workers=False) == {}
        assert not scheduler.workers


@in_own_loop
async def test_impossible_arguments_are_named() -> None:
    with pytest.raises(TypeError, match="colour"):
        Scheduler(colour="red")
    with pytest.raises(ValueError, match="ucx"):
        Scheduler(protocol="ucx")
    with pytest.raises(TypeError, match="security"):
        Worker("127.0.0.1:1", security=True)
    with pytest.raises(ValueError, match="Where is the scheduler"):
        Worker()
    with pytest.raises(TypeError, match="colour"):
        Nanny("127.0.0.1:1", colour="red")
    with pytest.raises(ValueError, match="one of them"):
        Worker("127.0.0.1:1", host="127.0.0.1", interface="lo")
    async with Scheduler() as scheduler:
        with pytest.raises(OSError, match="Cannot listen"):
            await Scheduler(port=scheduler.port)
    late = Worker("127.0.0.1:1", death_timeout=0.1)
    with pytest.raises(OSError, match=r"127\.0\.0\.1:1"):
        await late
    assert late.status is Status.failed
    never = Scheduler()
    await never.close()
    assert never.status is Status.closed
    with pytest.raises(RuntimeError, match="cannot be started"):
        await never


@in_own_loop
async def test_a_server_that_others_close_is_finished() -> None:
    async with Scheduler() as scheduler, Client(scheduler.address, asynchronous=True) as client:
        worker = await Worker(scheduler.address)
        await client.shutdown()
        await asyncio.wait_for(worker.finished(), 30)
        await asyncio.wait_for(scheduler.finished(), 30)
        assert (worker.status, scheduler.status) == (Status.closed, Status.closed)
