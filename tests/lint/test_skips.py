"""Tests that are skipped in CI are listed with a reason; any other skip fails there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import skips

ROOT = Path(__file__).parents[2]

SKIPPED = """
import pytest

def test_of_no_use():
    pytest.skip("nobody knows why")

@pytest.mark.skipif(True, reason="nobody knows why")
def test_marked():
    pass

@pytest.mark.xfail
def test_expected_to_fail():
    assert False
"""
SKIPPED_AS_A_WHOLE = """
import pytest

pytest.importorskip("no_such_module")
"""
HOOKS = "from tests.conftest import pytest_make_collect_report, pytest_runtest_makereport\n"


@pytest.mark.parametrize("entry", skips.allowed())
def test_each_entry_is_of_a_test_that_may_be_skipped(entry: str) -> None:
    file, _, name = entry.partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    assert "skip" in text
    assert f"def {name}(" in text or not name
    assert skips.allowed()[entry], "an entry has a reason"


@pytest.mark.parametrize(
    ("nodeid", "listed"),
    [
        ("tests/e2e/test_deployment.py", True),
        ("tests/e2e/test_deployment.py::test_collections_run", True),
        ("tests/integration/test_scheduler_memory.py::test_which_allocator_it_uses[pymalloc]", True),
        ("tests/integration/test_scheduler_memory.py", False),
        ("tests/integration/test_scheduler_memory.py::test_which_allocator", False),
    ],
)
def test_listed_skips(nodeid: str, listed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI_DEPLOY", raising=False)
    assert skips.is_allowed(nodeid) is listed


def test_deployments_are_not_skipped_where_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_DEPLOY", "1")
    assert skips.strict()
    assert not skips.is_allowed("tests/e2e/test_deployment.py::test_collections_run")
    assert skips.is_allowed("tests/integration/test_prometheus.py::test_any")


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 failed, 1 xfailed, 2 errors"), ("", "3 skipped, 1 xfailed")])
def test_a_skip_that_is_not_listed_fails_in_ci(tmp_path: Path, ci: str, outcome: str) -> None:
    (tmp_path / "conftest.py").write_text(HOOKS)
    (tmp_path / "test_skipped.py").write_text(SKIPPED)
    (tmp_path / "test_whole.py").write_text(SKIPPED_AS_A_WHOLE)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--rootdir", tmp_path, "--continue-on-collection-errors", tmp_path],
        env={**os.environ, "CI": ci, "CI_DEPLOY": "", "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome in run.stdout, run.stdout
    assert ("tests/allowed_skips.txt lists it" in run.stdout) is bool(ci)
