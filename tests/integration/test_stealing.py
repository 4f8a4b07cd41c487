"""Work moves to idle workers, with real processes, and never runs twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest

from dagrpc import Client, Event, LocalCluster, get_worker, wait
from tests.support.waiting import eventually

LIMIT = 300 * 2**20

OFTEN = {"distributed.scheduler.work-stealing-interval": "50 ms"}


@pytest.fixture
def often() -> Iterator[None]:
    with dask.config.set(OFTEN):
        yield


def mark(folder: str, number: int, gate: str = "", seconds: float = 0.0, *needs: Any) -> str:
    """Leave a mark of this run, wait until the gate is open, and return where it ran."""
    address = get_worker().address
    with (Path(folder) / str(number)).open("a") as file:
        file.write(address + "\n")
    if gate:
        Event(gate).wait(timeout=60)
    if seconds:
        time.sleep(seconds)
    return address


def runs(folder: Path) -> dict[str, int]:
    return {path.name: len(path.read_text().splitlines()) for path in folder.iterdir()}


def place(client: Client) -> list[str]:
    return list(client.scheduler_info()["workers"])


def steps(client: Client) -> list[Any]:
    return [step for _, entries in client.get_events("stealing") for step in entries]


@pytest.mark.usefixtures("often")
def test_tasks_beside_their_data_spread_to_idle_workers_and_run_once(tmp_path: Path) -> None:
    with LocalCluster(n_workers=3, threads_per_worker=1, memory_limit=0) as cluster, Client(cluster) as client:
        first = place(client)[0]
        (data,) = client.scatter([b"x" * 1000], workers=[first])
        futures = [client.submit(mark, str(tmp_path), n, "", 0.05, data, pure=False) for n in range(60)]
        places = Counter(client.gather(futures))
        assert set(runs(tmp_path).values()) == {1}
        assert len(runs(tmp_path)) == 60
        assert len(places) == 3
        assert min(places.values()) >= 10


@pytest.mark.usefixtures("often")
def test_tasks_behind_a_long_task_move_and_the_long_task_stays(tmp_path: Path) -> None:
    """Tasks were expected to be short, and all were given to workers; then one of them blocks its worker."""
    with (
        dask.config.set({"distributed.scheduler.worker-saturation": float("inf")}),
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=0) as cluster,
        Client(cluster) as client,
    ):
        gate = Event("first", client=client)
        blocked = place(client)[0]
        long = client.submit(mark, str(tmp_path), -1, "first", workers=[blocked], pure=False)
        eventually(lambda: (tmp_path / "-1").exists(), otherwise="the long task does not start")
        futures = [
            client.submit(mark, str(tmp_path), n, "", 0.01, workers=[blocked], allow_other_workers=True, pure=False)
            for n in range(20)
        ]
        wait(futures, timeout=60)
        assert not long.done()
        assert blocked not in client.gather(futures)
        gate.set()
        assert long.result(timeout=60) == blocked
        assert set(runs(tmp_path).values()) == {1}


@pytest.mark.usefixtures("often")
def test_a_worker_that_joins_late_gets_its_share(tmp_path: Path) -> None:
    with (
        dask.config.set({"distributed.scheduler.worker-saturation": float("inf")}),
        LocalCluster(n_workers=1, threads_per_worker=1, memory_limit=0) as cluster,
        Client(cluster) as client,
    ):
        gate = Event("gate", client=client)
        futures = client.map(mark, [str(tmp_path)] * 30, range(30), ["gate"] * 30, pure=False)
        eventually(lambda: runs(tmp_path), otherwise="nothing starts")
        cluster.scale(2)
        # The first worker is still at its first task: what the new one starts it was given since.
        eventually(lambda: len(runs(tmp_path)) == 2, otherwise="the new worker gets nothing")
        gate.set()
        places = Counter(client.gather(futures))
        assert min(places.values()) >= 5
        assert set(runs(tmp_path).values()) == {1}
        requests = [step for step in steps(client) if step[0] == "request"]
        assert requests
        assert requests[0][3] in places


@pytest.mark.usefixtures("often")
def test_restricted_tasks_and_actors_stay(tmp_path: Path) -> None:
    with LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=0) as cluster, Client(cluster) as client:
        only, _ = place(client)
        futures = [client.submit(mark, str(tmp_path), n, "", 0.05, workers=[only], pure=False) for n in range(20)]
        assert set(client.gather(futures)) == {only}
        assert steps(client) == []


def test_stealing_can_be_switched_off(tmp_path: Path) -> None:
    off = {
        "distributed.scheduler.work-stealing": False,
        "distributed.scheduler.worker-saturation": float("inf"),
        **OFTEN,
    }
    with (
        dask.config.set(off),
        LocalCluster(n_workers=1, threads_per_worker=1, memory_limit=0) as cluster,
        Client(cluster) as client,
    ):
        futures = client.map(mark, [str(tmp_path)] * 10, range(10), [""] * 10, [0.05] * 10, pure=False)
        eventually(lambda: runs(tmp_path), otherwise="nothing starts")
        cluster.scale(2)
        client.wait_for_workers(2, timeout=60)
        assert len(set(client.gather(futures))) == 1
        assert steps(client) == []


def fill_up(gate: str, nbytes: int) -> str:
    """Use as much memory as the worker may, once the gate is open, and go on."""
    Event(gate).wait(timeout=60)
    worker = get_worker()
    worker.held = np.ones(nbytes, dtype="u1")
    Event(gate + " again").wait(timeout=60)
    return str(worker.address)


@pytest.mark.timeout(120)
def test_tasks_of_a_paused_worker_are_run_by_others(tmp_path: Path) -> None:
    settings = {"distributed.scheduler.work-stealing": False, "distributed.worker.memory.terminate": False}
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=LIMIT) as cluster,
        Client(cluster) as client,
    ):
        gate, again = Event("full", client=client), Event("full again", client=client)
        address = place(client)[0]
        first = client.submit(fill_up, "full", LIMIT, workers=[address], pure=False)
        loose: dict[str, Any] = {"workers": [address], "allow_other_workers": True, "pure": False}
        futures = [client.submit(mark, str(tmp_path), number, **loose) for number in range(5)]
        gate.set()
        wait(futures, timeout=60)
        assert address not in client.gather(futures)
        assert not first.done()
        again.set()
        assert first.result(timeout=60) == address
        assert set(runs(tmp_path).values()) == {1}


@pytest.mark.usefixtures("often")
def test_a_victim_that_dies_costs_nothing_but_time(tmp_path: Path) -> None:
    with (
        dask.config.set({"distributed.scheduler.worker-saturation": float("inf")}),
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=0) as cluster,
        Client(cluster) as client,
    ):
        first = place(client)[0]
        (data,) = client.scatter([b"x"], workers=[first], broadcast=True)
        futures = [client.submit(mark, str(tmp_path), n, "", 0.02, data, pure=False) for n in range(40)]
        eventually(lambda: len(runs(tmp_path)) > 5, otherwise="nothing starts")
        client.restart_workers([first], timeout=60)
        assert len(client.gather(futures)) == 40
