"""Self-contained HTML pages: style, script and data are in the file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib import resources
from typing import Any

from dagrpc._common import markup
from dagrpc._common.markup import element

# The policy forbids the browser to fetch anything.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"


@cache
def _asset(name: str) -> str:
    return resources.files("dagrpc.diagnostics").joinpath("assets", name).read_text(encoding="utf-8")


def page(title: str, body: str) -> str:
    """Return a page with a title (text) and a body (HTML)."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_asset('report.css')}</style>\n</head>\n<body>\n{body}\n"
        f"<noscript><p>The figures of this page need its script.</p></noscript>\n"
        f"<script>\n{_asset('report.js')}</script>\n</body>\n</html>\n"
    )


def figure(kind: str, data: Any) -> str:
    """Return the element of a figure with its data; `kind` is the function of the script that draws it."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, default=str)
    # Data with a closing tag must not end the element.
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f'<div class="figure" data-kind="{escape(kind)}"><script type="application/json">{text}</script></div>'


def section(name: str, title: str, *parts: str) -> str:
    """Return a section with a title and parts in HTML."""
    return f'<section>\n<h2 id="{escape(name)}">{escape(title)}</h2>\n' + "\n".join(parts) + "\n</section>"


def hint(text: str) -> str:
    """Return a remark."""
    return element("p", text, class_="hint")


def table(header: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Iterable[int] = ()) -> str:
    """Return a table of texts; the columns at the positions `numbers` are aligned to the right."""
    return element("div", markup.table(header, rows, frozenset(numbers)), class_="scroll")
