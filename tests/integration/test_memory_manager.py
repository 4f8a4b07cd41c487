"""The active memory manager, `replicate` and `rebalance`, on clusters."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dask
import pytest

from dagrpc import Client, Event, LocalCluster, Scheduler, Worker, wait
from dagrpc._io.loop import get_loop
from dagrpc.active_memory_manager import (
    ActiveMemoryManagerExtension,
    ActiveMemoryManagerPolicy,
    ReduceReplicas,
    RetireWorker,
    Suggestion,
)
from dagrpc.exceptions import UnknownWorkerError

TIMEOUT = 60
OFF = {"distributed.scheduler.active-memory-manager.start": False}


def inc(x: int) -> int:
    return x + 1


@pytest.fixture(scope="module")
def quiet_cluster() -> Iterator[LocalCluster]:
    """Three workers in this process, with a manager that does not run by itself."""
    with dask.config.set(OFF):
        cluster = LocalCluster(n_workers=3, threads_per_worker=1, processes=False, memory_limit=0)
    with cluster:
        yield cluster


@pytest.fixture
def quiet(quiet_cluster: LocalCluster) -> Iterator[Client]:
    with Client(quiet_cluster) as client:
        yield client


def copies(client: Client, futures: Any) -> list[int]:
    return [len(workers) for workers in client.who_has(futures).values()]


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


# --- the manager ---


def test_it_runs_unless_told_otherwise(fresh_cluster: LocalCluster, quiet: Client) -> None:
    assert quiet.amm.running() is False
    with Client(fresh_cluster) as client:
        assert client.amm.running() is True
        assert client.amm.stop() is None
        assert client.amm.stop() is None
        assert client.amm.running() is False
        assert client.amm.start() is None
        assert client.amm.start() is None
        assert client.amm.running() is True


def test_copies_are_reduced_from_time_to_time() -> None:
    settings = {"distributed.scheduler.active-memory-manager.interval": "50ms"}
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False) as cluster,
        Client(cluster) as client,
    ):
        data = client.scatter(123, broadcast=True)
        until(lambda: copies(client, data) == [1])
        assert data.result() == 123


def test_copies_stay_while_they_are_needed(quiet: Client) -> None:
    over = Event("needed-copies-over")
    data = quiet.scatter(1, broadcast=True, hash=False)

    def use(x: int) -> int:
        over.wait()
        return x

    workers = list(quiet.nthreads())
    users = [quiet.submit(use, data, workers=[worker], pure=False) for worker in workers[:2]]
    until(lambda: sum(len(keys) for keys in quiet.processing().values()) == 2)
    quiet.amm.run_once()
    assert set(quiet.who_has(data)[data.key]) == set(workers[:2])
    over.set()
    assert quiet.gather(users) == [1, 1]
    quiet.amm.run_once()
    assert copies(quiet, data) == [1]


def test_an_asynchronous_client_steers_it_too(quiet_cluster: LocalCluster) -> None:
    async def steer() -> list[Any]:
        async with Client(quiet_cluster.scheduler_address, asynchronous=True) as client:
            data = await client.scatter(1, broadcast=True)
            told = [await client.amm.running(), await client.amm.run_once(), await client.amm.stop()]
            counts = [len(workers) for workers in (await client.who_has(data)).values()]
            await client.replicate(data, n=2)
            await client.rebalance([data])
            counts += [len(workers) for workers in (await client.who_has(data)).values()]
            return [*told, counts]

    assert get_loop().run(steer(), TIMEOUT) == [False, None, None, [1, 2]]


def test_a_task_steers_it_too(quiet: Client) -> None:
    def steer() -> Any:
        from dagrpc import get_client

        client = get_client()
        future = client.scatter(7)
        client.replicate(future, n=2)
        return client.amm.running(), len(client.who_has(future)[future.key])

    assert quiet.submit(steer, pure=False).result(timeout=TIMEOUT) == (False, 2)


# --- policies ---


class Everywhere(ActiveMemoryManagerPolicy):
    """Asks for copies of one result on all workers, and keeps what it is told."""

    def __init__(self, key: str, **options: Any) -> None:
        self.key = key
        self.options = options
        self.told: list[Any] = []

    def run(self) -> Any:
        manager = self.manager
        task = manager.scheduler.tasks[self.key]
        for _ in range(4):
            chosen = yield "replicate", task
            gains, drops = manager.pending.get(task, (set(), set()))
            self.told.append((chosen in manager.workers_memory, len(gains), len(drops)))


class Narrow(ActiveMemoryManagerPolicy):
    def __init__(self, key: str) -> None:
        self.key = key
        self.told: list[Any] = []

    def run(self) -> Any:
        task = self.manager.scheduler.tasks[self.key]
        holders = task.who_has
        for suggestion in (
            ("drop", task, set()),
            Suggestion("drop", task, set(self.manager.scheduler.workers.values()) - holders),
            ("drop", task, holders),
            ("drop", task, None),
            ("replicate", task, holders),
        ):
            self.told.append((yield suggestion))


class Broken(ActiveMemoryManagerPolicy):
    def run(self) -> Any:
        yield 1 / 0


class Confused(ActiveMemoryManagerPolicy):
    def run(self) -> Any:
        yield "move", next(iter(self.manager.scheduler.tasks.values()))


def test_policies_of_a_users_own() -> None:
    with (
        dask.config.set(OFF),
        LocalCluster(n_workers=3, threads_per_worker=1, processes=False) as cluster,
        Client(cluster) as client,
    ):
        manager = cluster.scheduler.extensions["amm"]
        assert (manager.measure, manager.interval, manager.running) == ("optimistic", 2.0, False)
        assert manager.scheduler is cluster.scheduler
        assert repr(manager.policies) == "{ReduceReplicas()}"
        data = client.scatter(1, hash=False)
        manager.policies.clear()
        manager.add_policy(policy := Everywhere(data.key))
        client.amm.run_once()
        assert policy.told == [(True, 1, 0), (True, 2, 0), (False, 2, 0), (False, 2, 0)]
        until(lambda: copies(client, data) == [3])
        manager.policies.clear()
        manager.add_policy(narrow := Narrow(data.key))
        client.amm.run_once()
        assert [worker is not None for worker in narrow.told] == [False, False, True, True, False]
        assert copies(client, data) == [1]
        assert (manager.pending, set(manager.workers_memory)) == ({}, set(cluster.scheduler.workers.values()))


def test_a_policy_that_fails_does_not_keep_others_from_running(caplog: pytest.LogCaptureFixture) -> None:
    with (
        dask.config.set(OFF),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False) as cluster,
        Client(cluster) as client,
    ):
        manager = cluster.scheduler.extensions["amm"]
        data = client.scatter(1, broadcast=True)
        manager.add_policy(Broken())
        with pytest.raises(ZeroDivisionError):
            manager.run_once()
        assert copies(client, data) == [1]
        manager.policies.clear()
        manager.add_policy(Confused())
        with pytest.raises(ValueError, match=r"Confused\(\) suggests 'move'"):
            manager.run_once()
        with pytest.raises(TypeError, match="Expected an ActiveMemoryManagerPolicy; got 5"):
            manager.add_policy(5)
        with pytest.raises(TypeError, match="abstract"):
            ActiveMemoryManagerPolicy()  # type: ignore[abstract]
        # By itself it goes on, and says what is wrong.
        manager.interval = 0.01
        client.amm.start()
        until(lambda: "A policy of the active memory manager failed" in caplog.text)
        assert client.amm.running()


def test_a_manager_of_a_users_own() -> None:
    with (
        dask.config.set(OFF),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False) as cluster,
        Client(cluster) as client,
    ):
        scheduler = cluster.scheduler
        first = scheduler.extensions["amm"]
        other = ActiveMemoryManagerExtension(
            scheduler, {ReduceReplicas()}, measure="process", register=False, start=True, interval=0.02
        )
        assert other.running
        assert scheduler.extensions["amm"] is first
        data = client.scatter(1, broadcast=True)
        until(lambda: copies(client, data) == [1])
        other.stop()
        assert not other.running
        with pytest.raises(ValueError, match=r"measure must be one of managed, .*unmanaged_recent; got 'mood'"):
            ActiveMemoryManagerExtension(scheduler, measure="mood", register=False)
        third = ActiveMemoryManagerExtension(scheduler, set(), start=False)
        assert scheduler.extensions["amm"] is third
        assert client.amm.running() is False


def test_policies_are_configured(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "house_policies.py").write_text(
        "from dagrpc.active_memory_manager import ActiveMemoryManagerPolicy\n"
        "class KeepTwo(ActiveMemoryManagerPolicy):\n"
        "    def __init__(self, prefix):\n"
        "        self.prefix = prefix\n"
        "    def run(self):\n"
        "        for key, task in self.manager.scheduler.tasks.items():\n"
        "            if str(key).startswith(self.prefix) and len(task.who_has) < 2:\n"
        "                yield 'replicate', task\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = {
        "distributed.scheduler.active-memory-manager.interval": "50ms",
        "distributed.scheduler.active-memory-manager.policies": [
            {"class": "distributed.active_memory_manager.RetireWorker", "address": "nobody:1"},
            {"class": "house_policies.KeepTwo", "prefix": "x"},
        ],
    }
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True) as cluster,
        Client(cluster) as client,
    ):
        x, y = client.submit(inc, 1, key="x-1"), client.submit(inc, 2, key="y-1")
        wait([x, y], timeout=TIMEOUT)
        until(lambda: copies(client, [x]) == [2])
        assert copies(client, [y]) == [1]


@pytest.mark.parametrize(
    "entry",
    [
        {"class": "no.such.module.Policy"},
        {"class": "builtins.int"},
        {"class": "dagrpc.active_memory_manager.ReduceReplicas", "nonsense": 1},
        {},
    ],
)
def test_a_policy_that_cannot_be_made_is_an_error_of_the_scheduler(entry: dict[str, Any]) -> None:
    with (
        dask.config.set({"distributed.scheduler.active-memory-manager.policies": [entry]}),
        pytest.raises((ValueError, TypeError), match=r"active-memory-manager\.policies"),
    ):
        Scheduler()


def test_the_retirement_policy_says_when_it_is_done(quiet_cluster: LocalCluster, quiet: Client) -> None:
    manager = quiet_cluster.scheduler.extensions["amm"]
    data = quiet.submit(inc, 1, pure=False)
    wait(data)
    (address,) = quiet.who_has(data)[data.key]
    policy = RetireWorker(address)
    manager.add_policy(policy)
    try:
        assert not policy.done()
        [suggestion] = list(policy.run())
        assert (suggestion.op, suggestion.ts.key) == ("replicate", data.key)
        quiet.replicate(data, n=2)
        assert policy.done()
        assert list(policy.run()) == []
        assert (policy.no_recipients, repr(policy)) == (False, f"RetireWorker({address!r})")
    finally:
        manager.policies.discard(policy)
    manager.add_policy(gone := RetireWorker("nobody:1"))
    manager.policies.discard(gone)
    assert gone.done()
    assert list(gone.run()) == []


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
    with quiet_cluster.scheduler.extensions["amm"].holding([future.key]):
        quiet.replicate([future], n=1)
        assert copies(quiet, future) == [3]
    quiet.replicate([future], n=1)
    assert copies(quiet, future) == [1]


def test_what_cannot_be_copied(quiet: Client) -> None:
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


def test_what_was_to_move_to_a_worker_that_retires_moves_to_another() -> None:
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


def test_what_cannot_be_moved_is_named(quiet: Client) -> None:
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
