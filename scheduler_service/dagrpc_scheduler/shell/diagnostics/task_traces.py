"""The spans of a scheduler for OpenTelemetry: how long traced tasks waited before each run, and why they never ran.

The span ``wait PREFIX`` is a child of the span in the task's annotations, as the run's is. It begins when the task
begins to wait and ends when the task is given to a worker. A failure that no worker reports, such as that of a task
that killed its workers, stands in this span.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dagrpc import config
from dagrpc._common.keys import prefix_name
from dagrpc._tracing import provider
from dagrpc._tracing.carrier import headers_of
from dagrpc._tracing.provider import nanoseconds
from dagrpc_scheduler.core.instructions import CoreFailure
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.core.model import ACTIVE, ERRED, PROCESSING, TaskState

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

logger = logging.getLogger("dagrpc.scheduler")


@dataclass(slots=True)
class _Wait:
    """A traced task that waits, or runs."""

    parent: Context
    since: float
    """When it began to wait, or was given to a worker, in seconds since the epoch."""
    states: list[tuple[str, float]] = field(default_factory=list)
    """The states in which it waited, with the times at which it came into each; none: it runs."""


class TaskTraces:
    """Makes the spans of one scheduler."""

    def __init__(self, core: SchedulerCore) -> None:
        self._tasks = core.tasks
        self._waits: dict[str, _Wait] = {}

    def follow(self, entry: tuple[float, str, str, str, str, str]) -> None:
        """Take a transition of a task. Called in the middle of it."""
        now, key, _, finish, worker, _ = entry
        try:
            task = self._tasks.get(key)
            if finish in ACTIVE and task is not None:
                self._active(now, key, finish, worker, task)
            elif key in self._waits:
                self._ended(now, key, finish, task)
        except Exception:
            logger.exception("There is no span for task %s becoming %s", key, finish)

    def _active(self, now: float, key: str, finish: str, worker: str, task: TaskState) -> None:
        """Note that a task waits, or is given to a worker."""
        wait = self._waits.get(key) or self._new(now, key, task)
        if wait is None:
            return
        if finish == PROCESSING:
            span = self._span(now, key, wait)
            if span is not None:
                span.set_attribute("dagrpc.worker.address", worker)
                span.set_attribute("dagrpc.task.run", task.run_id)
                span.end(nanoseconds(now))
            wait.states, wait.since = [], now
            return
        wait.since = wait.since if wait.states else now
        wait.states.append((finish, now))

    def _new(self, now: float, key: str, task: TaskState) -> _Wait | None:
        annotations = task.options.annotations
        headers = headers_of(annotations) if annotations else {}
        if not headers:
            return None
        from dagrpc._tracing.spans import is_sampled, parent_in

        parent = parent_in(headers)
        if parent is None or not is_sampled(parent):
            return None
        wait = self._waits[key] = _Wait(parent, now)
        return wait

    def _ended(self, now: float, key: str, finish: str, task: TaskState | None) -> None:
        """Take a task that neither waits nor runs any more: it is done, has failed, or nobody wants it."""
        wait = self._waits.pop(key)
        error = task.error if task is not None and finish == ERRED else None
        lost = error is not None and isinstance(error.failure, CoreFailure)
        # What a worker reports of a run stands in the span of the run.
        span = self._span(now, key, wait) if wait.states or lost else None
        if span is None:
            return
        if error is not None:
            self._fail(span, key, error, now)
        else:
            span.set_attribute("dagrpc.task.state", finish)
        span.end(nanoseconds(now))

    def _fail(self, span: Span, key: str, error: Any, now: float) -> None:
        from opentelemetry.trace import Status, StatusCode

        from dagrpc._tracing.spans import fail
        from dagrpc_scheduler.shell.sessions.translate_out import failure_message

        if error.origin_key != key:
            span.set_status(Status(StatusCode.ERROR, f"its dependency {error.origin_key[:200]!r} failed"))
            span.set_attribute("dagrpc.task.origin", error.origin_key)
            return
        failure = failure_message(error.failure, key)
        if failure.worker:
            span.set_attribute("dagrpc.worker.address", failure.worker)
        fail(span, failure.type_name, failure.message, failure.traceback_text, nanoseconds(now))

    def _span(self, now: float, key: str, wait: _Wait) -> Span | None:
        """Begin a span at the time at which a task began to wait."""
        tracer: Tracer | None = provider.tracer("scheduler")
        if tracer is None:
            return None
        from dagrpc._tracing.spans import task_attributes

        attributes = {**task_attributes(key), "messaging.operation.name": "wait"}
        name = f"wait {prefix_name(key)}"
        span = tracer.start_span(name, wait.parent, attributes=attributes, start_time=nanoseconds(wait.since))
        for state, when in wait.states:
            span.add_event(state, timestamp=nanoseconds(when))
        return span


def begin(core: SchedulerCore) -> None:
    """Make spans from now on, if tracing is switched on."""
    if config.get("tracing.enabled"):
        core.state.story.follow(TaskTraces(core).follow)
