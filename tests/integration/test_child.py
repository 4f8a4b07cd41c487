"""Child processes: settings and reports over pipes, and the end of the parent in every way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from dagrpc._process.child import Child
from tests.support.waiting import eventually

HERE = Path(__file__).parent


def wait_for(path: Path, seconds: float = 30.0) -> str:
    return eventually(lambda: path.exists() and path.read_text(), seconds, f"{path} was not written") or ""


def start(witness: Path, say: object) -> Child:
    environment = {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    return Child("child_module", {"say": say, "witness": str(witness)}, environment)


def test_settings_and_reports(tmp_path: Path) -> None:
    child = start(tmp_path / "witness", {"large": "x" * 1_000_000})
    assert child.read_report() == {"pid": child.pid, "echo": {"large": "x" * 1_000_000}}
    child.release()
    assert child.process.wait(30) == 0
    assert child.read_report() is None
    assert wait_for(tmp_path / "witness") == "the parent is gone"
    child.close_pipes()


def test_a_killed_parent_is_noticed(tmp_path: Path) -> None:
    witness, ready = tmp_path / "witness", tmp_path / "ready"
    program = (
        "import sys, time, pathlib; sys.path.insert(0, sys.argv[1])\n"
        "from test_child import start\n"
        "child = start(pathlib.Path(sys.argv[2]), 1)\n"
        "report = child.read_report()\n"
        "pathlib.Path(sys.argv[3]).write_text(str(report['pid']))\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(HERE), str(witness), str(ready)])
    wait_for(ready)
    parent.send_signal(signal.SIGKILL)
    parent.wait(30)
    assert wait_for(witness) == "the parent is gone"


def test_a_child_that_ends_at_once(tmp_path: Path) -> None:
    child = Child("this_module_is_not_there", {"say": "x" * 10_000_000})
    assert child.read_report() is None
    assert child.process.wait(30) != 0
    child.close_pipes()
