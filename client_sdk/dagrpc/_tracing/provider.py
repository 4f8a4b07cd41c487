"""The tracers of a process. OpenTelemetry is imported when one is first wanted, and only if `tracing.enabled` is set.

A program that has set up OpenTelemetry keeps its provider. Otherwise dagrpc makes one, as the variables ``OTEL_*`` say:
in a service's own process it is the provider of everything, so that spans of user code are exported, too; in a program
it is for the spans of dagrpc only, since the program may still set one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from dagrpc import config
from dagrpc._process.at_exit import before_threads_end

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

logger = logging.getLogger("dagrpc.tracing")

_lock = threading.Lock()
_tracers: dict[tuple[int, str], tuple[Any, Tracer]] = {}
"""Tracers with their providers, by provider and part: making one takes as long as a span."""
_made: list[Made] = []
"""The provider that dagrpc has made, if it has."""
_own_process = False


class Made:
    """A provider that dagrpc has made, with its exporters."""

    def __init__(self, part: str) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        from dagrpc._tracing.exporting import PatientExporter, exporters, silence_chatter

        silence_chatter()
        self.exporters = [PatientExporter(exporter) for exporter in exporters()]
        # At the interpreter's end, the SDK's own handler would wait for half a minute.
        self.provider: TracerProvider = TracerProvider(resource=Resource.create(_facts(part)), shutdown_on_exit=False)
        for exporter in self.exporters:
            self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self._process = os.getpid()
        before_threads_end(self.close)

    def flush(self) -> None:
        """Export all spans, within `tracing.flush-timeout`."""
        self._within_limit(self.provider.force_flush)

    def close(self) -> None:
        """Export all spans, within `tracing.flush-timeout`, and no more from then on."""
        if self._process == os.getpid():
            self._within_limit(self.provider.shutdown)
            for exporter in self.exporters:
                exporter.shutdown()

    def _within_limit(self, function: Any) -> None:
        thread = threading.Thread(target=function, name="dagrpc-span-export", daemon=True)
        thread.start()
        thread.join(config.get_seconds("tracing.flush-timeout") or 0.0)


def in_own_process() -> None:
    """Note that this process is a service's own: the provider that dagrpc makes is that of all code."""
    global _own_process
    _own_process = True


def tracer(part: str) -> Tracer | None:
    """Return the tracer of a part of dagrpc: ``client``, ``scheduler``, ``worker``; None if there are no traces."""
    if not config.get("tracing.enabled"):
        return None
    try:
        from opentelemetry.trace import ProxyTracerProvider, get_tracer_provider

        provider: Any = get_tracer_provider()
        if isinstance(provider, ProxyTracerProvider):
            provider = _make(part).provider
    except (ImportError, ValueError) as error:
        _warn(str(error))
        return None
    known = _tracers.get((id(provider), part))
    if known is None:
        known = _tracers[id(provider), part] = (provider, provider.get_tracer(f"dagrpc.{part}"))
    return known[1]


async def flush() -> None:
    """Export the spans that are left, if the provider is dagrpc's own. Waits for `tracing.flush-timeout` at most."""
    for made in _made:
        await asyncio.to_thread(made.flush)


def _make(part: str) -> Made:
    from opentelemetry import trace

    with _lock:
        if not _made:
            _made.append(Made(part))
            if _own_process:
                trace.set_tracer_provider(_made[0].provider)
        return _made[0]


def _facts(part: str) -> dict[str, str | int]:
    """Return what is said of the process, beyond what the environment says."""
    facts: dict[str, str | int] = {"process.pid": os.getpid()}
    if not os.environ.get("OTEL_SERVICE_NAME") and "service.name=" not in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    ):
        facts["service.name"] = f"dagrpc-{part}"
    return facts


@cache
def _warn(problem: str) -> None:
    """Tell once that there are no traces."""
    logger.warning(
        "tracing.enabled is set, but there are no traces: %s. OpenTelemetry comes with: pip install 'dagrpc[otel]'",
        problem,
    )


def nanoseconds(seconds: float | None = None) -> int:
    """Return a time as OpenTelemetry takes it; by default the present."""
    return time.time_ns() if seconds is None else int(seconds * 1e9)
