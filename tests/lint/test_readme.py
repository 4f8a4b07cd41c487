"""The README shows what was measured, links to what is there, and stays short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import readme

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "CHANGELOG.md")),
    ROOT / "protos" / "README.md",
]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def test_its_figures_are_those_of_the_page() -> None:
    shown = readme.README.read_text(encoding="utf-8")
    page = readme.PAGE.read_text(encoding="utf-8")
    assert readme.with_figures(shown, page) == shown, "run `python -m benchmarks.readme`"
    assert shown.count(readme.table(page)) == 1


def test_its_figures_include_ray_once_these_are_measured() -> None:
    rows = [f"| {workload} | ms | 4.0 | 3.0 | 2.0 | 1.0 |" for workload in readme.WORKLOADS]
    text = "\n".join(["| workload | unit | distributed | queuing off | Ray | dagrpc |", *rows]) + "\n"
    page = readme.with_section(readme.PAGE.read_text(encoding="utf-8"), text)
    shown = readme.table(page).splitlines()
    assert shown[0] == "| | distributed | distributed, queuing off | Ray | dagrpc |"
    assert all(line.endswith("| 4.0 ms | 3.0 ms | 2.0 ms | 1.0 ms |") for line in shown[2:])
    assert readme.with_section(page, text) == page


def test_the_readme_fits_on_two_screens() -> None:
    lines = readme.README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 80


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_a_page_links_to_are_there(path: Path) -> None:
    links = LINK.findall(path.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert missing == []
