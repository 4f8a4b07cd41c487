"""The span of a task: tasks that it submits belong to the span in which it was submitted itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Protocol

from dagrpc_worker.core.events import Event
from dagrpc_worker.core.instructions import Execute


class RunTraces(Protocol):
    """Makes the spans of OpenTelemetry for the runs of tasks. From any thread."""

    def begin(self, task: Execute, start: float) -> None:
        """Begin the span of a run, if its task belongs to a trace. The event that ends the run ends the span."""

    def watching(self, post: Callable[[Event], None]) -> Callable[[Event], None]:
        """Return a function that posts events, and ends the spans of the runs that they end."""

    def enter(self, task: Execute) -> None:
        """Make the span of a run, if it has one, the current span of the present context."""


def enter_span(annotations: str) -> None:
    """Enter the span in a task's annotations, a JSON object, for the present context."""
    if '"span"' not in annotations:
        return
    try:
        span = json.loads(annotations)["span"]
        found = {"name": tuple(map(str, span["name"])), "ids": tuple(map(str, span["ids"]))}
    except (KeyError, TypeError, ValueError):
        # Annotations of clients in other languages may have any form.
        return
    # Not `annotate`, which would have to be left in the same context and would appear in the tracebacks of tasks.
    from dask.base import _annotations

    _annotations.set({"span": found})
