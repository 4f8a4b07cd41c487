"""The contract is documented, adds to that of the last release, and the committed stubs are made from it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The environment that runs the tests, whichever it is; its programs are beside the interpreter.
ENVIRONMENT = Path(sys.prefix)
BUF = str(ENVIRONMENT / "bin" / "buf")
RELEASED = "protos/released.binpb"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


def test_buf_finds_nothing_to_criticise() -> None:
    outcome = run(BUF, "lint", "protos")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_the_committed_stubs_are_fresh() -> None:
    # `--old-file`: this environment is as it is; make must not install into it in the middle of a test.
    outcome = run("make", f"VENV={ENVIRONMENT}", f"--old-file={ENVIRONMENT}/.installed", "proto-check")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_nothing_breaks_with_the_last_release() -> None:
    outcome = run(BUF, "breaking", "protos", "--against", RELEASED)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_a_field_with_another_number_would_break_with_it(tmp_path: Path) -> None:
    changed = shutil.copytree(ROOT / "protos", tmp_path / "protos")
    proto = changed / "dagrpc" / "v1" / "graph.proto"
    text, count = re.subn(r" = 1;", " = 1001;", proto.read_text(encoding="utf-8"), count=1)
    proto.write_text(text, encoding="utf-8")
    outcome = run(BUF, "breaking", str(changed), "--against", RELEASED)
    assert count == 1
    assert outcome.returncode != 0
    assert "graph.proto" in outcome.stdout


def test_an_rpc_without_roles_is_refused(tmp_path: Path) -> None:
    changed = shutil.copytree(ROOT / "protos", tmp_path / "protos")
    proto = changed / "dagrpc" / "v1" / "event_service.proto"
    text, count = re.subn(r"    option \(access\) = .*;\n", "", proto.read_text(encoding="utf-8"))
    proto.write_text(text, encoding="utf-8")
    (tmp_path / "stubs").mkdir()
    outcome = run(sys.executable, str(changed / "make_stubs.py"), str(tmp_path / "stubs"))
    assert count == 1
    assert outcome.returncode != 0
    assert "EventService.GetEvents needs `option (access)`" in outcome.stderr
