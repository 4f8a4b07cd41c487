"""The span that a task was submitted in: what it submits itself belongs there, too."""

from __future__ import annotations

import json


def enter_span(annotations: str) -> None:
    """Have what is called in this context be in the span that is among a task's annotations, a JSON object."""
    if '"span"' not in annotations:
        return
    try:
        span = json.loads(annotations)["span"]
        found = {"name": tuple(map(str, span["name"])), "ids": tuple(map(str, span["ids"]))}
    except (KeyError, TypeError, ValueError):
        # Those of other clients may be anything.
        return
    # `annotate` would have to be left in the same context, and stand in the tracebacks of whatever fails in it.
    from dask.base import _annotations

    _annotations.set({"span": found})
