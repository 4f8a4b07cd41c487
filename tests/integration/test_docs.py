"""The examples in README.md and in the documentation work as printed."""

import contextlib
import doctest
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "docs/quickstart.md",
    "docs/client.md",
    "docs/datasets.md",
    "docs/compatibility.md",
    "docs/clusters.md",
    "docs/diagnostics.md",
    "docs/events.md",
    "docs/memory.md",
    "docs/plugins.md",
    "docs/profiling.md",
    "docs/reliability.md",
    "docs/serialization.md",
    "docs/security.md",
    "docs/servers.md",
    "docs/actors.md",
    "docs/shuffle.md",
)
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

pytestmark = pytest.mark.timeout(180)


def close_what_is_open(namespace: dict[str, Any]) -> None:
    """Close the clients and clusters that a page which failed half-way left open."""
    for name in ("client", "cluster"):
        if hasattr(namespace.get(name), "close"):
            with contextlib.suppress(Exception):
                namespace[name].close()


@pytest.mark.parametrize("name", PAGES)
def test_the_examples_of_a_page_work_as_printed(name: str) -> None:
    path = ROOT / name
    text = path.read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    assert blocks, "the page has no examples"
    # One after the other, as a reader would type them. The lines between them are kept, so that a failure names its
    # line in the page.
    lines = [""] * len(text.splitlines())
    for block in blocks:
        first = text.count("\n", 0, block.start(1))
        for offset, line in enumerate(block.group(1).splitlines()):
            lines[first + offset] = line
    namespace: dict[str, Any] = {"__name__": "__main__"}
    test = doctest.DocTestParser().get_doctest("\n".join(lines), namespace, name, str(path), 0)
    report = io.StringIO()
    try:
        results = doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=report.write, clear_globs=False)
    finally:
        close_what_is_open(test.globs)
    assert results.attempted > 0
    assert results.failed == 0, report.getvalue()


def test_the_main_job_finds_every_answer_to_be_right() -> None:
    # What `make run` runs, once the environment is there.
    command = [sys.executable, "-m", "examples.flights.main", "--n-workers", "2"]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert re.search(r"^checked: [\d,]+ answers equal", outcome.stdout, re.MULTILINE)
    # Both workers took part in what was spread over them.
    assert "Who computed what" in outcome.stdout
