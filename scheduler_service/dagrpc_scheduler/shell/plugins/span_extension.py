"""The spans as code on the scheduler sees them: ``dask_scheduler.extensions["spans"]``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dagrpc.spans import Span, Spans
from dagrpc_scheduler.core.span_views import span_facts

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService


class SpanExtension:
    """Looks at the scheduler's spans, each time anew.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service

    def _now(self) -> Spans:
        return Spans(span_facts(self._service.core, time.time()))

    @property
    def spans(self) -> dict[str, Span]:
        """All spans by id, in the order in which they came."""
        return self._now().spans

    @property
    def root_spans(self) -> list[Span]:
        """Those that are in no other."""
        return self._now().root_spans

    @property
    def spans_search_by_name(self) -> dict[tuple[str, ...], list[Span]]:
        """Lists of spans by all their tags."""
        return self._now().spans_search_by_name

    @property
    def spans_search_by_tag(self) -> dict[str, list[Span]]:
        """Lists of spans by any of their tags."""
        return self._now().spans_search_by_tag

    def find_by_tags(self, *tags: str) -> Iterator[Span]:
        """Yield the spans that have any of some tags; not those inside of one that has."""
        return self._now().find_by_tags(*tags)

    def merge_by_tags(self, *tags: str) -> Span:
        """Return the spans that have any of some tags as one."""
        return self._now().merge_by_tags(*tags)

    def merge_all(self) -> Span:
        """Return all spans as one."""
        return self._now().merge_all()
