"""A cluster as text and as HTML."""

from __future__ import annotations

from typing import NamedTuple

from dagrpc._common.markup import element, joined
from dagrpc.v1 import scheduler_service_pb2 as pb


class Summary(NamedTuple):
    """The size of a cluster."""

    workers: int
    threads: int
    memory: int
    """Bytes; workers without a memory limit add nothing."""
    dashboard: int = 0
    """The scheduler's HTTP port; 0: none."""
    http_prefix: str = ""
    """Path in front of the pages that are served there."""

    @classmethod
    def of(cls, info: pb.GetClusterInfoResponse | None) -> Summary:
        """Return the size of a cluster that its scheduler has described."""
        workers = info.workers if info is not None else ()
        threads = sum(worker.nthreads for worker in workers)
        dashboard = info.services["dashboard"] if info is not None and "dashboard" in info.services else 0
        prefix = info.http_prefix if info is not None else ""
        return cls(len(workers), threads, sum(worker.memory_limit for worker in workers), dashboard, prefix)


def cluster_text(kind: str, name: str, address: str, summary: Summary) -> str:
    """Return the repr of a cluster."""
    from dask.utils import format_bytes

    limit = f", memory={format_bytes(summary.memory)}" if summary.memory or not summary.workers else ""
    return f"{kind}({name}, {address!r}, workers={summary.workers}, threads={summary.threads}{limit})"


def cluster_html(kind: str, name: str, address: str, status: str, summary: Summary) -> str:
    """Return a table about a cluster."""
    from dask.utils import format_bytes

    rows = [("Scheduler", address), ("Status", status), ("Workers", str(summary.workers))]
    rows.append(("Threads", str(summary.threads)))
    if summary.memory:
        rows.append(("Memory", format_bytes(summary.memory)))
    cells = (element("tr", element("th", label), element("td", value)) for label, value in rows)
    return joined(element("h4", f"{kind} {name}"), element("table", *cells))
