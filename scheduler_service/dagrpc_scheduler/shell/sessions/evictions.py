"""Workers that were cut off because they cannot keep up: when they may come back, and when not any more."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from dagrpc._common.backoff import pause_after
from dagrpc.exceptions import DagrpcError, LimitReachedError, NotReadyError

_TIMES: Final = 3
"""How often a worker may be cut off ..."""
_PERIOD: Final = 600.0
"""... within so many seconds, and come back."""
_FIRST_PAUSE: Final = 1.0
"""Seconds after which it may for the first time; then twice as many each time."""
_KEPT: Final = 1_000


class CutOffs:
    """When workers were cut off, and why. By a worker's secret, which it has for as long as its process lives."""

    def __init__(self) -> None:
        self._times: OrderedDict[bytes, list[float]] = OrderedDict()
        self._reasons: dict[bytes, DagrpcError] = {}

    def note(self, token: bytes, reason: DagrpcError, now: float) -> None:
        """Take note that a worker is cut off."""
        if not token:
            return
        times = self._times.pop(token, [])
        self._times[token] = [*(when for when in times if when > now - _PERIOD), now]
        self._reasons[token] = reason
        if len(self._times) > _KEPT:
            oldest, _ = self._times.popitem(last=False)
            del self._reasons[oldest]

    def check(self, token: bytes, now: float) -> None:
        """Raise if a worker that was cut off is not to come back now.

        Raises
        ------
        NotReadyError
            If it is to try again later: it would only be sent the same again, at once.
        LimitReachedError
            If it was cut off too often.
        """
        times = [when for when in self._times.get(token, ()) if when > now - _PERIOD]
        if not times:
            return
        if len(times) >= _TIMES:
            raise LimitReachedError(
                f"the worker was cut off {len(times)} times within {_PERIOD:g} s, the last time since "
                f"{self._reasons[token]}. Raise that limit, or have the worker do less that keeps it from reading: "
                "fewer threads, tasks that hold the interpreter for less time, a faster network"
            )
        if now < times[-1] + pause_after(len(times), _FIRST_PAUSE):
            raise NotReadyError("the worker was cut off just now, since it could not keep up; it may come back soon")
