"""The spans as code on the scheduler sees them: ``dask_scheduler.extensions["spans"]``."""

from __future__ import annotations

import time
from collections.abc import Iterator

from dagrpc.spans import Span, Spans
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.core.span_views import span_facts


class SpanExtension:
    """Shows the scheduler's spans; each call makes new ones from the current state."""

    def __init__(self, core: SchedulerCore) -> None:
        self._core = core

    def _now(self) -> Spans:
        return Spans(span_facts(self._core, time.time()))

    @property
    def spans(self) -> dict[str, Span]:
        """All spans by id, the oldest first."""
        return self._now().spans

    @property
    def root_spans(self) -> list[Span]:
        """The spans that are in no other span."""
        return self._now().root_spans

    @property
    def spans_search_by_name(self) -> dict[tuple[str, ...], list[Span]]:
        """Spans by the full tuple of their tags."""
        return self._now().spans_search_by_name

    @property
    def spans_search_by_tag(self) -> dict[str, list[Span]]:
        """Spans by each of their tags."""
        return self._now().spans_search_by_tag

    def find_by_tags(self, *tags: str) -> Iterator[Span]:
        """Yield the outermost spans that have any of these tags."""
        return self._now().find_by_tags(*tags)

    def merge_by_tags(self, *tags: str) -> Span:
        """Return the sum of the spans that have any of these tags."""
        return self._now().merge_by_tags(*tags)

    def merge_all(self) -> Span:
        """Return the sum of all spans."""
        return self._now().merge_all()
