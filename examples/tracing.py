"""Traces of a small computation: ``python examples/tracing.py``; see docs/tracing.md.

Spans go to ``OTEL_EXPORTER_OTLP_ENDPOINT``, by default http://localhost:4317. ``OTEL_TRACES_EXPORTER=console`` prints
them.
"""

from __future__ import annotations

import dask
from opentelemetry import trace

from dagrpc import Client, LocalCluster


def measure(text: str) -> int:
    """Count the words of a text, in a span of this program's own."""
    with trace.get_tracer("example").start_as_current_span("count words"):
        return len(text.split())


def main() -> None:
    """Count the words of some lines on two workers."""
    lines = ["to be or not to be", "that is the question"]
    with (
        dask.config.set({"dagrpc.tracing.enabled": True}),
        LocalCluster(n_workers=2, threads_per_worker=1) as cluster,
        Client(cluster) as client,
    ):
        counts = client.map(measure, lines)
        print(client.submit(sum, counts).result(), "words")


if __name__ == "__main__":
    main()
