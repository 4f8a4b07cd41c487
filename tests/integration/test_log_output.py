"""By default, stderr shows failed tasks, also of clusters in one process, and work that is given up or lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dask
import pytest

from dagrpc import Client, LocalCluster

PROGRAM = """
from dagrpc import Client, LocalCluster

def divide(x):
    return 1 / x

if __name__ == "__main__":
    with LocalCluster(n_workers=1, processes={processes}) as cluster, Client(cluster) as client:
        client.submit(divide, 0, key="divide-0").exception()
"""


@pytest.mark.parametrize("processes", [False, True])
def test_a_failed_task_is_told(tmp_path: Path, processes: bool) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(processes=processes))
    run = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=120, check=True)
    (line,) = [line for line in run.stderr.splitlines() if "divide-0" in line]
    assert "ZeroDivisionError: division by zero" in line
    assert f"line 5 of {program}, in divide: return 1 / x" in line
    assert len(run.stderr.splitlines()) == 1


def test_the_tasks_lost_with_a_worker_are_named(capfd: pytest.CaptureFixture[str]) -> None:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=1, threads_per_worker=1) as cluster,
        Client(cluster) as client,
    ):
        computed = client.submit(abs, -1, key="computed")
        assert computed.result(timeout=60) == 1
        scattered = client.scatter({"scattered": 1})
        long = client.submit(time.sleep, 600, key="long")
        while not any(client.processing().values()):
            time.sleep(0.05)
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
        assert long.exception(timeout=60) is not None
        assert computed.result(timeout=60) == 1
        del scattered
    lines = capfd.readouterr().err
    assert "Task long failed: 1 workers died" in lines
    assert "1 results were only on worker" in lines
    assert "'computed' is computed again" in lines
    assert "1 scattered values were only on worker" in lines
    assert "'scattered' is lost for good" in lines
