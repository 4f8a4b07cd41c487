"""Pages of HTML: tables and texts, escaped, with the same head and navigation everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from aiohttp import web


class Markup(str):
    """HTML that is used as it is; every other text is escaped."""

    __slots__ = ()


def link(target: str, text: str) -> Markup:
    """Return a link. Targets are relative, so that they hold behind any prefix."""
    return Markup(f'<a href="{escape(target)}">{escape(text)}</a>')


def bar(value: float, limit: float) -> Markup:
    """Return a bar that is filled by a part of a limit; empty if there is no limit."""
    return Markup(f'<progress value="{value:g}" max="{limit:g}"></progress>') if limit else Markup("")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """Return a table with a row of headings."""
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    lines = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return Markup(f"<table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>")


def text_block(text: str) -> Markup:
    """Return a text as it is, line by line, such as a log or a traceback."""
    return Markup(f"<pre>{escape(text)}</pre>")


def heading(text: str) -> Markup:
    """Return the heading of a part of a page."""
    return Markup(f"<h2>{escape(text)}</h2>")


def _cell(cell: object) -> str:
    return cell if isinstance(cell, Markup) else escape(str(cell))


def page(title: str, root: str, *parts: Markup, links: Iterable[tuple[str, str]] = ()) -> web.Response:
    """Return a page as an answer.

    Parameters
    ----------
    title : str
        Title and first heading.
    root : str
        Relative path from the page to the root of the pages, such as ``"../../"``.
    *parts : Markup
        The content.
    links : iterable of (str, str)
        Texts and targets of the navigation; targets start at the root.
    """
    navigation = "".join(f"<li>{link(root + target, text)}</li>" for text, target in links)
    body = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="stylesheet" href="{escape(root)}statics/style.css"></head>'
        f"<body><nav><ul>{navigation}</ul></nav><main><h1>{escape(title)}</h1>{''.join(parts)}</main></body></html>"
    )
    return web.Response(text=body, content_type="text/html")
