"""docs/operations.md speaks of settings, metrics, options and log lines that exist."""

import re
from pathlib import Path

import pytest

from dagrpc import config

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("client_sdk/dagrpc", "scheduler_service", "worker_service", "deploy/dagrpc_deploy")
    for path in (ROOT / folder).rglob("*.py")
)


def log_lines() -> list[str]:
    table = PAGE.split("## Log lines")[1].split("##")[0]
    return re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)


@pytest.mark.parametrize("line", log_lines())
def test_log_lines_are_those_of_the_services(line: str) -> None:
    pattern = re.sub(r"(\\\.){3}", "%[rsd]", re.escape(line))
    assert re.search(pattern, SOURCES), pattern


def test_there_are_log_lines() -> None:
    assert len(log_lines()) > 5


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(scheduler\.[a-z-]+)`", PAGE))))
def test_settings_exist(name: str) -> None:
    config.get(name)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"dask_\w+", PAGE))))
def test_metrics_are_documented(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(--[a-z-]+)", PAGE))))
def test_options_exist(name: str) -> None:
    pages = [
        (ROOT / "docs" / page).read_text(encoding="utf-8") for page in ("options.md", "monitoring.md", "deployment.md")
    ]
    assert any(name in page for page in pages)
