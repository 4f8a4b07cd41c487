"""Exporters as the environment names them, and how they fail: told once, and at the end for a short time only."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

logger = logging.getLogger("dagrpc.tracing")

_GROUP = "opentelemetry_traces_exporter"
_PROTOCOLS = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}
_CHATTER = ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal")
_PAUSE = 30.0
"""Seconds after a failure in which spans are dropped rather than offered again."""


def exporters() -> Iterator[SpanExporter]:
    """Yield the exporters of `OTEL_TRACES_EXPORTER`, by default `otlp`; raise `ValueError` if one is not installed."""
    for name in (os.environ.get("OTEL_TRACES_EXPORTER") or "otlp").split(","):
        name = name.strip()
        if name in ("", "none"):
            continue
        if name == "otlp":
            variables = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
            protocol = next(filter(None, map(os.environ.get, variables)), "grpc").strip()
            name = _PROTOCOLS.get(protocol, protocol)
        found = tuple(entry_points(group=_GROUP, name=name))
        if not found:
            raise ValueError(
                f"the exporter {name!r} is not installed (OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_PROTOCOL)"
            )
        yield found[0].load()()


class PatientExporter(SpanExporter):
    """Hands spans to an exporter; one that fails gets none for a while, and the log says so once.

    The exporter itself would log each attempt, and spend seconds on each.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._failed_at: float | None = None
        self._told = False
        self._ended = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans, unless the exporter has just failed."""
        if self._ended.is_set() or (self._failed_at is not None and time.monotonic() - self._failed_at < _PAUSE):
            return SpanExportResult.FAILURE
        try:
            outcome = self._exporter.export(spans)
        except Exception as error:
            logger.debug("Spans were not exported", exc_info=error)
            outcome = SpanExportResult.FAILURE
        if outcome is SpanExportResult.SUCCESS:
            self._failed_at = None
        elif not self._ended.is_set():
            self._failed_at = time.monotonic()
            self._tell()
        return outcome

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            where = getattr(self._exporter, "_endpoint", "") or type(self._exporter).__name__
            logger.warning(
                "Spans cannot be exported to %s (OTEL_EXPORTER_OTLP_ENDPOINT): they are lost until it can be reached. "
                "This is said once.",
                where,
            )

    def end(self) -> None:
        """Give up what is being exported, and export nothing any more."""
        self._ended.set()
        self._exporter.shutdown()

    def shutdown(self) -> None:
        """End, if that has not been done."""
        if not self._ended.is_set():
            self.end()


def silence_chatter() -> None:
    """Keep what exporters log about each attempt out of the log."""
    for name in _CHATTER:
        logging.getLogger(name).setLevel(logging.CRITICAL)
