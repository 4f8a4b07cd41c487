"""The active memory manager, on clusters."""

from __future__ import annotations

import os
from typing import Any

import dask
import pytest

from dagrpc import Client, Event, LocalCluster, Scheduler, wait
from dagrpc._loop.io_loop import get_loop
from dagrpc.active_memory_manager import (
    ActiveMemoryManagerExtension,
    ReduceReplicas,
    RetireWorker,
    Suggestion,
)
from dagrpc_scheduler.shell.memory.active_memory_manager import ActiveMemoryManagerPolicy
from tests.support.waiting import eventually

TIMEOUT = 60
OFF = {"distributed.scheduler.active-memory-manager.start": False}


def inc(x: int) -> int:
    return x + 1


def copies(client: Client, futures: Any) -> list[int]:
    return [len(workers) for workers in client.who_has(futures).values()]


# --- the manager ---


def test_the_manager_runs_by_default(fresh_cluster: LocalCluster, quiet: Client) -> None:
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
        eventually(lambda: copies(client, data) == [1])
        assert data.result() == 123


def test_copies_stay_while_they_are_needed(quiet: Client) -> None:
    over = Event("needed-copies-over")
    data = quiet.scatter(1, broadcast=True, hash=False)

    def use(x: int) -> int:
        over.wait()
        return x

    workers = list(quiet.nthreads())
    users = [quiet.submit(use, data, workers=[worker], pure=False) for worker in workers[:2]]
    eventually(lambda: sum(len(keys) for keys in quiet.processing().values()) == 2)
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
        suggestions: tuple[Any, ...] = (
            ("drop", task, set()),
            Suggestion("drop", task, set(self.manager.scheduler.workers.values()) - holders),
            ("drop", task, holders),
            ("drop", task, None),
            ("replicate", task, holders),
        )
        for suggestion in suggestions:
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
        eventually(lambda: copies(client, data) == [3])
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
        eventually(lambda: "A policy of the active memory manager failed" in caplog.text)
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
        eventually(lambda: copies(client, data) == [1])
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
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
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
        eventually(lambda: copies(client, [x]) == [2])
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
