"""Evicted workers: when each may come back, and when it may not any more."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from dagrpc._common.backoff import pause_after
from dagrpc.exceptions import DagrpcError, LimitReachedError, NotReadyError

_MOST: Final = 3
"""How many evictions within a period keep a worker from coming back."""
_PERIOD: Final = 600.0
"""Length of the period in seconds."""
_FIRST_PAUSE: Final = 1.0
"""Seconds that a worker must stay away after its first eviction; each further one doubles them."""
_REMEMBERED: Final = 1_000
"""How many workers are remembered."""


class WorkerEvictions:
    """When and why workers were evicted, by their session tokens, which they keep as long as their processes live."""

    def __init__(self) -> None:
        self._times: OrderedDict[bytes, list[float]] = OrderedDict()
        self._reasons: dict[bytes, DagrpcError] = {}

    def note(self, token: bytes, reason: DagrpcError, now: float) -> None:
        """Note an eviction."""
        if not token:
            return
        times = self._times.pop(token, [])
        self._times[token] = [*(when for when in times if when > now - _PERIOD), now]
        self._reasons[token] = reason
        if len(self._times) > _REMEMBERED:
            oldest, _ = self._times.popitem(last=False)
            del self._reasons[oldest]

    def check(self, token: bytes, now: float) -> None:
        """Raise `NotReadyError` if a worker must stay away longer, `LimitReachedError` if it may not return."""
        times = [when for when in self._times.get(token, ()) if when > now - _PERIOD]
        if not times:
            return
        if len(times) >= _MOST:
            raise LimitReachedError(
                f"the worker was evicted {len(times)} times within {_PERIOD:g} s, the last time because "
                f"{self._reasons[token]}. Raise the limit, or let the worker read more often: fewer threads, tasks "
                "that hold the interpreter for less time, a faster network"
            )
        if now < times[-1] + pause_after(len(times), _FIRST_PAUSE):
            raise NotReadyError("the worker was just evicted because it could not keep up; try again later")
