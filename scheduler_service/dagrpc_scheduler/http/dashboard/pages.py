"""Serves the pages of the dashboard and their files. All pages are one document, which the script fills."""

from __future__ import annotations

import json
from html import escape
from importlib import resources

from aiohttp import web

from dagrpc_scheduler.http.dashboard.panels import PAGES, PANELS

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOLDERS = ("dagrpc_scheduler.http", "dagrpc_scheduler.http.dashboard")


class DashboardPages:
    """Answers with the document of the dashboard, with scripts and style sheets."""

    def __init__(self) -> None:
        self._files = {
            file.name: file.read_bytes()
            for package in _FOLDERS
            for file in (resources.files(package) / "assets").iterdir()
            if file.is_file()
        }

    def routes(self) -> list[web.RouteDef]:
        """Return the paths and their handlers."""
        found = [web.get(page.path, self.page) for page in PAGES]
        found += [web.get(panel.path, self.panel) for panel in PANELS.values()]
        return [*found, web.get("/statics/{name}", self.static)]

    async def page(self, request: web.Request) -> web.Response:
        """Return a page of the navigation."""
        path = request.path.rpartition("/")[2]
        title = next(page.title for page in PAGES if page.name == path)
        return _document(title, "")

    async def panel(self, request: web.Request) -> web.Response:
        """Return the page of one panel."""
        name = request.path.rpartition("/")[2].removeprefix("individual-")
        return _document(PANELS[name].title, name)

    async def static(self, request: web.Request) -> web.Response:
        """Return a style sheet or a script."""
        name = request.match_info["name"]
        body = self._files.get(name)
        suffix = name[name.rfind(".") :]
        if body is None or suffix not in _TYPES:
            raise web.HTTPNotFound(text=f"there is no file {name!r}\n")
        return web.Response(body=body, content_type=_TYPES[suffix], charset="utf-8")


def _document(title: str, panel: str) -> web.Response:
    table = {
        "panels": {each.name: {"title": each.title, "feeds": each.feeds} for each in PANELS.values()},
        "pages": [{"name": page.name, "title": page.title, "panels": page.panels} for page in PAGES],
        "panel": panel,
    }
    # Within a script element, only "</" could end the element early.
    data = json.dumps(table).replace("</", "<\\/")
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>dagrpc: {escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="statics/icon.svg"><link rel="stylesheet" href="statics/style.css">'
        '<link rel="stylesheet" href="statics/dashboard.css">'
        '<script type="module" src="statics/main.js"></script></head>'
        f'<body><script type="application/json" id="table">{data}</script>'
        '<noscript>This page needs JavaScript; <a href="info/main/workers.html">the plain pages</a> do not.</noscript>'
        "</body></html>"
    )
    return web.Response(text=text, content_type="text/html")
