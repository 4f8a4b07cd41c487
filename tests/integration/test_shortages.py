"""Workers run out of file descriptors or disk space. Errors are clear, no result is lost, and nothing hangs."""

from __future__ import annotations

import builtins
import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import pytest

from dagrpc import Client, LocalCluster, wait
from tests.support.waiting import eventually

WAIT = 60.0


@pytest.fixture
def client() -> Iterator[Client]:
    settings = {"distributed.scheduler.worker-ttl": "3s", "distributed.worker.heartbeat-interval": "100ms"}
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=2, threads_per_worker=1, silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        yield client


def few_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))


def open_many() -> None:
    with contextlib.ExitStack() as files:
        for _ in range(100):
            files.enter_context(open("/dev/null"))


def take_all_files() -> str:
    kept: list[Any] = []
    builtins.kept = kept  # type: ignore[attr-defined]
    try:
        while True:
            kept.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        return str(error)


def give_files_back() -> None:
    for fd in builtins.kept:  # type: ignore[attr-defined]
        os.close(fd)


def beats(worker: str, dask_scheduler: Any) -> float:
    return float(dask_scheduler.workers[worker].last_seen)


def test_a_worker_without_file_descriptors_says_so_and_recovers(client: Client) -> None:
    short, other = client.nthreads()
    client.run(few_files, workers=[short])
    with pytest.raises(OSError, match="Too many open files"):
        client.submit(open_many, workers=[short]).result(timeout=WAIT)
    data = client.submit(lambda: list(range(100_000)), workers=[other])
    wait(data, timeout=WAIT)
    assert "Too many open files" in client.submit(take_all_files, workers=[short]).result(timeout=WAIT)
    # What needs no file goes on; what does waits for one.
    fetching = client.submit(len, data, workers=[short])
    since = client.run_on_scheduler(beats, short)
    client.run(give_files_back, workers=[short])
    assert fetching.result(timeout=WAIT) == 100_000
    eventually(lambda: client.run_on_scheduler(beats, short) > since + 1.0)
    assert short in client.nthreads()


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def write() -> int:
    from dagrpc import get_worker

    with open(f"{get_worker().local_directory}/data", "wb") as file:
        return file.write(bytes(10**6))


def test_a_worker_on_a_full_disk_works_and_tells_tasks(full_disk: Path) -> None:
    with (full_disk / "filler").open("wb") as file:
        file.write(bytes(64 * 1024))
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, silence_logs=50, local_directory=str(full_disk)) as cluster,
        Client(cluster) as client,
    ):
        with pytest.raises(OSError, match="No space left on device"):
            client.submit(write).result(timeout=WAIT)
        assert client.submit(sum, [1, 2]).result(timeout=WAIT) == 3


def test_a_slow_worker_loses_nothing(client: Client) -> None:
    slow, other = client.nthreads()
    (pid,) = client.run(os.getpid, workers=[slow]).values()

    def slow_inc(x: int) -> int:
        time.sleep(0.005)
        return x + 1

    futures = client.map(slow_inc, range(200), pure=False)
    # It gets a little of the processor now and then.
    for _ in range(10):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.2)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.05)
    assert client.gather(futures) == list(range(1, 201))
    assert sorted(client.nthreads()) == sorted([slow, other])
