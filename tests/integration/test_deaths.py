"""Errors name the cause of a worker's death, and workers that are only silent or frozen are not lost."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import pytest

from dagrpc import Client, KilledWorker, LocalCluster, wait
from tests.support.waiting import eventually

WAIT = 60.0


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """The client of a cluster where a task fails with the first worker that dies of it."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=1, threads_per_worker=1, memory_limit="400 MB", silence_logs=30) as cluster,
        Client(cluster) as client,
    ):
        yield client


def why(client: Client, function: Any, *args: Any) -> KilledWorker:
    client.wait_for_workers(1, timeout=WAIT)
    with pytest.raises(KilledWorker) as raised:
        client.submit(function, *args, pure=False).result(timeout=WAIT)
    return raised.value


def last_words(code: int) -> None:
    sys.stderr.write("the task's last words\n")
    sys.stderr.flush()
    os._exit(code)


def crash() -> None:
    ctypes.string_at(0)


def hoard() -> None:
    hoarded = []
    while True:
        hoarded.append(bytearray(os.urandom(2**20)))
        time.sleep(0.001)


def test_an_exit_is_told_with_its_code_and_the_last_lines_of_the_log(client: Client) -> None:
    error = why(client, last_words, 3)
    assert error.exit_code == 3
    assert error.reason == "exit code 3"
    assert error.log[-1] == "the task's last words"
    assert "exit code 3" in str(error)
    assert "the task's last words" in str(error)
    assert error.args == (error.task, error.last_worker, 0)


def test_a_signal_is_told_by_name(client: Client) -> None:
    error = why(client, lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert error.exit_code == -signal.SIGKILL
    assert "killed by SIGKILL, which its nanny did not send" in error.reason


def test_a_crash_in_c_is_told_with_where_it_was(client: Client) -> None:
    error = why(client, crash)
    assert error.exit_code == -signal.SIGSEGV
    assert "killed by SIGSEGV" in error.reason
    assert any("in crash" in line for line in error.log)


def test_the_memory_limit_is_told_with_figures(client: Client) -> None:
    error = why(client, hoard)
    assert "its nanny killed it" in error.reason
    assert "of its limit of 381.5 MiB; 95 % are allowed" in error.reason


@pytest.fixture
def small_group(tmp_path: Path) -> Iterator[str]:
    """The file that puts a process into a control group with little memory."""
    name, limit = f"dagrpc-test-{os.getpid()}", str(150 << 20)
    for parent, file in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        group = Path(parent) / name
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / file).write_text(limit)
        except OSError:
            group.rmdir()
            continue
        yield str(group / "cgroup.procs")
        group.rmdir()
        return
    pytest.skip("control groups cannot be made here")


def hoard_in(processes: str) -> None:
    Path(processes).write_text(str(os.getpid()))
    hoard()


def test_the_kernel_is_suspected_when_it_has_killed(client: Client, small_group: str) -> None:
    error = why(client, hoard_in, small_group)
    assert error.exit_code == -signal.SIGKILL
    assert "killed by SIGKILL, probably by the kernel because memory was short" in error.reason


def test_events_tell_why_a_worker_is_gone(client: Client) -> None:
    client.wait_for_workers(1, timeout=WAIT)
    (address,) = client.nthreads()
    (pid,) = client.run(os.getpid).values()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: address not in client.nthreads())
    logged: list[Any] = []

    def explained() -> bool:
        logged[:] = [event for _, event in client.get_events(address) if event["action"] == "worker-exit"]
        return bool(logged)

    eventually(explained)
    assert "killed by SIGKILL" in logged[0]["reason"]


def test_without_a_nanny_the_error_says_what_is_known() -> None:
    async def body() -> None:
        from dagrpc._process.child import inherited_sys_path
        from dagrpc_scheduler.assembly import make_service
        from dagrpc_scheduler.options import SchedulerOptions
        from dagrpc_scheduler.run import scheduler_of
        from dagrpc_worker.nanny.worker_process import WorkerProcess

        service = make_service(SchedulerOptions(allowed_failures=0), scheduler_of)
        await service.start()
        options = {"scheduler_address": service.identity.address, "nthreads": 1}
        settings = {"sys_path": inherited_sys_path(), "config": {}, "log_level": "ERROR", "options": options}
        process = WorkerProcess(settings, {})
        try:
            async with Client(service.identity.address, asynchronous=True) as client:
                with pytest.raises(KilledWorker) as raised:
                    await client.submit(os._exit, 3).result(timeout=WAIT)
            assert raised.value.reason == "its process is gone: nobody listens at its address any more"
            assert raised.value.exit_code is None
        finally:
            process.kill()
            await service.close()

    import asyncio

    asyncio.run(body())


