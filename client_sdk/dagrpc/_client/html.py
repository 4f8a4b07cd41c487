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
