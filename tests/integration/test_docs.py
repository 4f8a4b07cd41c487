"""The code of the documentation does what the documentation says it does."""

import contextlib
import doctest
import io
import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("quickstart.md", "client.md")
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
    text = (DOCS / name).read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    assert blocks, "the page has no examples"
    # One after the other, as a reader would type them. The lines between them are kept, so that a failure names its
    # line in the page.
    source = "\n" * len(text.splitlines())
    lines = source.split("\n")
    for block in blocks:
        first = text.count("\n", 0, block.start(1))
        for offset, line in enumerate(block.group(1).splitlines()):
            lines[first + offset] = line
    namespace: dict[str, Any] = {"__name__": "__main__"}
    test = doctest.DocTestParser().get_doctest("\n".join(lines), namespace, name, str(DOCS / name), 0)
    report = io.StringIO()
    try:
        results = doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=report.write, clear_globs=False)
    finally:
        close_what_is_open(test.globs)
    assert results.attempted > 0
    assert results.failed == 0, report.getvalue()
