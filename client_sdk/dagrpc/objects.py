"""Dicts with answers about a cluster, which notebooks show as tables."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from dask.utils import format_bytes

__all__ = ["HasWhat", "SchedulerInfo", "WhoHas"]

_MANY = 20
"""Number of keys or workers that a table shows; the rest is folded."""


_OF_WORKERS = ("Worker", "Address", "Status", "Threads", "Memory", "Limit", "CPU", "Executing", "Stored", "Directory")


class WhoHas(dict[Any, Any]):
    """The addresses of the workers that hold results, by key.

    Examples
    --------
    >>> future = client.submit(inc, 1, key="x")
    >>> future.result()
    2
    >>> client.who_has(future)
    {'x': ('127.0.0.1:...',)}
    """

    def _repr_html_(self) -> str:
        rows = ((repr(key), str(len(workers)), ", ".join(workers)) for key, workers in self.items())
        return _table(("Key", "Copies", "Workers"), rows)


class HasWhat(dict[Any, Any]):
    """The keys of the results that workers hold, by address.

    Examples
    --------
    >>> type(client.has_what()).__name__, len(client.has_what())
    ('HasWhat', 2)
    """

    def _repr_html_(self) -> str:
        rows = ((worker, str(len(keys)), ", ".join(map(repr, keys))) for worker, keys in self.items())
        return _table(("Worker", "Keys", "Which"), rows)


class SchedulerInfo(dict[Any, Any]):
    """The scheduler and its workers.

    Examples
    --------
    >>> info = client.scheduler_info()
    >>> info["type"], info["n_workers"]
    ('Scheduler', 2)
    """

    def _repr_html_(self) -> str:
        facts = [
            ("Scheduler", self.get("id", "")),
            ("Address", self.get("address", "")),
            ("Workers", str(self.get("n_workers", 0))),
            ("Threads", str(self.get("total_threads", 0))),
            ("Memory", format_bytes(self.get("total_memory", 0))),
            ("Started", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.get("started", 0.0)))),
        ]
        workers = (_worker_row(address, worker) for address, worker in self.get("workers", {}).items())
        return _table(("", ""), facts) + _table(_OF_WORKERS, workers)


def _worker_row(address: str, worker: dict[str, Any]) -> tuple[str, ...]:
    metrics = worker.get("metrics", {})
    counts = metrics.get("task_counts", {})
    limit = worker["memory_limit"]
    return (
        str(worker["name"]),
        address,
        worker["status"],
        str(worker["nthreads"]),
        format_bytes(int(metrics.get("memory", 0))),
        format_bytes(limit) if limit else "none",
        f"{metrics.get('cpu', 0.0):.0f} %",
        str(counts.get("executing", 0)),
        str(counts.get("memory", 0)),
        worker["local_directory"],
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in HTML; rows beyond a screenful are folded."""
    lines = ["".join(f'<td style="text-align: left">{_cell(text)}</td>' for text in row) for row in rows]
    lines = [f"<tr>{line}</tr>" for line in lines]
    head = "<tr>" + "".join(f"<th>{escape(name)}</th>" for name in header) + "</tr>" if any(header) else ""
    table = f"<table>{head}{''.join(lines[:_MANY])}</table>"
    if len(lines) <= _MANY:
        return f"<div>{table}</div>"
    rest = f"<table>{head}{''.join(lines[_MANY:])}</table>"
    return f"<div>{table}<details><summary>{len(lines) - _MANY} more</summary>{rest}</details></div>"


def _cell(text: str) -> str:
    if len(text) <= 120:
        return f"<code>{escape(text)}</code>"
    return f"<details><summary>{escape(text[:40])} ...</summary><code>{escape(text)}</code></details>"
