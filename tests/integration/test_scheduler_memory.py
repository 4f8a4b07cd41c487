"""Memory of a standalone scheduler: the allocator that the process uses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dagrpc import Client
from tests.support.waiting import eventually


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
@pytest.mark.parametrize("chosen", ["", "pymalloc"])
def test_which_allocator_it_uses(tmp_path: Path, chosen: str) -> None:
    file = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "dagrpc.cli", "scheduler", "--port=0", f"--scheduler-file={file}", "--allow-code"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONMALLOC"}
    if chosen:
        environment["PYTHONMALLOC"] = chosen
    process = subprocess.Popen(command, env=environment)
    try:
        eventually(file.exists)
        with Client(scheduler_file=str(file)) as client:
            assert client.run_on_scheduler(lambda: os.environ["PYTHONMALLOC"]) == (chosen or "malloc")
            assert client.run_on_scheduler(lambda: sys.getallocatedblocks() > 0) is bool(chosen)
            # It is the process that was started, with its arguments.
            assert client.run_on_scheduler(os.getpid) == process.pid
    finally:
        process.terminate()
        assert process.wait(60) == 0
