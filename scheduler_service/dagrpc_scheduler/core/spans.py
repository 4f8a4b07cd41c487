"""Spans: the named parts of client programs, with the totals of their tasks.

Only tasks that were submitted in a span are counted, so that other tasks cost nothing.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any, Final

from dagrpc_scheduler.core.events import SpanName
from dagrpc_scheduler.core.model import TaskState

_REMEMBERED: Final = 10_000
"""Number of spans that are kept; the oldest is dropped first."""
_THREADS: Final = 1_000
"""Number of changes of the thread count that are kept."""


class SpanRecord:
    """The totals of one span without its inner spans."""

    __slots__ = (
        "enqueued",
        "groups",
        "id",
        "metadata",
        "name",
        "nbytes",
        "parent",
        "seconds",
        "start",
        "stop",
        "tasks",
    )

    def __init__(self, identity: str, name: tuple[str, ...], parent: str, now: float) -> None:
        """Make a span that starts now."""
        self.id = identity
        self.name = name
        self.parent = parent
        """Id of the enclosing span; empty: none."""
        self.enqueued = now
        self.tasks = 0
        """Number of tasks that were ever in the span."""
        self.groups: dict[str, None] = {}
        self.start = 0.0
        """When its first task started to run; 0: none has."""
        self.stop = 0.0
        """When its latest task ended."""
        self.seconds: dict[str, float] = {}
        """Seconds that its tasks took, by prefix."""
        self.nbytes = 0
        """Bytes of all its results so far."""
        self.metadata: dict[str, Any] = {}
        """Metadata that users attached to the span."""


class SpanRegistry:
    """All spans that are kept."""

    __slots__ = ("records", "threads")

    def __init__(self) -> None:
        """Make an empty registry."""
        self.records: OrderedDict[str, SpanRecord] = OrderedDict()
        self.threads: deque[tuple[float, int]] = deque(maxlen=_THREADS)
        """Times at which the cluster's thread count changed, with the new count."""

    def submitted(self, task: TaskState, now: float) -> None:
        """Count a new task in its span."""
        span = task.options.span
        assert span is not None
        record = self.records.get(span.ids[-1])
        if record is None:
            record = self._enter(span, now)
        record.tasks += 1
        record.groups[task.group.name] = None

    def _enter(self, span: SpanName, now: float) -> SpanRecord:
        parent = ""
        for depth, identity in enumerate(span.ids, 1):
            if identity not in self.records:
                self.records[identity] = SpanRecord(identity, span.names[:depth], parent, now)
                if len(self.records) > _REMEMBERED:
                    self.records.popitem(last=False)
            parent = identity
        return self.records[parent]

    def finished(self, task: TaskState, start: float, stop: float) -> None:
        """Add the duration and result size of a finished task to its span."""
        span = task.options.span
        assert span is not None
        record = self.records.get(span.ids[-1])
        if record is None:
            return
        record.nbytes += task.nbytes
        if not start:
            return
        record.start = min(record.start or start, start)
        record.stop = max(record.stop, stop)
        prefix = task.group.prefix.name
        record.seconds[prefix] = record.seconds.get(prefix, 0.0) + stop - start

    def threads_changed(self, now: float, count: int) -> None:
        """Record the thread count from now on."""
        if not self.threads or self.threads[-1][1] != count:
            self.threads.append((now, count))
