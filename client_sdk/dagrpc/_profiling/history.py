"""Profiles over time in bounded memory: older profiles have a coarser resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType

from dagrpc._profiling.trees import Profile, add_stack, merge, new_profile

OTHERS = "(others)"
"""The name under which prefixes with few samples are counted together when there are too many prefixes."""


@dataclass(slots=True)
class Span:
    """The profiles of one interval of time, by prefix."""

    start: float
    stop: float
    profiles: dict[str, Profile] = field(default_factory=dict)


class ProfileHistory:
    """Counts samples by prefix and by time.

    When there are more than `spans` spans, pairs of neighbours in the older half are merged: all samples are kept, but
    the older ones have a lower resolution in time.

    Parameters
    ----------
    cycle : float
        Length of a new span, in seconds.
    spans : int
        Maximum number of spans.
    prefixes : int
        Maximum number of prefixes in a span.
    """

    def __init__(self, cycle: float, spans: int = 600, prefixes: int = 200) -> None:
        self._cycle = cycle
        self._limit = spans
        self._prefixes = prefixes
        self._spans: list[Span] = []

    def __len__(self) -> int:
        return len(self._spans)

    def add(self, prefix: str, frames: Sequence[FrameType], now: float) -> None:
        """Count a sample: the stack at the time `now`, outermost frame first."""
        span = self._spans[-1] if self._spans else None
        if span is None or not span.start <= now < span.start + self._cycle:
            span = Span(now, now)
            self._spans.append(span)
            if len(self._spans) > self._limit:
                self._condense()
        span.stop = now
        profile = span.profiles.get(prefix)
        if profile is None:
            if len(span.profiles) >= self._prefixes:
                prefix = OTHERS
            profile = span.profiles.setdefault(prefix, new_profile())
        add_stack(profile, frames)

    def get(self, prefix: str = "", start: float = 0.0, stop: float = 0.0) -> Profile:
        """Return the sum of the samples of a prefix, or of all prefixes if it is empty.

        Spans that overlap with the time from `start` to `stop` count; a bound of 0 is none.
        """
        return merge(
            profile
            for span in self._spans
            if span.stop >= start and (not stop or span.start <= stop)
            for name, profile in span.profiles.items()
            if not prefix or name == prefix
        )

    def _condense(self) -> None:
        half = len(self._spans) // 4 * 2
        pairs = zip(self._spans[0:half:2], self._spans[1:half:2], strict=True)
        self._spans[:half] = [self._join(first, second) for first, second in pairs]

    def _join(self, first: Span, second: Span) -> Span:
        profiles: dict[str, list[Profile]] = {}
        for span in (first, second):
            for prefix, profile in span.profiles.items():
                profiles.setdefault(prefix, []).append(profile)
        if len(profiles) > self._prefixes:
            ranked = sorted(profiles, key=lambda prefix: -sum(each["count"] for each in profiles[prefix]))
            rest = [profile for prefix in ranked[self._prefixes - 1 :] for profile in profiles.pop(prefix)]
            profiles.setdefault(OTHERS, []).extend(rest)
        return Span(first.start, second.stop, {prefix: merge(each) for prefix, each in profiles.items()})