# --- workers that are silent ---


def hold(seconds: int, path: str) -> int:
    """Sleep without letting any other thread of Python's run."""
    with open(path, "a") as file:
        file.write("begun\n")
    ctypes.PyDLL(None).sleep(seconds)
    return os.getpid()


@pytest.fixture(scope="module")
def impatient() -> Iterator[Client]:
    """The client of a cluster that takes workers for dead after two seconds."""
    with (
        dask.config.set({"distributed.scheduler.worker-ttl": "2s", "distributed.scheduler.allowed-failures": 3}),
        LocalCluster(n_workers=2, threads_per_worker=1, silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_a_worker_whose_interpreter_is_held_is_vouched_for(impatient: Client, tmp_path: Path) -> None:
    impatient.wait_for_workers(2, timeout=WAIT)
    workers = impatient.run(os.getpid)
    begun = tmp_path / "begun"
    future = impatient.submit(hold, 6, str(begun), pure=False)
    assert future.result(timeout=WAIT) in workers.values()
    assert begun.read_text() == "begun\n", "it ran once"
    assert impatient.run(os.getpid) == workers


def trace(path: str) -> str:
    with open(path, "a") as file:
        file.write("ran\n")
    return path


def test_a_frozen_worker_is_not_vouched_for_and_comes_back(impatient: Client, tmp_path: Path) -> None:
    impatient.wait_for_workers(2, timeout=WAIT)
    pids = impatient.run(os.getpid)
    frozen, alive = pids
    kept = impatient.submit(lambda: 1, workers=[frozen], allow_other_workers=True, pure=False)
    # Two hold this one, so that its loss is no reason to compute it again.
    copied = impatient.submit(trace, str(tmp_path / "trace"), workers=[frozen], pure=False)
    user = impatient.submit(len, copied, workers=[alive], pure=False)
    wait([kept, user], timeout=WAIT)
    eventually(lambda: len(impatient.who_has(copied)[copied.key]) == 2)
    os.kill(pids[frozen], signal.SIGSTOP)
    try:
        moved = impatient.map(lambda x: x + 1, range(20), pure=False)
        assert impatient.gather(moved) == list(range(1, 21))
        # What it held is computed again elsewhere.
        assert impatient.submit(lambda x: x + 1, kept, pure=False).result(timeout=WAIT) == 2
        eventually(lambda: list(impatient.nthreads()) == [alive])
    finally:
        os.kill(pids[frozen], signal.SIGCONT)
    # It brings along what it holds.
    impatient.wait_for_workers(2, timeout=WAIT)
    assert impatient.gather([kept, *moved]) == [1, *range(1, 21)]
    assert impatient.gather([copied, user]) == [str(tmp_path / "trace"), len(str(tmp_path / "trace"))]
    assert (tmp_path / "trace").read_text() == "ran\n"
    assert not any(events for events in impatient.processing().values())


# --- nannies that give up ---


def test_a_crash_loop_is_an_error_that_shows_the_log() -> None:
    crash = "import os, sys; sys.stderr.write('no licence was found\\n'); sys.stderr.flush(); os._exit(5)"
    with (
        dask.config.set({"dagrpc.nanny.max-restarts": 1}),
        pytest.raises(RuntimeError, match=r"(?s)ended 2 times in a row.*exit code 5.*no licence was found"),
    ):
        LocalCluster(n_workers=1, threads_per_worker=1, silence_logs=50, preload=crash).close()


def test_workers_are_restarted_by_name(impatient: Client) -> None:
    impatient.wait_for_workers(2, timeout=WAIT)
    before = impatient.run(os.getpid)
    address = next(iter(before))
    name = next(worker["name"] for key, worker in impatient.scheduler_info()["workers"].items() if key != address)
    assert impatient.restart_workers([name, address], timeout=WAIT) == {name: "OK", address: "OK"}
    assert set(impatient.run(os.getpid).values()).isdisjoint(before.values())
    assert impatient.restart_workers([]) == {}
    before = impatient.run(os.getpid)
    outcomes = impatient.restart_workers([name], timeout=0.001, raise_for_error=False)
    assert outcomes == {name: "timed out"}
    # The restart goes on after its time is over: the worker may still be there, or be away.
    eventually(lambda: set(impatient.run(os.getpid, on_error="ignore").values()) - set(before.values()))
    impatient.wait_for_workers(2, timeout=WAIT)
    with pytest.raises(TimeoutError):
        impatient.restart_workers([name], timeout=0.001)
    with pytest.raises(ValueError, match="nowhere"):
        impatient.restart_workers(["nowhere"])
