"""Logging as users configure it: levels, whole configurations, files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.config
import pytest

from dagrpc._process import logging_config


def said(settings: dict[str, Any], level: str = "INFO") -> list[str]:
    """Return the output of a service with the given settings that logs a record on each level."""
    program = f"""
import logging, dask.config
dask.config.set({settings!r})
from dagrpc._process.service_process import apply_settings, prepare
prepare({level!r})
apply_settings()
for name in ("dagrpc.worker", "dagrpc.scheduler", "elsewhere"):
    for level in ("debug", "info", "warning", "error"):
        getattr(logging.getLogger(name), level)("%s said by %s", level, name)
"""
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stderr.splitlines()


def words(lines: list[str], name: str) -> list[str]:
    """Return the levels on which a logger was heard."""
    return [line.split(" said by ")[0].split()[-1] for line in lines if line.endswith(f"said by {name}")]


def test_without_a_configuration_the_command_line_has_its_way() -> None:
    lines = said({}, "WARNING")
    assert words(lines, "dagrpc.worker") == ["warning", "error"]
    assert words(lines, "elsewhere") == ["warning", "error"]


@pytest.mark.parametrize("root", ["distributed.", "dagrpc.", ""])
def test_loggers_have_the_levels_that_they_are_given(root: str) -> None:
    lines = said({f"{root}logging": {"distributed.worker": "debug", "dagrpc.scheduler": "error", "elsewhere": "INFO"}})
    assert words(lines, "dagrpc.worker") == ["debug", "info", "warning", "error"]
    assert words(lines, "dagrpc.scheduler") == ["error"]
    assert words(lines, "elsewhere") == ["info", "warning", "error"]


def test_a_whole_configuration_is_taken() -> None:
    given = {
        "version": 1,
        "formatters": {"short": {"format": "!! %(message)s"}},
        "handlers": {"err": {"class": "logging.StreamHandler", "formatter": "short"}},
        "loggers": {"dagrpc.worker": {"level": "ERROR", "handlers": ["err"], "propagate": False}},
    }
    assert "!! error said by dagrpc.worker" in said({"distributed.logging": given})


def test_a_file_of_a_configuration_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "logging.ini"
    path.write_text(
        "[loggers]\nkeys=root\n[handlers]\nkeys=err\n[formatters]\nkeys=short\n"
        "[logger_root]\nlevel=ERROR\nhandlers=err\n[handler_err]\nclass=StreamHandler\nformatter=short\nargs=()\n"
        "[formatter_short]\nformat=?? %(message)s\n"
    )
    assert "?? error said by elsewhere" in said({"distributed.logging-file-config": str(path)})


def test_lines_have_the_format_that_was_configured() -> None:
    assert ">> error said by dagrpc.worker" in said({"distributed.admin.log-format": ">> %(message)s"})


@pytest.fixture
def untouched() -> Iterator[None]:
    yield
    logging_config.shown.clear()


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"distributed.logging": {"distributed": "loud"}}, "'loud' for 'distributed'"),
        ({"distributed.logging": "debug"}, "must map loggers to levels"),
        ({"distributed.logging": {"a": "info"}, "distributed.logging-file-config": "x"}, "exclude each other"),
    ],
)
def test_an_invalid_configuration_is_refused(settings: dict[str, Any], match: str) -> None:
    with dask.config.set(settings), pytest.raises(ValueError, match=match):
        logging_config.configure_logging()
