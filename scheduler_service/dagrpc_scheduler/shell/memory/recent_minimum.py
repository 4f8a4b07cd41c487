"""The least of recent measurements."""

from __future__ import annotations

from collections import deque


class RecentMinimum:
    """The least value within the last `window` seconds.

    >>> recent = RecentMinimum(30.0)
    >>> for now, value in ((0.0, 5), (10.0, 8), (20.0, 7), (35.0, 9)):
    ...     recent.add(now, value)
    >>> recent.value
    7
    """

    def __init__(self, window: float) -> None:
        self._window = window
        # The values rise: one that a later value undercuts can never be the least again.
        self._values: deque[tuple[float, int]] = deque()

    def add(self, now: float, value: int) -> None:
        """Note a value."""
        values = self._values
        while values and values[-1][1] >= value:
            values.pop()
        values.append((now, value))
        while values[0][0] < now - self._window:
            values.popleft()

    @property
    def value(self) -> int | None:
        """The least value; None if there is none."""
        return self._values[0][1] if self._values else None
