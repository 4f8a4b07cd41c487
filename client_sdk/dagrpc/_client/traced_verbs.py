"""The calls of a client that make spans. This module is imported, and wraps them, once tracing is switched on.

A call that submits tasks hands its span on as their parent, see `carrier`; `gather` and `scatter` move data only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

from dagrpc._client.call_tokens import function_name
from dagrpc._client.client_core import core_of
from dagrpc._common.keys import encode_key
from dagrpc._common.remote_raise import at_surface
from dagrpc._tracing import carrier, provider
from dagrpc.future import Future

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Span, Tracer

_SENDS = ("submit", "map", "submit_call", "compute", "persist", "get")
_MOVES = ("gather", "scatter")


def install(client: type) -> None:
    """Wrap the verbs of the client's class, once."""
    for verb in (*_SENDS, *_MOVES):
        function = vars(client)[verb]
        if not hasattr(function, "traced_verb"):
            setattr(client, verb, _traced(function, verb))


def _traced(function: Callable[..., Any], verb: str) -> Callable[..., Any]:
    @wraps(function)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        tracer = provider.tracer("client")
        if tracer is None:
            return function(self, *args, **kwargs)
        span = _begin(tracer, self, verb, args, kwargs)
        with _within(span):
            result = function(self, *args, **kwargs)
            if inspect.iscoroutine(result):
                return _finish(span, result)
            _describe(span, result)
        span.end()
        return result

    surface = at_surface(call)
    surface.traced_verb = verb  # type: ignore[attr-defined]
    return surface


def _begin(tracer: Tracer, client: Any, verb: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Span:
    from opentelemetry.trace import SpanKind

    from dagrpc._tracing.spans import SYSTEM, server_attributes

    subject = args[0] if args else kwargs.get("func")
    attributes = {
        "messaging.system": SYSTEM,
        "messaging.operation.name": verb,
        "messaging.operation.type": "receive" if verb == "gather" else "send",
        "messaging.client.id": client.id,
        **server_attributes(core_of(client).session.address),
    }
    name = verb
    if verb in ("submit", "map") and callable(subject):
        name = f"{verb} {function_name(subject)}"
        attributes["code.function.name"] = _qualified(subject)
    elif verb == "submit_call" and isinstance(subject, str):
        name = f"submit {subject}"
        attributes["code.function.name"] = subject
    elif verb == "gather" and isinstance(subject, (list, tuple, set, frozenset, dict)):
        attributes["messaging.batch.message_count"] = len(subject)
    kind = SpanKind.PRODUCER if verb in _SENDS else SpanKind.CLIENT
    return tracer.start_span(name, kind=kind, attributes=attributes)


def _qualified(function: Any) -> str:
    name = getattr(function, "__qualname__", None) or function_name(function)
    return f"{getattr(function, '__module__', None) or type(function).__module__}.{name}"


@contextmanager
def _within(span: Span) -> Iterator[None]:
    """Make a span the current one, and the parent of the tasks that a block submits; end it if the block raises."""
    from opentelemetry.trace import use_span

    from dagrpc._tracing.spans import headers_from

    token = carrier.carried.set(headers_from(span))
    try:
        with use_span(span):
            yield
    except BaseException:
        span.end()
        raise
    finally:
        carrier.carried.reset(token)


async def _finish(span: Span, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Await a call of a client on an event loop."""
    with _within(span):
        result = await coroutine
    span.end()
    return result


def _describe(span: Span, result: Any) -> None:
    """Add what is known once the tasks are submitted."""
    if type(result) is Future:
        span.set_attribute("messaging.message.id", encode_key(result.key))
    elif type(result) is list and result and type(result[0]) is Future:
        span.set_attribute("messaging.batch.message_count", len(result))
