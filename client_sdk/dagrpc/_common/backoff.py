"""Exponential back-off: how long to pause between attempts."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator


def pause_after(failures: int, first: float, longest: float = math.inf) -> float:
    """Return the pause in seconds after one or more failures in a row: `first`, then twice as long each time."""
    # A larger exponent changes nothing but overflows some day.
    return min(first * 2.0 ** min(failures - 1, 60), longest)


def pauses(first: float, longest: float = math.inf, *, jitter: bool = False) -> Iterator[float]:
    """Yield pauses in seconds without end, each twice as long as the one before, up to `longest`.

    With `jitter` each pause is cut to a random part, at least one half: peers that failed together try again at
    different times.
    """
    failures = 0
    while True:
        failures += 1
        yield pause_after(failures, first, longest) * (random.uniform(0.5, 1.0) if jitter else 1.0)
