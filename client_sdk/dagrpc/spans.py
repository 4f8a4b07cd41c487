"""Spans: named parts of a program, by which its tasks are measured."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["Span", "Spans", "span"]

MERGED = "(merged)"
_ACTIVE = ("waiting", "no-worker", "queued", "processing")


@contextlib.contextmanager
def span(*tags: str) -> Iterator[str]:
    """Put all tasks that a block makes into a span.

    Blocks nest: a task belongs to the innermost span and to the spans around it. A collection keeps the span in which
    it was made, wherever it is computed.

    Parameters
    ----------
    *tags : str
        Names; each name makes a span inside the span of the name before.

    Yields
    ------
    str
        Id of the innermost span.

    Raises
    ------
    ValueError
        If there is no tag.

    Examples
    --------
    >>> with span("training", "v2"):
    ...     future = client.submit(inc, 1, key="trained")
    >>> future.result()
    2
    >>> client.get_spans().merge_by_tags("training").duration >= 0
    True
    """
    if not tags:
        raise ValueError("Must specify at least one span tag")
    # A scheduler imports this module without dask.
    from dask.base import annotate, get_annotations

    outer = get_annotations().get("span") or {"name": (), "ids": ()}
    ids = tuple(str(uuid.uuid4()) for _ in tags)
    annotation = {"name": (*outer["name"], *map(str, tags)), "ids": (*outer["ids"], *ids)}
    with annotate(span=annotation):
        yield ids[-1]


class Span:
    """A span as the scheduler knew it when it was asked, with the spans inside. Made by `Client.get_spans`.

    Attributes
    ----------
    id : str
        The id that `span` yielded.
    name : tuple of str
        The tags, those of the spans around it first.
    parent : Span or None
        The span around it.
    children : list of Span
        The spans inside.
    enqueued : float
        When the scheduler got the first task, in seconds since the epoch.
    groups : set of str
        Names of the groups of tasks in this span, without those of spans inside.
    metadata : dict or None
        The metadata that `add_metadata` has added on the scheduler.
    code : list
        Empty: source code is not recorded.

    Examples
    --------
    >>> with span("training"):
    ...     with span("loading"):
    ...         future = client.submit(np.ones, 1000)
    >>> future.result().nbytes
    8000
    >>> found = client.get_spans().merge_by_tags("loading")
    >>> found.states["memory"], found.done, found.nbytes_total >= 8000, list(found.traverse_groups())
    (1, True, True, ['ones'])
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.id: str = facts["id"]
        self.name: tuple[str, ...] = tuple(facts["name"])
        self.parent: Span | None = None
        self.children: list[Span] = []
        self.enqueued: float = facts["enqueued"]
        self.groups: set[str] = set(facts["groups"])
        self.code: list[Any] = []
        self._parent_id: str = facts["parent"]
        self._start: float = facts["start"]
        self._stop: float = facts["stop"]
        self._states: dict[str, int] = dict(facts["states"])
        self._seconds: dict[str, float] = dict(facts["seconds"])
        self._nbytes: int = facts["nbytes"]
        self._threads: list[tuple[float, int]] = [(when, count) for when, count in facts["threads"]]
        self._now: float = facts["now"]
        # The record's own dict on the scheduler, so that additions last.
        self._metadata: dict[str, Any] = facts["metadata"]

    def __repr__(self) -> str:
        return f"Span<name={self.name!r}, id={self.id}>"

    @property
    def annotation(self) -> dict[str, tuple[str, ...]]:
        """The annotation of the span's tasks."""
        ids: list[str] = []
        found: Span | None = self
        while found is not None:
            ids.append(found.id)
            found = found.parent
        return {"name": self.name, "ids": tuple(reversed(ids))}

    @property
    def metadata(self) -> dict[str, Any] | None:
        """The metadata of the span."""
        return self._metadata or None

    def add_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Add metadata to the span. It lasts only for a span of ``dask_scheduler.extensions["spans"]``.

        Examples
        --------
        >>> with span("loading"):
        ...     future = client.submit(inc, 1)
        >>> loading = next(client.get_spans().find_by_tags("loading"))
        >>> loading.add_metadata({"dataset": "flights"})
        >>> loading.metadata
        {'dataset': 'flights'}
        """
        self._metadata.update(metadata)

    # --- with the spans inside -----------------------------------------------------------------------------------

    def traverse_spans(self) -> Iterator[Span]:
        """Yield this span and all spans inside it, outer ones first."""
        yield self
        for child in self.children:
            yield from child.traverse_spans()

    def traverse_groups(self) -> Iterator[str]:
        """Yield the names of the groups of tasks in this span and in those inside, each once."""
        yield from dict.fromkeys(name for found in self.traverse_spans() for name in sorted(found.groups))

    @property
    def start(self) -> float:
        """When the first task began to run, in seconds since the epoch; 0 if none has."""
        return min((found._start for found in self.traverse_spans() if found._start), default=0.0)

    @property
    def stop(self) -> float:
        """When the last task ended; the present while tasks are left."""
        return max((found._stop for found in self.traverse_spans()), default=0.0) if self.done else self._now

    @property
    def states(self) -> dict[str, int]:
        """Number of the span's tasks in each state."""
        return _added(found._states for found in self.traverse_spans())

    @property
    def done(self) -> bool:
        """Whether all tasks are done."""
        states = self.states
        return not any(states.get(state) for state in _ACTIVE)

    @property
    def all_durations(self) -> dict[str, float]:
        """Seconds that workers spent on the span's tasks, by activity."""
        return {"compute": self.duration}

    @property
    def duration(self) -> float:
        """Seconds that workers spent on the span's tasks, all activities together."""
        return sum(seconds for found in self.traverse_spans() for seconds in found._seconds.values())

    @property
    def nbytes_total(self) -> int:
        """Bytes of all results, including released ones."""
        return sum(found._nbytes for found in self.traverse_spans())

    @property
    def cumulative_worker_metrics(self) -> dict[tuple[str, str, str, str], float]:
        """Seconds that workers spent on the span's tasks, by prefix."""
        seconds = _added(found._seconds for found in self.traverse_spans())
        return {("execute", prefix, "compute", "seconds"): value for prefix, value in seconds.items()}

    @property
    def nthreads_intervals(self) -> list[tuple[float, float, int]]:
        """Threads of the cluster while the span was active, as tuples of start, end and number."""
        begin, end = min(found.enqueued for found in self.traverse_spans()), self.stop
        found: list[tuple[float, float, int]] = []
        threads = max((each._threads for each in self.traverse_spans()), key=len)
        for (since, count), (until, _) in zip(threads, [*threads[1:], (end, 0)], strict=True):
            since, until = max(since, begin), min(until, end)
            if since < until:
                found.append((since, until, count))
        return found

    @property
    def active_cpu_seconds(self) -> float:
        """Thread seconds of the cluster while the span was active."""
        return sum((until - since) * count for since, until, count in self.nthreads_intervals)

    @staticmethod
    def merge(*spans: Span) -> Span:
        """Return a span around several spans.

        Raises
        ------
        ValueError
            If there are none.

        Examples
        --------
        >>> for name in ("merge-1", "merge-2"):
        ...     with span(name):
        ...         client.submit(inc, name == "merge-1").result()
        2
        1
        >>> sum(Span.merge(*client.get_spans().find_by_tags("merge-1", "merge-2")).states.values())
        2
        """
        if not spans:
            raise ValueError("Nothing to merge")
        merged = Span(
            {
                "id": MERGED,
                "name": (MERGED,),
                "parent": "",
                "enqueued": min(found.enqueued for found in spans),
                "groups": (),
                "start": 0.0,
                "stop": 0.0,
                "nbytes": 0,
                "states": {},
                "seconds": {},
                "threads": (),
                "now": max(found._now for found in spans),
                "metadata": {},
            }
        )
        merged.children = list(spans)
        return merged


