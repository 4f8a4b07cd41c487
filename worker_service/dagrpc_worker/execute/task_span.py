"""The span of a task: tasks that it submits belong to the span in which it was submitted itself."""

from __future__ import annotations

import json


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
