"""Pages of HTML: tables and texts, escaped, with the same head and navigation everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from aiohttp import web

from dagrpc._common.markup import Markup, element


def link(target: str, text: str) -> Markup:
    """Return a link. Targets are relative, so that they hold behind any prefix."""
    return element("a", text, href=target)


def bar(value: float, limit: float) -> Markup:
    """Return a bar that is filled by a part of a limit; empty if there is no limit."""
    return element("progress", value=f"{value:g}", max=f"{limit:g}") if limit else Markup("")


def text_block(text: str) -> Markup:
    """Return a text as it is, line by line, such as a log or a traceback."""
    return element("pre", text)


def heading(text: str) -> Markup:
    """Return the heading of a part of a page."""
    return element("h2", text)


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
