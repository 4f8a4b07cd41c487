"""Dicts with answers about a cluster, which notebooks show as tables."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from dask.utils import format_bytes

from dagrpc._common.markup import LEFT, Markup, element, folded, table

__all__ = ["HasWhat", "SchedulerInfo", "WhoHas"]

_MANY = 20
"""Number of keys or workers that a table shows; the rest is folded."""
_LONG = 120
"""How many characters of a cell are shown at once."""


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


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """Return a table in HTML; rows beyond a screenful of it are folded."""
    cells = [tuple(map(_cell, row)) for row in rows]
    shown = table(header, cells[:_MANY], style=LEFT)
    if len(cells) <= _MANY:
        return element("div", shown)
    return element("div", shown, folded(f"{len(cells) - _MANY} more", table(header, cells[_MANY:], style=LEFT)))


def _cell(text: str) -> Markup:
    """Return a text as code; a long text is folded."""
    code = element("code", text)
    return code if len(text) <= _LONG else folded(f"{text[:40]} ...", code)
