"""Spans and the headers that carry them: what the modules that make spans have in common."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, Status, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from dagrpc._common.addresses import split_address
from dagrpc._common.keys import prefix_name
from dagrpc._tracing.carrier import Headers

_W3C = TraceContextTextMapPropagator()
SYSTEM = "dagrpc"
"""The value of `messaging.system`."""


def headers_from(span: Span) -> Headers:
    """Return the headers that name a span as the parent; empty if the span belongs to no trace."""
    headers: dict[str, str] = {}
    _W3C.inject(headers, set_span_in_context(span))
    return headers


def parent_in(headers: Headers) -> Context | None:
    """Return the context whose span the headers name; None if they name none."""
    context = _W3C.extract(headers)
    return context if get_current_span(context).get_span_context().is_valid else None


def span_context(headers: Headers) -> SpanContext | None:
    """Return the span that headers name; None if they name none."""
    context = parent_in(headers)
    return None if context is None else get_current_span(context).get_span_context()


def is_sampled(context: Context) -> bool:
    """Return whether the trace of a context is recorded."""
    return get_current_span(context).get_span_context().trace_flags.sampled


def fail(span: Span, type_name: str, message: str, stacktrace: str = "", when: int | None = None) -> None:
    """Give a span the status of an error, with the event that semantic conventions have for exceptions."""
    type_name = type_name.removeprefix("builtins.")
    span.set_status(Status(StatusCode.ERROR, f"{type_name}: {message}"))
    span.set_attribute("error.type", type_name)
    event = {"exception.type": type_name, "exception.message": message, "exception.stacktrace": stacktrace}
    span.add_event("exception", {name: value for name, value in event.items() if value}, when)


def task_attributes(key: str) -> dict[str, str]:
    """Return the attributes of all spans of a task, by its key."""
    return {
        "messaging.system": SYSTEM,
        "messaging.message.id": key,
        "dagrpc.task.key": key,
        "dagrpc.task.prefix": prefix_name(key),
    }


def server_attributes(address: str) -> dict[str, str | int]:
    """Return the attributes for a peer's address."""
    host, port = split_address(address)
    return {"server.address": host, "server.port": port} if port else {"server.address": host}
