"""The abstract resources that a worker offers, and what of them is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Demand: TypeAlias = tuple[tuple[str, float], ...]
"""Amounts by name, in order of the names: equal demands are equal tuples."""

_TOLERANCE = 1e-9
"""Sums of fractions such as 0.1 are not exact."""


def demand_of(resources: Mapping[str, float]) -> Demand:
    """Bring what a task occupies into a comparable form."""
    return tuple(sorted(resources.items()))


class Resources:
    """Keeps account of resources; never gives out more than there is."""

    __slots__ = ("total", "used")

    def __init__(self, total: Mapping[str, float]) -> None:
        """Offer `total`."""
        self.total = dict(total)
        self.used = dict.fromkeys(self.total, 0.0)

    def offer(self, resources: Mapping[str, float]) -> None:
        """Offer other amounts. What is occupied stays so."""
        for name, amount in resources.items():
            self.total[name] = amount
            self.used.setdefault(name, 0.0)

    def suffice(self, demand: Demand) -> bool:
        """Tell whether a demand could be met if nothing else ran."""
        total = self.total
        return all(amount <= total.get(name, 0.0) + _TOLERANCE for name, amount in demand)

    def fit(self, demand: Demand) -> bool:
        """Tell whether a demand can be met now."""
        total, used = self.total, self.used
        return all(used.get(name, 0.0) + amount <= total.get(name, 0.0) + _TOLERANCE for name, amount in demand)

    def take(self, resources: Mapping[str, float]) -> None:
        """Occupy what a task demands."""
        used = self.used
        for name, amount in resources.items():
            used[name] = used.get(name, 0.0) + amount

    def give_back(self, resources: Mapping[str, float]) -> None:
        """Free what a task occupied."""
        used = self.used
        for name, amount in resources.items():
            rest = used[name] - amount
            used[name] = rest if rest > _TOLERANCE else 0.0
