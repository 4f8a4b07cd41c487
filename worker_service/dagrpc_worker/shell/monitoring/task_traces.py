"""The spans of a worker for OpenTelemetry: of the runs of traced tasks, and of the transfers that these waited for.

A run's span is a child of the span in its task's annotations, and has links to the spans that made its dependencies.
Those of other workers come with the data (`ManifestEntry.traceparent`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from dagrpc import config
from dagrpc._common.keys import prefix_name
from dagrpc._tracing import provider
from dagrpc._tracing.carrier import headers_of
from dagrpc._tracing.provider import nanoseconds
from dagrpc_worker.core import events
from dagrpc_worker.core.instructions import Execute
from dagrpc_worker.execute.runner import TaskRunner
from dagrpc_worker.servicers.data_transfers import DataServicer
from dagrpc_worker.shell.fetch.fetcher import Decoded, Fetcher
from dagrpc_worker.shell.worker_record import WorkerRecord

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span, Tracer

logger = logging.getLogger("dagrpc.worker")

T = TypeVar("T")

_lock = threading.Lock()
_RESULTS = 100_000
"""How many results are remembered with the span that made them."""
_FETCHED = 10_000
"""How many received results are remembered with their transfer."""
_METHOD = "FetchData"
_ENDS = (events.ExecuteSucceeded, events.ExecuteFailed, events.ExecuteRescheduled, events.ExecuteSkipped)


@dataclass(slots=True)
class _Transfer:
    """A transfer of results from another worker."""

    source: str
    start: float
    stop: float
    sizes: Mapping[str, int]
    told: set[int] = field(default_factory=set)
    """The traces that have a span of it."""


class TaskTraces:
    """Makes the spans of one worker. From any thread.

    Attributes
    ----------
    made : dict
        The spans in which results were made, as headers by key.
    """

    def __init__(self, record: WorkerRecord) -> None:
        self.made: dict[str, str] = {}
        self._record = record
        self._runs: dict[tuple[str, int], Span] = {}
        self._fetched: dict[str, _Transfer] = {}

    # --- runs ----------------------------------------------------------------------------------------------------

    def begin(self, task: Execute, start: float) -> None:
        """Begin the span of a run, if its task belongs to a trace. The event that ends the run ends the span."""
        try:
            # For tasks without a trace, too: this sets up the provider that spans of user code go to.
            tracer = provider.tracer("worker")
            if tracer is not None and task.annotations:
                self._begin(tracer, task, start)
        except Exception:
            # The task has to run in any case.
            logger.exception("The span of task %s was not begun", task.key)

    def _begin(self, tracer: Tracer, task: Execute, start: float) -> None:
        from opentelemetry.trace import SpanKind

        from dagrpc._tracing.spans import is_sampled, parent_in, task_attributes

        parent = parent_in(headers_of(task.annotations))
        if parent is None:
            return
        links: list[Link] = []
        attributes: dict[str, Any] = {}
        if is_sampled(parent):
            self._tell_transfers(tracer, parent, task.dependencies)
            links = list(self._links(task.dependencies))
            attributes = {
                **task_attributes(task.key),
                "messaging.operation.name": "run",
                "messaging.operation.type": "process",
                "dagrpc.task.run": task.run_id,
                "dagrpc.worker.name": self._record.name,
                "dagrpc.worker.address": self._record.address,
            }
        name = f"run {prefix_name(task.key)}"
        span = tracer.start_span(name, parent, SpanKind.CONSUMER, attributes, links, nanoseconds(start))
        self._runs[task.key, task.run_id] = span

    def enter(self, task: Execute) -> None:
        """Make the span of a run, if it has one, the current span of the present context."""
        span = self._runs.get((task.key, task.run_id))
        if span is not None:
            from opentelemetry.context import attach
            from opentelemetry.trace import set_span_in_context

            attach(set_span_in_context(span))

    def watching(self, post: Callable[[events.Event], None]) -> Callable[[events.Event], None]:
        """Return a function that posts events, and ends the spans of the runs that they end."""

        def watch(event: events.Event) -> None:
            if isinstance(event, _ENDS):
                try:
                    self._ended(event)
                except Exception:
                    logger.exception("The span of task %s was not ended", event.key)
            post(event)

        return watch

    def _ended(self, event: Any) -> None:
        span = self._runs.pop((event.key, event.run_id), None)
        _drop(self.made, event.key)
        if span is None:
            return
        from dagrpc._tracing.spans import fail, headers_from

        stop: int | None = None
        match event:
            case events.ExecuteSucceeded():
                stop = nanoseconds(event.stop)
                span.set_attribute("dagrpc.result.type", event.type_name)
                span.set_attribute("dagrpc.result.nbytes", event.nbytes)
                if span.is_recording():
                    _keep(self.made, event.key, headers_from(span).get("traceparent", ""), _RESULTS)
            case events.ExecuteFailed():
                stop = nanoseconds(event.stop) if event.stop else None
                failure = event.failure
                fail(span, failure.type_name, failure.message, failure.traceback_text, stop)
            case events.ExecuteRescheduled():
                span.add_event("rescheduled")
            case events.ExecuteSkipped():
                span.add_event("cancelled")
        span.end(stop)

    def _links(self, keys: Sequence[str]) -> Iterator[Link]:
        from opentelemetry.trace import Link

        from dagrpc._tracing.spans import span_context

        for key in keys:
            traceparent = self.made.get(key)
            context = span_context({"traceparent": traceparent}) if traceparent else None
            if context is not None:
                yield Link(context, {"dagrpc.task.key": key})

    # --- transfers -----------------------------------------------------------------------------------------------

    def transferred(self, source: str, start: float, stop: float, decoded: Decoded) -> None:
        """Note a transfer, for the spans of the tasks that use its results."""
        transfer = _Transfer(source, start, stop, decoded.sizes)
        for key in decoded.sizes:
            _keep(self._fetched, key, transfer, _FETCHED)
            _drop(self.made, key)
        for key, traceparent in decoded.traceparents.items():
            _keep(self.made, key, traceparent, _RESULTS)

    def _tell_transfers(self, tracer: Tracer, parent: Context, keys: Sequence[str]) -> None:
        """Make a span of each transfer that brought some results, in each trace that uses them."""
        if not self._fetched:
            return
        from opentelemetry.trace import SpanKind, get_current_span

        from dagrpc._tracing.spans import server_attributes

        trace = get_current_span(parent).get_span_context().trace_id
        for key in keys:
            transfer = self._fetched.get(key)
            if transfer is None or trace in transfer.told:
                continue
            transfer.told.add(trace)
            attributes: dict[str, Any] = {
                "rpc.system": "grpc",
                "rpc.service": "dagrpc.v1.WorkerService",
                "rpc.method": _METHOD,
                **server_attributes(transfer.source),
                "dagrpc.transfer.results": len(transfer.sizes),
                "dagrpc.transfer.nbytes": sum(transfer.sizes.values()),
                "dagrpc.worker.name": self._record.name,
                "dagrpc.worker.address": self._record.address,
            }
            name = f"dagrpc.v1.WorkerService/{_METHOD}"
            links = list(self._links(list(transfer.sizes)))
            span = tracer.start_span(name, parent, SpanKind.CLIENT, attributes, links, nanoseconds(transfer.start))
            span.end(nanoseconds(transfer.stop))

    # --- the end -------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """End the spans of the runs that go on, and export all spans."""
        while self._runs:
            _, span = self._runs.popitem()
            span.add_event("the worker closed while the task ran")
            span.end()
        await provider.flush()


def _keep(kept: dict[str, T], key: str, value: T, limit: int) -> None:
    """Add an entry to a table, in place of the oldest one if the table is full."""
    with _lock:
        if len(kept) >= limit and key not in kept:
            kept.pop(next(iter(kept)))
        kept[key] = value


def _drop(kept: dict[str, T], key: str) -> None:
    with _lock:
        kept.pop(key, None)


def begin(
    record: WorkerRecord, runner: TaskRunner, fetcher: Fetcher, data: DataServicer, cleanup: AsyncExitStack
) -> None:
    """Make the spans of a worker from now on, if tracing is switched on."""
    if not config.get("tracing.enabled"):
        return
    traces = TaskTraces(record)
    runner.trace(traces)
    fetcher.on_transfer = traces.transferred
    data.traceparents = traces.made
    cleanup.push_async_callback(traces.close)
