"""Lists the tests that may be skipped in CI, where any other skip is a failure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

LIST = Path(__file__).parents[1] / "allowed_skips.txt"


_DEPLOYMENTS = "tests/e2e/"


def strict() -> bool:
    """Tell whether skips that are not listed fail: where the environment variable CI or CI_DEPLOY is set."""
    return _is_set("CI") or _is_set("CI_DEPLOY")


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").lower() not in ("", "0", "false")


def allowed() -> dict[str, str]:
    """Return the reasons by node id, or by file."""
    lines = [line.strip() for line in LIST.read_text(encoding="utf-8").splitlines()]
    entries = [line.partition(": ") for line in lines if line and not line.startswith("#")]
    return {name: reason.strip() for name, _, reason in entries}


def is_allowed(nodeid: str) -> bool:
    """Tell whether a test, all cases of it, or its file is listed, unless CI_DEPLOY asks for the deployments."""
    if nodeid.startswith(_DEPLOYMENTS) and _is_set("CI_DEPLOY"):
        return False
    return not {nodeid, nodeid.partition("[")[0], nodeid.partition("::")[0]}.isdisjoint(allowed())


def refuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Let a skipped test fail unless it is listed."""
    if report.skipped and not hasattr(report, "wasxfail") and not is_allowed(report.nodeid):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason}\nA skip fails in CI unless tests/allowed_skips.txt lists it with a reason."
