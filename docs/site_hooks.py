"""Pages of the site that are not files of docs/: those that are elsewhere in the project, and the reference."""

from __future__ import annotations

import functools
import importlib
import inspect
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]

ELSEWHERE = {
    "protos/README.md": "contract.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "SECURITY.md": "security-policy.md",
}
"""Files of the project that are pages of the site, and where."""

LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
REFERENCE = "reference"
SECTION = "Reference"
"""The part of the table of contents in which the reference is."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages of the reference to the table of contents."""
    (section,) = [entry[SECTION] for entry in config.nav or [] if SECTION in entry]
    section += [page for page in _reference() if page not in section]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for source, page in ELSEWHERE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_on_the_site(text, source, page)))
    for page, text in _reference().items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files elsewhere in the project lead to their pages."""
    uri = page.file.src_uri
    if uri in ELSEWHERE.values() or uri.startswith(REFERENCE):
        return markdown
    return _on_the_site(markdown, f"docs/{uri}", uri)


def _on_the_site(text: str, source: str, page: str) -> str:
    """Return a page of the project with the links that it has on the site."""

    def link(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[1]))
        there = ELSEWHERE.get(target, target.removeprefix("docs/"))
        return f"]({posixpath.relpath(there, posixpath.dirname(page) or '.')}"

    return LINK.sub(link, text)


@functools.cache
def _reference() -> dict[str, str]:
    """Return a page for each class that `dagrpc` exports, one for its other names, and a list of all."""
    import dagrpc

    names = {name: getattr(dagrpc, name) for name in dagrpc.__all__ if name != "__version__"}
    # What others made, such as TimeoutError, is documented by them.
    ours = {name: thing for name, thing in names.items() if getattr(thing, "__module__", "").startswith("dagrpc")}
    classes = {name: thing for name, thing in ours.items() if inspect.isclass(thing)}
    errors = {name: thing for name, thing in classes.items() if issubclass(thing, BaseException | Warning)}
    pages = {f"{REFERENCE}/{name}.md": _directive(thing) for name, thing in classes.items() if name not in errors}
    functions = [thing for name, thing in ours.items() if name not in classes]
    pages[f"{REFERENCE}/functions.md"] = "# Functions\n\n" + "\n".join(_directive(each, 2) for each in functions)
    pages[f"{REFERENCE}/errors.md"] = "# Errors\n\n" + "\n".join(_directive(each, 2) for each in errors.values())
    pages[f"{REFERENCE}/index.md"] = _index(ours, {*classes} - {*errors}, {*errors})
    return pages


def _index(ours: dict[str, Any], classes: set[str], errors: set[str]) -> str:
    lines = [
        "# Reference",
        "",
        "Everything that `from dagrpc import ...` finds, from its docstrings. Each example is run by the tests; there",
        "`client` is a client of `cluster`, of two workers of two threads, and `inc` adds 1.",
        "",
        "| name | |",
        "|---|---|",
    ]
    for name, thing in sorted(ours.items(), key=lambda item: item[0].lower()):
        summary = (inspect.getdoc(thing) or "").partition("\n")[0].replace("|", "\\|")
        page = f"{name}.md" if name in classes else "errors.md" if name in errors else "functions.md"
        lines.append(f"| [`{name}`]({page}) | {summary} |")
    return "\n".join(lines) + "\n"


def _directive(thing: Any, level: int = 1) -> str:
    """Return what mkdocstrings makes a section of."""
    module = importlib.import_module(thing.__module__)
    path = f"{module.__name__}.{thing.__qualname__}"
    return f"::: {path}\n    options:\n      heading_level: {level}\n"
