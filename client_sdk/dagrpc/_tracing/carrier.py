"""The trace of a task travels as two of its annotations, which are those of W3C: `traceparent` and `tracestate`.

This module needs no OpenTelemetry: a scheduler hands on the traces of programs in other languages, also if it makes no
spans itself.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from contextvars import ContextVar

from dagrpc.v1 import graph_pb2

Headers = Mapping[str, str]
"""The headers of W3C by name; empty: no trace."""

NAMES = ("traceparent", "tracestate")
_MARK = '"traceparent"'
_LONGEST = 1024
"""Characters of a header at most; W3C asks that 512 of `tracestate` are passed on."""

carried: ContextVar[Headers] = ContextVar("dagrpc_trace", default={})  # noqa: B039
"""The trace of the tasks that the calling code submits. Never changed in place."""


def headers_of(annotations: str) -> Headers:
    """Return the trace among a task's annotations, a JSON object.

    >>> headers_of('{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "color": "red"}')
    {'traceparent': '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'}
    """
    if _MARK not in annotations:
        return {}
    try:
        return chosen(json.loads(annotations))
    except ValueError:
        # Annotations of clients in other languages may have any form.
        return {}


def chosen(found: object) -> Headers:
    """Return the headers of a trace among any headers."""
    if not isinstance(found, Mapping):
        return {}
    headers = {name: found[name] for name in NAMES if isinstance(found.get(name), str)}
    return headers if "traceparent" in headers and max(map(len, headers.values())) <= _LONGEST else {}


def stamp(part: graph_pb2.GraphPart, headers: Headers) -> None:
    """Give a trace to the tasks of a graph that have none of their own."""
    for options in part.options:
        # Annotations that are no JSON object stay as they are.
        with contextlib.suppress(ValueError, TypeError):
            options.annotations = json.dumps({**headers, **json.loads(options.annotations or "{}")})
    without = [task for task in part.tasks if not task.options]
    if without:
        part.options.add(annotations=json.dumps(dict(headers)))
        for task in without:
            task.options = len(part.options)
