"""Programs that end in any way with open clients and clusters keep their exit code and do not crash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, sys, threading, time
from dagrpc import Client, LocalCluster, as_completed

def main():
    cluster = LocalCluster(n_workers=1, threads_per_worker=2, processes=False)
    client = Client(cluster.scheduler_address)
    {state}
    globals().update(locals())
    {end}

if __name__ == "__main__":
    main()
"""

IDLE = "client.submit(abs, -1).result()"
BUSY = "futures = client.map(time.sleep, [0.3] * 10, pure=False); time.sleep(0.2)"
FLOOD = "futures = client.map(abs, range(3000))"
ITERATING = "found = iter(as_completed(client.map(abs, range(50)))); next(found)"

FORK = """pid = os.fork()
    if pid == 0:
        {child}
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"""

ENDS = [
    (IDLE, "return", 0, "uvloop"),
    (BUSY, "sys.exit(3)", 3, "asyncio"),
    (FLOOD, "raise RuntimeError('end')", 1, "uvloop"),
    (ITERATING, "os._exit(5)", 5, "uvloop"),
    (FLOOD, "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", -15, "asyncio"),
    (IDLE, FORK.format(child="os._exit(0)"), 0, "uvloop"),
    (BUSY, FORK.format(child="sys.exit(4)"), 4, "uvloop"),
    (BUSY, "threading.Thread(target=time.sleep, args=(0.5,)).start()", 0, "asyncio"),
]


@pytest.mark.parametrize(("state", "end", "code", "loop"), ENDS)
def test_the_program_ends_as_it_says(tmp_path: Path, state: str, end: str, code: int, loop: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(state=state, end=end))
    run = subprocess.run(
        [sys.executable, "-X", "faulthandler", program],
        env={**os.environ, "DASK_DISTRIBUTED__ADMIN__EVENT_LOOP": loop},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (run.returncode, "Fatal Python error" in run.stderr) == (code, False), run.stderr
    if code != 1:
        assert run.stderr == ""
