"""Spans: what clients call parts of their programs, and what their tasks have taken so far.

Only tasks that were submitted in a span are counted, so that others cost nothing.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any, Final

from dagrpc_scheduler.core.events import SpanName
from dagrpc_scheduler.core.model import TaskState

_REMEMBERED: Final = 10_000
"""How many spans are remembered; the oldest goes first."""
_THREADS: Final = 1_000
"""How many changes of the number of threads are remembered."""


class SpanRecord:
    """One span, without those inside."""

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
        """Make a span that came about now."""
        self.id = identity
        self.name = name
        self.parent = parent
        """Id of the span around it; empty: none."""
        self.enqueued = now
        self.tasks = 0
        """How many tasks were ever in it."""
        self.groups: dict[str, None] = {}
        self.start = 0.0
        """When its first task began to run; 0: none has."""
        self.stop = 0.0
        """When its last task ended so far."""
        self.seconds: dict[str, float] = {}
        """What its tasks took, by kind of task."""
        self.nbytes = 0
        """Size of all its results so far."""
        self.metadata: dict[str, Any] = {}
        """What people noted about it."""


class SpanRegistry:
    """All spans that are remembered."""

    __slots__ = ("records", "threads")

    def __init__(self) -> None:
        """Know no spans yet."""
        self.records: OrderedDict[str, SpanRecord] = OrderedDict()
        self.threads: deque[tuple[float, int]] = deque(maxlen=_THREADS)
        """Since when the cluster has had how many threads."""

    def submitted(self, task: TaskState, now: float) -> None:
        """Count a new task that is in a span."""
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
        """Add what a task in a span has taken."""
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
        """Note how many threads there are from now on."""
        if not self.threads or self.threads[-1][1] != count:
            self.threads.append((now, count))
