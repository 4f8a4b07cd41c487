"""The contract is documented and well named, and the committed stubs are made from it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The environment that runs the tests, whichever it is; its programs are beside the interpreter.
ENVIRONMENT = Path(sys.prefix)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


def test_buf_finds_nothing_to_criticise() -> None:
    buf = ENVIRONMENT / "bin" / "buf"
    if not buf.exists():
        pytest.skip("the buf-bin package is not installed beside this interpreter")
    outcome = run(str(buf), "lint", "protos")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_the_committed_stubs_are_fresh() -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    # `--old-file`: this environment is as it is; make must not install into it in the middle of a test.
    outcome = run("make", f"VENV={ENVIRONMENT}", f"--old-file={ENVIRONMENT}/.installed", "proto-check")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
