"""Run the whole suite, several files at once: first what starts few processes of its own, then the rest.

Tests that failed are run once more at the end, one after the other: a test that passes then depends on what runs beside
it, which is a fault of the test or of the code, but none that every machine has. Such tests are listed, and counted as
rerun in the last line, which has the sum in pytest's words. `--once` runs nothing again: any failure fails the suite.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

# The longest first, so that no process has one of them left when the others are done.
_LIGHT = ("tests/property", "tests/contract", "tests/parity", "tests/unit", "tests/lint")
_HEAVY = (
    "tests/integration/test_docstrings.py",
    "tests/integration/test_memory.py",
    "tests/chaos",
    "tests/differential",
    "tests",
)
_SEVERAL = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadfile", "--no-loadscope-reorder")

_FEW = 20
"""How many failures are run again at most: with more of them, it is no chance."""


def _counts(report: Path) -> Counter[str]:
    """Return how many tests passed, failed and so on, from a JUnit report."""
    counts: Counter[str] = Counter()
    for suite in ElementTree.parse(report).iter("testsuite"):
        counts["failed"] += int(suite.get("failures", 0))
        counts["errors"] += int(suite.get("errors", 0))
        counts["skipped"] += int(suite.get("skipped", 0))
        counts["passed"] += int(suite.get("tests", 0))
    counts["passed"] -= counts["failed"] + counts["errors"] + counts["skipped"]
    return counts


def _run(*arguments: str) -> tuple[int, Counter[str]]:
    """Run pytest; return its code and how many tests passed, failed and so on."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        code = subprocess.run([sys.executable, "-m", "pytest", f"--junitxml={report}", *arguments]).returncode
        found = _counts(report) if report.exists() else Counter()
    if code and not found["failed"] + found["errors"]:
        # It did not get as far as a test.
        found["errors"] = 1
    return code, found


def _run_again(counts: Counter[str]) -> int:
    """Run the tests that failed, one after the other; correct the counts, and return pytest's code.

    A test whose process crashed is not run again: pytest remembers it under no name.
    """
    print("\n== tests that failed, run again", flush=True)
    code, found = _run("-v", "--last-failed", "--last-failed-no-failures=none", "tests")
    crashed = counts["failed"] + counts["errors"] - found.total()
    counts["rerun"] = found["passed"]
    counts["passed"] += found["passed"]
    counts["failed"], counts["errors"] = found["failed"] + crashed, found["errors"]
    return code or int(crashed > 0)


def main(once: bool) -> int:
    """Run both parts, the second even if the first fails; return pytest's code for the first that fails."""
    begun = time.monotonic()
    counts: Counter[str] = Counter()
    codes = []
    parts = (("--cache-clear", *_LIGHT), (*_HEAVY, *(f"--ignore={path}" for path in _LIGHT)))
    for arguments in parts:
        code, found = _run(*_SEVERAL, *arguments)
        codes.append(code)
        counts += found
    # Pytest's 1 says that tests failed; any other code, that something else is wrong.
    if not once and 1 in codes and set(codes) <= {0, 1} and counts["failed"] + counts["errors"] <= _FEW:
        codes = [_run_again(counts)]
    kinds = ("failed", "passed", "skipped", "errors", "rerun")
    words = ", ".join(f"{counts[kind]} {kind}" for kind in kinds if counts[kind])
    print(f" {words} in {time.monotonic() - begun:.2f}s ".center(80, "="), flush=True)
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main(once="--once" in sys.argv))
