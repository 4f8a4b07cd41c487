"""Run the whole suite, several files at once: first what starts few processes of its own, then the rest.

The last line has the sum of both, in pytest's words.
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


def main() -> int:
    """Run both parts, the second even if the first fails; return pytest's code for the first that fails."""
    begun = time.monotonic()
    parts = (_LIGHT, (*_HEAVY, *(f"--ignore={path}" for path in _LIGHT)))
    counts: Counter[str] = Counter()
    codes = []
    with tempfile.TemporaryDirectory() as directory:
        for arguments in parts:
            report = Path(directory) / "report.xml"
            report.unlink(missing_ok=True)
            command = [sys.executable, "-m", "pytest", f"--junitxml={report}", *_SEVERAL, *arguments]
            codes.append(subprocess.run(command).returncode)
            found = _counts(report) if report.exists() else Counter()
            if codes[-1] and not found["failed"] + found["errors"]:
                # It did not get as far as a test.
                found["errors"] = 1
            counts += found
    words = ", ".join(f"{counts[kind]} {kind}" for kind in ("failed", "passed", "skipped", "errors") if counts[kind])
    print(f" {words} in {time.monotonic() - begun:.2f}s ".center(80, "="), flush=True)
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main())
