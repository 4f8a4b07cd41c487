"""A server that cannot start, or an operation that is not allowed, prints one line of explanation and nothing else."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import dask
import pytest

from dagrpc import Client, LocalCluster
from dagrpc.exceptions import CodeNotAllowedError


def scheduler(*arguments: str) -> list[str]:
    """Return the lines of a scheduler's command that fails."""
    command = [sys.executable, "-m", "dagrpc.cli", "scheduler", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 1
    return run.stderr.splitlines()


@pytest.mark.parametrize("source", ["raise ValueError('bad')", "def dask_setup(_):\n    raise ValueError('bad')"])
def test_a_preload_that_fails(tmp_path: Path, source: str) -> None:
    preload = tmp_path / "preload.py"
    preload.write_text(source)
    (line,) = scheduler("--host", "127.0.0.1", "--port", "0", "--preload", str(preload))
    assert line.endswith("ValueError: bad")


def test_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        (line,) = scheduler("--host", "127.0.0.1", "--port", str(taken.getsockname()[1]))
    assert "the port is taken" in line


def test_a_setting_that_is_no_number(capfd: pytest.CaptureFixture[str]) -> None:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": "abc"}),
        pytest.raises(RuntimeError, match=r"scheduler\.allowed-failures must be a whole number, not 'abc'"),
    ):
        LocalCluster(n_workers=1)
    assert "Traceback" not in capfd.readouterr().err


def test_a_method_that_workers_block_has_an_error_of_its_own() -> None:
    with (
        dask.config.set({"distributed.worker.blocked-handlers": ["run"]}),
        LocalCluster(n_workers=1, processes=False) as cluster,
        Client(cluster) as client,
        pytest.raises(CodeNotAllowedError, match=r"worker\.blocked-handlers"),
    ):
        client.run(abs, 1)
