"""Worker connections that break and return: no result is lost, and no held result is computed twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest

from dagrpc import Client, LocalCluster, Lock, get_client, get_worker, wait
from tests.support.clusters import ProxiedWorker, inc, note, note_after, runs
from tests.support.waiting import eventually

Starter = Callable[..., ProxiedWorker]
TASKS = 2_000


def scheduler_with(grace: str) -> Iterator[str]:
    with (
        dask.config.set({"dagrpc.comm.timeouts.tcp": "2s", "dagrpc.scheduler.worker-grace": grace}),
        LocalCluster(n_workers=0, silence_logs=50) as cluster,
    ):
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def patient() -> Iterator[str]:
    """A scheduler that waits for workers as long as any test takes."""
    yield from scheduler_with("600s")


@pytest.fixture(scope="module")
def impatient() -> Iterator[str]:
    """A scheduler that waits half a second for workers."""
    yield from scheduler_with("500ms")


@pytest.fixture
def start() -> Iterator[Starter]:
    workers: list[ProxiedWorker] = []

    def start(client: Client, name: str, *arguments: str, contact: bool = False) -> ProxiedWorker:
        before = len(client.nthreads())
        with dask.config.set({"dagrpc.comm.timeouts.tcp": "2s"}):
            os.environ["DAGRPC_COMM__TIMEOUTS__TCP"] = "2s"
            try:
                workers.append(ProxiedWorker(client.scheduler.address, name, *arguments, contact=contact))
            finally:
                del os.environ["DAGRPC_COMM__TIMEOUTS__TCP"]
        client.wait_for_workers(before + 1, timeout=60)
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


@pytest.fixture
def client(patient: str) -> Iterator[Client]:
    with Client(patient) as client:
        yield client
        eventually(lambda: not any(client.processing().values()))


@pytest.fixture
def hasty(impatient: str) -> Iterator[Client]:
    with Client(impatient) as client:
        yield client


def statuses(client: Client) -> dict[str, str]:
    return {worker["name"]: worker["status"] for worker in client.scheduler_info(-1)["workers"].values()}


# --- within the grace period ---


@pytest.mark.parametrize("reset", [True, False])
def test_a_worker_goes_on_where_it_was(client: Client, start: Starter, tmp_path: Path, reset: bool) -> None:
    worker = start(client, "w")
    (data,) = client.scatter([[1, 2, 3]])
    futures = client.map(note, [str(tmp_path / "runs")] * 200, range(200), delay=0.005, pure=False)
    wait(futures[:20], timeout=60)
    worker.to_scheduler.drop(reset)
    assert client.gather(futures) == list(range(1, 201))
    assert runs(tmp_path / "runs") == list(range(200))
    assert data.result(timeout=30) == [1, 2, 3]


def test_many_breaks_while_thousands_of_tasks_run(client: Client, start: Starter, tmp_path: Path) -> None:
    workers = [start(client, "v"), start(client, "w")]
    futures: list[Any] = []
    part = TASKS // 10
    for number in range(10):
        futures += client.map(note, [str(tmp_path / "runs")] * part, range(number * part, (number + 1) * part))
        workers[number % 2].to_scheduler.drop()
    assert client.gather(futures) == list(range(1, TASKS + 1))
    assert runs(tmp_path / "runs") == list(range(TASKS))


@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_a_half_open_connection_is_found_out(client: Client, start: Starter, tmp_path: Path, direction: Any) -> None:
    worker = start(client, "w")
    futures = client.map(note, [str(tmp_path / "runs")] * 100, range(100), delay=0.01, pure=False)
    worker.to_scheduler.blackhole(direction)
    eventually(lambda: statuses(client) == {"w": "disconnected"})
    worker.to_scheduler.restore()
    assert client.gather(futures) == list(range(1, 101))
    assert runs(tmp_path / "runs") == list(range(100))


def test_an_absent_worker_finishes_what_it_has_and_gets_nothing_new(
    client: Client, start: Starter, tmp_path: Path
) -> None:
    gate, path = tmp_path / "gate", tmp_path / "runs"
    absent, present = start(client, "absent"), start(client, "present")
    assert present.process.poll() is None
    running = client.submit(note_after, str(path), 7, str(gate), workers=["absent"], pure=False)
    eventually(lambda: runs(path) == [7])
    absent.to_scheduler.cut()
    eventually(lambda: statuses(client)["absent"] == "disconnected")
    others = client.map(inc, range(20), pure=False)
    waiting = client.submit(inc, 1, workers=["absent"], pure=False)
    assert client.gather(others) == list(range(1, 21))
    holders = {worker for workers in client.who_has(others).values() for worker in workers}
    assert holders == {worker for worker, keys in client.has_what().items() if len(keys) >= 20}
    gate.touch()
    eventually(lambda: runs(path) == [-7, 7])
    assert running.status == waiting.status == "pending"
    absent.to_scheduler.restore()
    assert client.gather([running, waiting]) == [-6, 2]
    assert runs(path) == [-7, 7]


def count_under_lock(path: str, number: int) -> int:
    """Ask the scheduler, from within a task, in several ways."""
    with Lock("of tasks"):
        note(path, number, delay=0.01)
    get_worker().log_event("counted", number)
    return len(get_client().nthreads())


def test_questions_of_tasks_to_the_scheduler_survive_breaks(client: Client, start: Starter, tmp_path: Path) -> None:
    workers = [start(client, "v"), start(client, "w")]
    futures = client.map(count_under_lock, [str(tmp_path / "runs")] * 40, range(40), pure=False)
    for number in range(6):
        eventually(lambda number=number: len(runs(tmp_path / "runs")) > 5 * number)  # type: ignore[misc]
        workers[number % 2].to_scheduler.drop()
    assert client.gather(futures) == [2] * 40
    assert runs(tmp_path / "runs") == list(range(40))


def test_an_actor_keeps_its_state(client: Client, start: Starter) -> None:
    worker = start(client, "w")
    counter = client.submit(list, actor=True).result(timeout=60)
    counter.append(1).result()
    worker.to_scheduler.drop()
    counter.append(2).result()
    eventually(lambda: statuses(client) == {"w": "running"})
    assert counter.copy().result() == [1, 2]


def test_a_worker_whose_process_is_gone_is_not_waited_for(client: Client, start: Starter, tmp_path: Path) -> None:
    """Ten minutes is what it would be waited for."""
    doomed = start(client, "doomed")
    futures = client.map(note, [str(tmp_path / "runs")] * 50, range(50), delay=0.01, pure=False)
    wait(futures[:5], timeout=60)
    doomed.process.send_signal(signal.SIGKILL)
    eventually(lambda: not client.nthreads())
    start(client, "heir")
    assert client.gather(futures) == list(range(1, 51))
    # Also if it dies while it is away.
    doomed = start(client, "doomed again")
    doomed.to_scheduler.cut()
    eventually(lambda: "disconnected" in statuses(client).values())
    doomed.process.send_signal(signal.SIGKILL)
    eventually(lambda: list(statuses(client)) == ["heir"])


# --- after it ---


def test_results_that_a_worker_still_holds_are_not_computed_again(
    hasty: Client, start: Starter, tmp_path: Path
) -> None:
    gate, path = tmp_path / "gate", tmp_path / "runs"
    worker = start(hasty, "w")
    done = hasty.map(note, [str(path)] * 50, range(1, 51), pure=False)
    wait(done, timeout=60)
    unreported = hasty.submit(note_after, str(path), 100, str(gate), pure=False)
    eventually(lambda: 100 in runs(path))
    worker.to_scheduler.cut()
    eventually(lambda: not hasty.nthreads())
    gate.touch()
    eventually(lambda: -100 in runs(path))
    assert {future.status for future in done} <= {"lost", "pending"}
    worker.to_scheduler.restore()
    assert hasty.gather(done) == list(range(2, 52))
    assert unreported.result(timeout=60) == -99
    assert runs(path) == sorted([-100, 100, *range(1, 51)])
    # It is of use as before.
    assert hasty.submit(inc, 1, pure=False).result(timeout=60) == 2


def test_a_result_that_comes_back_stops_its_second_computation(hasty: Client, start: Starter, tmp_path: Path) -> None:
    gate, path = tmp_path / "gate", tmp_path / "runs"
    first = start(hasty, "first")
    gate.touch()
    future = hasty.submit(note_after, str(path), 1, str(gate), pure=False)
    assert future.result(timeout=60) == 0
    gate.unlink()
    second = start(hasty, "second")
    first.to_scheduler.cut()
    eventually(lambda: runs(path) == [-1, 1, 1])
    first.to_scheduler.restore()
    assert future.result(timeout=60) == 0
    assert not gate.exists()
    gate.touch()
    eventually(lambda: not any(hasty.processing().values()))
    assert second.process.poll() is None


def test_results_that_nobody_wants_any_more_are_freed(hasty: Client, start: Starter) -> None:
    worker = start(hasty, "w")
    kept, dropped = hasty.map(inc, [1, 10], pure=False)
    wait([kept, dropped], timeout=60)
    worker.to_scheduler.cut()
    eventually(lambda: not hasty.nthreads())
    key = dropped.key
    dropped.release()
    # The same key for other work: what the worker holds is not that.
    changed = hasty.submit(inc, 100, key=key, pure=False)
    worker.to_scheduler.restore()
    assert (kept.result(timeout=60), changed.result(timeout=60)) == (2, 101)
    del changed
    eventually(lambda: [len(keys) for keys in hasty.has_what().values()] == [1])


# --- between workers ---


@pytest.mark.parametrize("how", ["drop", "cut", "blackhole"])
def test_transfers_between_workers_are_tried_again(client: Client, start: Starter, tmp_path: Path, how: str) -> None:
    path = tmp_path / "runs"
    source, target = start(client, "source", contact=True), start(client, "target")
    assert source.to_worker is not None
    assert target.process.poll() is None

    def big(number: int) -> Any:
        note(str(path), number)
        return np.full(2_000_000, number)

    blocks = client.map(big, range(8), workers=["source"], pure=False)
    wait(blocks, timeout=60)
    scattered = client.scatter(np.arange(10), workers=["source"])
    getattr(source.to_worker, how)()
    sums = client.map(
        lambda block, more: int(block[0] + more[1]), blocks, more=scattered, workers=["target"], pure=False
    )
    if how != "drop":
        with pytest.raises(TimeoutError):
            wait(sums, timeout=2)
        source.to_worker.restore()
    assert client.gather(sums) == list(range(1, 9))
    assert runs(path) == list(range(8))
