"""LocalCluster: with processes and threads, scaling, and no leftovers after the end of the program."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from dagrpc import Client, LocalCluster
from tests.support.waiting import eventually


def inc(x: int) -> int:
    return x + 1


@pytest.mark.parametrize("processes", [True, False])
def test_start_run_close(processes: bool) -> None:
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=processes) as cluster:
        assert cluster.status == "running"
        assert "workers=2" in repr(cluster)
        assert cluster.scheduler_address in cluster._repr_html_()
        with Client(cluster) as client:
            assert client.gather(client.map(inc, range(10))) == list(range(1, 11))
            info = client.scheduler_info()
            assert sorted(worker["nthreads"] for worker in info["workers"].values()) == [1, 1]
    assert cluster.status == "closed"


def test_scheduler_and_workers_are_processes_of_their_own() -> None:
    with LocalCluster(n_workers=2, threads_per_worker=1) as cluster, Client(cluster) as client:
        pids = set(client.run(os.getpid).values())
        scheduler = client.run_on_scheduler(os.getpid)
        nannies = set(client.run(os.getpid, nanny=True).values())
        assert len(pids | {scheduler, os.getpid()}) == 4
        assert nannies == {os.getpid()}


def test_its_processes_start_lean() -> None:
    """See tests/lint/test_imports_at_start.py, which starts no process of a cluster."""
    with LocalCluster(n_workers=1, threads_per_worker=1) as cluster, Client(cluster) as client:
        # Built-in functions, as those of this module would have it imported there.
        assert not client.run_on_scheduler(eval, "{'dask', 'numpy'} & {*__import__('sys').modules}")
        assert client.run_on_scheduler(gc.get_freeze_count) > 0
        assert min(client.run(gc.get_freeze_count).values()) > 0


def test_everything_ends_with_the_cluster() -> None:
    me = psutil.Process()
    before = {process.pid for process in me.children(recursive=True)}
    with LocalCluster(n_workers=2, threads_per_worker=1):
        started = [process for process in me.children(recursive=True) if process.pid not in before]
        assert len(started) >= 3
    _, alive = psutil.wait_procs(started, timeout=60)
    assert not alive


def test_scale_up_and_down_keeps_results() -> None:
    with LocalCluster(n_workers=1, threads_per_worker=1) as cluster, Client(cluster) as client:
        futures = client.map(inc, range(20))
        assert client.gather(futures) == list(range(1, 21))
        cluster.scale(3)
        assert len(client.scheduler_info()["workers"]) == 3
        more = client.map(inc, range(100, 200))
        assert sum(client.gather(more)) == sum(range(101, 201))
        cluster.scale(1)
        eventually(lambda: len(client.scheduler_info()["workers"]) == 1)
        held = client.who_has(futures + more)
        assert all(holders for holders in held.values())


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_a_killed_program(sig: signal.Signals, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, time, os\n"
        "from dagrpc import Client, LocalCluster\n"
        "def main():\n"
        "    cluster = LocalCluster(n_workers=2, threads_per_worker=1)\n"
        "    client = Client(cluster)\n"
        "    busy = client.submit(time.sleep, 600)\n"
        "    pids = [*client.run(os.getpid).values(), client.run_on_scheduler(os.getpid)]\n"
        "    print(*pids, flush=True)\n"
        "    time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        "    main()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert parent.stdout is not None
    try:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 3
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) >= 3
        parent.send_signal(sig)
        parent.wait(30)
        _, alive = psutil.wait_procs(children, timeout=30)
        assert not alive
    finally:
        parent.kill()
        parent.stdout.close()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_workers": -1}, ValueError, "n_workers is -1"),
        ({"threads_per_worker": -1}, ValueError, "threads_per_worker is -1"),
        ({"n_wokers": 2}, TypeError, "n_wokers"),
        ({"memory_limit": "many"}, ValueError, "many"),
        ({"memory_limit": -5}, ValueError, "negative"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        LocalCluster(**arguments)


@pytest.mark.parametrize("processes", [True, False])
def test_taken_port_is_named(processes: bool) -> None:
    with LocalCluster(n_workers=0, processes=processes) as cluster:
        port = int(cluster.scheduler_address.rpartition(":")[2])
        with pytest.raises(OSError, match=str(port)):
            LocalCluster(n_workers=0, processes=processes, scheduler_port=port)


def test_asynchronous() -> None:
    async def main() -> None:
        async with LocalCluster(n_workers=1, processes=False, asynchronous=True) as cluster:
            async with Client(cluster, asynchronous=True) as client:
                assert await client.submit(inc, 1) == 2
            await cluster.scale(2)
            await cluster.wait_for_workers(2, timeout=30)
        assert cluster.status == "closed"

    asyncio.run(main())


def test_wait_for_workers_says_how_many_came() -> None:
    with LocalCluster(n_workers=1, processes=False) as cluster:
        cluster.wait_for_workers(1, timeout=60)
        with pytest.raises(TimeoutError, match="1/3 workers"):
            cluster.wait_for_workers(3, timeout=0.2)


def test_tasks_import_what_the_program_can(tmp_path: Path) -> None:
    (tmp_path / "only_here_module.py").write_text("def triple(x):\n    return 3 * x\n")
    sys.path.insert(0, str(tmp_path))
    try:
        import only_here_module  # type: ignore[import-not-found]

        with LocalCluster(n_workers=1) as cluster, Client(cluster) as client:
            assert client.submit(only_here_module.triple, 2).result(timeout=30) == 6
    finally:
        sys.path.remove(str(tmp_path))
