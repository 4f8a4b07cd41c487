"""The abstract resources that a worker offers, and the amounts in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Demand: TypeAlias = tuple[tuple[str, float], ...]
"""Amounts by name, in order of the names: equal demands are equal tuples."""

_TOLERANCE = 1e-9
"""Sums of fractions such as 0.1 are not exact."""


def demand_of(resources: Mapping[str, float]) -> Demand:
    """Return the resources of a task in a comparable form."""
    return tuple(sorted(resources.items()))


class Resources:
    """Accounts for resources; never hands out more than there is."""

    __slots__ = ("total", "used")

    def __init__(self, total: Mapping[str, float]) -> None:
        """Offer `total`."""
        self.total = dict(total)
        self.used = dict.fromkeys(self.total, 0.0)

    def offer(self, resources: Mapping[str, float]) -> None:
        """Change the amounts on offer. Amounts in use stay in use."""
        for name, amount in resources.items():
            self.total[name] = amount
            self.used.setdefault(name, 0.0)

    def suffice(self, demand: Demand) -> bool:
        """Return whether a demand could be met if no task ran."""
        total = self.total
        return all(amount <= total.get(name, 0.0) + _TOLERANCE for name, amount in demand)

    def fit(self, demand: Demand) -> bool:
        """Return whether a demand can be met now."""
        total, used = self.total, self.used
        return all(used.get(name, 0.0) + amount <= total.get(name, 0.0) + _TOLERANCE for name, amount in demand)

    def take(self, resources: Mapping[str, float]) -> None:
        """Take the resources of a task."""
        used = self.used
        for name, amount in resources.items():
            used[name] = used.get(name, 0.0) + amount

    def give_back(self, resources: Mapping[str, float]) -> None:
        """Return the resources of a task."""
        used = self.used
        for name, amount in resources.items():
            rest = used[name] - amount
            used[name] = rest if rest > _TOLERANCE else 0.0
