"""Counts of measurements by class of size, as Prometheus' histograms have them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


class Histogram:
    """Counts measurements by class, and adds them up.

    Parameters
    ----------
    bounds : sequence of float
        Upper bounds of the classes, ascending. Larger measurements are in one more class.

    Examples
    --------
    >>> found = Histogram((0.1, 1.0))
    >>> for seconds in (0.05, 0.5, 0.5, 20.0):
    ...     found.add(seconds)
    >>> found.counts, found.sum
    ([1, 2, 1], 21.05)
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """Number of measurements in each class, and of larger ones."""
        self.sum = 0.0
        """Sum of all measurements."""

    def add(self, value: float) -> None:
        """Count a measurement."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def merge(self, other: Histogram) -> None:
        """Count all measurements of another histogram with the same classes."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.sum += other.sum

    def copy(self) -> Histogram:
        """Return a histogram with the same counts."""
        found = Histogram(self.bounds)
        found.merge(self)
        return found

    def quantile(self, part: float) -> float | None:
        """Return an estimate of the value that a part of the measurements does not exceed; None without measurements.

        Within a class the measurements count as evenly spread. The class of the largest has no upper bound: for it, the
        answer is its lower bound.

        Examples
        --------
        >>> found = Histogram((1.0, 2.0, 4.0))
        >>> for value in (0.5, 1.5, 1.5, 3.0):
        ...     found.add(value)
        >>> found.quantile(0.5), found.quantile(1.0)
        (1.5, 4.0)
        """
        total = sum(self.counts)
        if not total:
            return None
        rank, below, lower = part * total, 0, 0.0
        for count, upper in zip(self.counts, self.bounds, strict=False):
            if count and below + count >= rank:
                return lower + (upper - lower) * (rank - below) / count
            below += count
            lower = upper
        return lower
