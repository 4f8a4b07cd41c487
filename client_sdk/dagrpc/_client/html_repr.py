"""How clients and futures look in a notebook."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from dask.utils import format_bytes

from dagrpc._common.markup import LEFT, Markup, element, table


def short_type(name: str) -> str:
    """Return a type's qualified name as people write it.

    Examples
    --------
    >>> short_type("builtins.int")
    'int'
    >>> short_type("numpy.ndarray")
    'numpy.ndarray'
    """
    return name.removeprefix("builtins.")


def future(key: Hashable, status: str | None, type_name: str) -> str:
    """Return a future in HTML."""
    name = key[0] if isinstance(key, tuple) else key
    text = str(name).rpartition("-")[0] or str(name)
    kind = ("type: ", short_type(type_name), ", ") if type_name else ()
    return element(
        "div",
        *(element("strong", f"Future: {text}"), ", status: ", element("strong", str(status)), ", "),
        *kind,
        *("key: ", element("code", str(key))),
    )


def totals(info: Mapping[str, Any]) -> str:
    """Return what a cluster has, in words."""
    memory = info.get("total_memory") or 0
    words = f"processes={info['n_workers']} threads={info['total_threads']}"
    return f"{words}, memory={format_bytes(memory)}" if memory else words


def client(name: str, status: str, address: str, info: Mapping[str, Any] | None, dashboard: str | None) -> str:
    """Return a client in HTML."""
    rows: list[tuple[str, object]] = [("Connection", address or "none"), ("Status", status)]
    if dashboard:
        rows.append(("Dashboard", element("a", dashboard, href=dashboard, target="_blank")))
    if info is not None:
        rows += [("Workers", info["n_workers"]), ("Threads", info["total_threads"])]
        if info.get("total_memory"):
            rows.append(("Memory", format_bytes(info["total_memory"])))
    cells = [(element("strong", label), value) for label, value in rows]
    return element("div", element("h3", "Client"), element("p", name), table((), cells, style=LEFT))


_COLOURS = {"finished": "#51a351", "erred": "#bd362f", "processing": "#2f96b4", "queued": "#e0b84c"}


def progress(groups: Mapping[str, Mapping[str, int]], seconds: float, failure: str) -> str:
    """Return the progress of groups of tasks in HTML, with a bar for each group."""
    rows = [(name, _bar(counts), _counts(counts)) for name, counts in groups.items()]
    why = (element("p", element("code", failure), style=f"color: {_COLOURS['erred']}"),) if failure else ()
    return element("div", table((), rows), *why, element("p", f"{seconds:.1f} s"))


def _bar(counts: Mapping[str, int]) -> Markup:
    total = counts["total"] or 1
    parts = (
        element("div", style=f"width: {100 * counts[state] / total:.2f}%; background: {colour}")
        for state, colour in _COLOURS.items()
    )
    return element("div", *parts, style="display: flex; width: 20em; height: 1em; background: #ddd")


def _counts(counts: Mapping[str, int]) -> str:
    words = [f"{counts['finished']} / {counts['total']}"]
    words += [f"{counts[state]} {state}" for state in ("erred", "processing", "queued", "no_worker") if counts[state]]
    return ", ".join(words)
