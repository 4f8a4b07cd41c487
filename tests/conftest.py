"""Hooks and settings of all tests."""

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.support import skips

# On a machine with much else to do an example takes as long as it takes; what hangs ends by pytest's own timeout.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Tests have many schedulers at once: each serves HTTP at a free port, rather than look for one from 8787 on.
os.environ.setdefault("DAGRPC_SCHEDULER__DASHBOARD__ADDRESS", ":0")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test that is skipped fail, in CI, unless it is listed."""
    report = yield
    if skips.strict():
        skips.refuse(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let a file of which no test is collected fail, in CI, unless it is listed."""
    report = yield
    if skips.strict():
        skips.refuse(report)
    return report
