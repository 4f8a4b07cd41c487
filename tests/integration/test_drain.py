"""Workers that receive a stop signal finish their tasks, hand over their results, and leave."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from dagrpc import Client, LocalCluster, wait
from tests.support.waiting import eventually

WAIT = 60.0


@pytest.fixture
def client() -> Iterator[Client]:
    """The client of a cluster with one worker, which stays."""
    with LocalCluster(n_workers=1, threads_per_worker=1, silence_logs=50) as cluster, Client(cluster) as client:
        yield client


@contextlib.contextmanager
def leaver(client: Client, *arguments: str, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start another worker with the command line."""
    command = [sys.executable, "-m", "dagrpc.cli", "worker", client.scheduler.address]
    command += ["--name", "leaver", "--nthreads", "1", "--log-level", "INFO", *arguments]
    process = subprocess.Popen(command, env={**os.environ, **environ})
    try:
        eventually(lambda: "leaver" in names(client))
        yield process
    finally:
        process.kill()
        process.wait(WAIT)


def names(client: Client) -> list[object]:
    return [worker["name"] for worker in client.scheduler_info()["workers"].values()]


def count(directory: str, x: int) -> int:
    """Return x + 1, and leave a trace of it."""
    with open(f"{directory}/{x}", "a") as file:
        file.write("ran\n")
    return x + 1


def gated(directory: str, x: int) -> int:
    """Return x + 1 and leave a trace of it, but only return once the file ``open`` exists."""
    result = count(directory, x)
    while not os.path.exists(f"{directory}/open"):
        time.sleep(0.01)
    return result


def traces(directory: Path, numbers: range) -> list[int]:
    return [(directory / str(number)).read_text().count("ran") for number in numbers]


@pytest.mark.parametrize("nanny", ["--nanny", "--no-nanny"])
def test_a_drained_worker_finishes_hands_over_and_leaves(client: Client, nanny: str, tmp_path: Path) -> None:
    with leaver(client, nanny) as process:
        directory = str(tmp_path)
        options: dict[str, Any] = {"workers": ["leaver"], "allow_other_workers": False, "pure": False}
        held = [client.submit(count, directory, x, **options) for x in range(10)]
        wait(held, timeout=WAIT)
        scattered = client.scatter(tuple(range(5)), workers=["leaver"])
        running = client.submit(gated, directory, 10, **options)
        eventually((tmp_path / "10").exists)
        queued = [
            client.submit(count, directory, x, workers=["leaver", "0"], priority=-1, pure=False) for x in range(11, 31)
        ]
        process.send_signal(signal.SIGTERM)
        # What has not begun is not waited for.
        wait(queued, timeout=WAIT)
        assert not running.done()
        (tmp_path / "open").touch()
        assert process.wait(WAIT) == 0
    assert client.gather(held) == list(range(1, 11))
    assert client.gather(queued) == list(range(12, 32))
    assert running.result(timeout=WAIT) == 11
    assert client.gather(list(scattered)) == list(range(5))
    assert traces(tmp_path, range(31)) == [1] * 31, "nothing ran twice"
    assert names(client) == [0]


def test_the_last_worker_waits_for_nobody(tmp_path: Path) -> None:
    with LocalCluster(n_workers=0, silence_logs=50) as cluster, Client(cluster) as client:
        with leaver(client, DAGRPC_WORKER__DRAIN_TIMEOUT="1h") as process:
            held = client.submit(count, str(tmp_path), 0)
            wait(held, timeout=WAIT)
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT) == 0
        with leaver(client):
            assert held.result(timeout=WAIT) == 1
    assert traces(tmp_path, range(1)) == [2]


def again(process: subprocess.Popen[bytes]) -> None:
    # A signal that comes at once may be the same one, from a service manager.
    time.sleep(1.2)
    process.send_signal(signal.SIGTERM)


def interrupt(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("bound", "then"), [("1h", again), ("1h", interrupt), ("100ms", None)], ids=["again", "interrupt", "bound"]
)
def test_a_task_that_does_not_end_is_not_waited_for(
    client: Client, bound: str, then: Callable[[subprocess.Popen[bytes]], None] | None, tmp_path: Path
) -> None:
    with leaver(client, DAGRPC_WORKER__DRAIN_TIMEOUT=bound) as process:
        task = client.submit(gated, str(tmp_path), 0, workers=["leaver"], pure=False)
        eventually((tmp_path / "0").exists)
        (worker,) = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGTERM)
        if then is not None:
            then(process)
        assert process.wait(WAIT) == 0
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    with leaver(client):
        (tmp_path / "open").touch()
        assert task.result(timeout=WAIT) == 1
    assert traces(tmp_path, range(1)) == [2]
    # It is not to blame for the worker's leaving.
    assert client.run_on_scheduler(lambda key, dask_scheduler: dask_scheduler.tasks[key].suspicious, task.key) == 0