def _added(counts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    total: dict[str, Any] = {}
    for each in counts:
        for name, value in each.items():
            total[name] = total.get(name, 0) + value
    return total


class Spans:
    """All spans that the scheduler remembered when it was asked.

    Attributes
    ----------
    spans : dict
        Spans by id, in the order in which the scheduler got them.
    root_spans : list of Span
        The spans that are inside no other.
    spans_search_by_name, spans_search_by_tag : dict
        Lists of spans by all their tags, and by any.

    Examples
    --------
    >>> with span("training"):
    ...     future = client.submit(inc, 1)
    >>> spans = client.get_spans()
    >>> spans.root_spans
    [Span<name=('training',), id=...>...]
    """

    def __init__(self, facts: Iterable[Mapping[str, Any]]) -> None:
        self.spans: dict[str, Span] = {each["id"]: Span(each) for each in facts}
        self.root_spans: list[Span] = []
        self.spans_search_by_name: dict[tuple[str, ...], list[Span]] = {}
        self.spans_search_by_tag: dict[str, list[Span]] = {}
        for found in self.spans.values():
            found.parent = self.spans.get(found._parent_id)
            (found.parent.children if found.parent is not None else self.root_spans).append(found)
            self.spans_search_by_name.setdefault(found.name, []).append(found)
            for tag in dict.fromkeys(found.name):
                self.spans_search_by_tag.setdefault(tag, []).append(found)

    def find_by_tags(self, *tags: str) -> Iterator[Span]:
        """Yield the spans with any of some tags, without spans inside of a yielded one.

        Examples
        --------
        >>> with span("searched"):
        ...     future = client.submit(inc, 1)
        >>> list(client.get_spans().find_by_tags("searched"))
        [Span<name=('searched',), id=...>]
        """
        wanted = set(tags)
        found = {id(each): each for tag in tags for each in self.spans_search_by_tag.get(tag, ())}
        for each in found.values():
            if each.parent is None or not wanted.intersection(each.parent.name):
                yield each

    def merge_by_tags(self, *tags: str) -> Span:
        """Return the spans with any of some tags as one span.

        Raises
        ------
        ValueError
            If there are none.

        Examples
        --------
        >>> with span("merged"):
        ...     future = client.submit(np.ones, 1000)
        >>> future.result().nbytes
        8000
        >>> client.get_spans().merge_by_tags("merged").nbytes_total >= 8000
        True
        """
        return Span.merge(*self.find_by_tags(*tags))

    def merge_all(self) -> Span:
        """Return all spans as one span.

        Raises
        ------
        ValueError
            If there are none.

        Examples
        --------
        >>> with span("one of all"):
        ...     future = client.submit(inc, 1)
        >>> future.result()
        2
        >>> client.get_spans().merge_all().done
        True
        """
        return Span.merge(*self.root_spans)
