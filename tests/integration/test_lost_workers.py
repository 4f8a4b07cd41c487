"""Lost workers come back, however often, and pending tasks get their results."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import dask
import pytest

from dagrpc import Client, KilledWorker, LocalCluster, get_worker
from dagrpc_worker.exits import ExitCode
from tests.support.waiting import eventually

PATIENCE = 120.0


@pytest.fixture(scope="module")
def lonely() -> Iterator[Client]:
    """The client of a cluster with one worker of one thread; a task may take two of its kind with it."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(n_workers=1, threads_per_worker=1, memory_limit="300 MiB", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_tasks_that_kill_their_workers_fail_and_the_workers_come_back(lonely: Client) -> None:
    for future in lonely.map(os._exit, range(1, 5), pure=False):
        assert isinstance(future.exception(timeout=PATIENCE), KilledWorker)
    assert lonely.submit(sum, [1, 2]).result(timeout=PATIENCE) == 3
    lonely.wait_for_workers(1, timeout=PATIENCE)


def hoard() -> None:
    hoarded = []
    while True:
        hoarded.append(bytearray(os.urandom(2**20)))
        time.sleep(0.001)


def test_tasks_that_take_more_memory_than_there_is_fail_and_the_workers_come_back(lonely: Client) -> None:
    for _ in range(4):
        failure = lonely.submit(hoard, pure=False).exception(timeout=PATIENCE)
        assert isinstance(failure, KilledWorker)
    assert lonely.submit(sum, [1, 2]).result(timeout=PATIENCE) == 3
    eventually(lambda: len(lonely.get_events("worker-restart-memory")) >= 8)
    _, event = lonely.get_events("worker-restart-memory")[0]
    assert event["pid"] > 0
    assert event["worker"].startswith("127.0.0.1:")
    assert event["rss"] > 0.95 * 300 * 2**20


def test_a_worker_that_is_killed_again_and_again_comes_back_each_time(lonely: Client) -> None:
    killed: set[int] = set()
    for _ in range(8):
        pid = lonely.submit(os.getpid, pure=False).result(timeout=PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while pid in killed and time.monotonic() < deadline:
            # Nobody has noticed yet that it is gone.
            time.sleep(0.05)
            pid = lonely.submit(os.getpid, pure=False).result(timeout=PATIENCE)
        assert pid not in killed
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
    assert lonely.submit(sum, [1, 2]).result(timeout=PATIENCE) == 3


def meet_a_bug() -> None:
    worker = get_worker()
    worker.loop.call_soon_threadsafe(worker._service._on_bug, RuntimeError("of this test"))
    time.sleep(PATIENCE)


def test_a_task_that_leads_to_a_bug_of_the_worker_is_suspected(lonely: Client) -> None:
    failure = lonely.submit(meet_a_bug, pure=False).exception(timeout=PATIENCE)
    assert isinstance(failure, KilledWorker)
    assert failure.exit_code == ExitCode.BUG
