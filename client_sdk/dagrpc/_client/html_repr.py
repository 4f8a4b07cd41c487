"""How clients and futures look in a notebook."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from html import escape
from typing import Any

from dask.utils import format_bytes


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
    parts = [
        f"<strong>Future: {escape(str(name).rpartition('-')[0] or str(name))}</strong>",
        f"status: <strong>{escape(str(status))}</strong>",
    ]
    if type_name:
        parts.append(f"type: {escape(short_type(type_name))}")
    parts.append(f"key: <code>{escape(str(key))}</code>")
    return "<div>" + ", ".join(parts) + "</div>"


def totals(info: Mapping[str, Any]) -> str:
    """Return what a cluster has, in words."""
    memory = info.get("total_memory") or 0
    words = f"processes={info['n_workers']} threads={info['total_threads']}"
    return f"{words}, memory={format_bytes(memory)}" if memory else words


def client(name: str, status: str, address: str, info: Mapping[str, Any] | None, dashboard: str | None) -> str:
    """Return a client in HTML."""
    rows = [("Connection", escape(address or "none")), ("Status", escape(status))]
    if dashboard:
        rows.append(("Dashboard", f'<a href="{escape(dashboard)}" target="_blank">{escape(dashboard)}</a>'))
    if info is not None:
        rows += [("Workers", str(info["n_workers"])), ("Threads", str(info["total_threads"]))]
        if info.get("total_memory"):
            rows.append(("Memory", format_bytes(info["total_memory"])))
    cells = "".join(f'<tr><td style="text-align: left"><strong>{k}</strong></td><td>{v}</td></tr>' for k, v in rows)
    return f"<div><h3>Client</h3><p>{escape(name)}</p><table>{cells}</table></div>"


_COLOURS = {"finished": "#51a351", "erred": "#bd362f", "processing": "#2f96b4", "queued": "#e0b84c"}


def progress(groups: Mapping[str, Mapping[str, int]], seconds: float, failure: str) -> str:
    """Return how far groups of tasks are, a bar for each, in HTML."""
    rows = "".join(_progress_row(name, counts) for name, counts in groups.items())
    why = f'<p style="color: {_COLOURS["erred"]}"><code>{escape(failure)}</code></p>' if failure else ""
    return f"<div><table>{rows}</table>{why}<p>{seconds:.1f} s</p></div>"


def _progress_row(name: str, counts: Mapping[str, int]) -> str:
    total = counts["total"] or 1
    bars = "".join(
        f'<div style="width: {100 * counts[state] / total:.2f}%; background: {colour}"></div>'
        for state, colour in _COLOURS.items()
    )
    bar = f'<div style="display: flex; width: 20em; height: 1em; background: #ddd">{bars}</div>'
    words = [f"{counts['finished']} / {counts['total']}"]
    words += [f"{counts[state]} {state}" for state in ("erred", "processing", "queued", "no_worker") if counts[state]]
    return f"<tr><td>{escape(name)}</td><td>{bar}</td><td>{escape(', '.join(words))}</td></tr>"
