"""The size of one worker, by which bounds on cores and memory become numbers of workers."""

from __future__ import annotations

import math
from typing import NamedTuple

_UNKNOWN = {
    "cores": "The number of threads per worker is unknown",
    "memory": "The memory limit of a worker is unknown",
}


class WorkerSize(NamedTuple):
    """The threads and the bytes of memory of one worker; None where unknown."""

    cores: float | None = None
    memory: float | None = None

    def part(self, kind: str, remedy: str) -> float:
        """Return the cores or the memory of one worker; raise ValueError with the remedy if they are unknown."""
        found = self.cores if kind == "cores" else self.memory
        if not found:
            raise ValueError(f"{_UNKNOWN[kind]}: {remedy}")
        return found

    def workers_for(self, kind: str, amount: float | None) -> int:
        """Return how many workers have an amount of cores or memory together."""
        if amount is None:
            return 0
        return math.ceil(amount / self.part(kind, "scale to a number of workers instead"))


Bounds = tuple[float | None, float | None]


def bounds_of_workers(
    minimum: int | None,
    maximum: int | float | None,
    size: WorkerSize,
    *,
    cores: Bounds = (None, None),
    memory: Bounds = (None, None),
) -> tuple[int | None, int | float | None]:
    """Return bounds of the number of workers that also keep bounds of the cores and the memory of all workers.

    Examples
    --------
    >>> bounds_of_workers(None, None, WorkerSize(cores=4), cores=(3, 10))
    (1, 2)
    """
    for kind, (least, most) in (("cores", cores), ("memory", memory)):
        if least is None and most is None:
            continue
        each = size.part(kind, "bound the number of workers instead")
        if least is not None:
            minimum = max(minimum or 0, math.ceil(least / each))
        if most is not None:
            maximum = min(math.inf if maximum is None else maximum, math.floor(most / each))
    return minimum, maximum


def nbytes_of(amount: float | str | None) -> float | None:
    """Return an amount of memory in bytes."""
    if isinstance(amount, str):
        from dask.utils import parse_bytes

        return float(parse_bytes(amount))
    return amount
