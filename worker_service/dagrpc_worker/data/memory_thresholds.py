"""When a worker is to write results to disk, to pause and to go on: from its limit and the memory of its process."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dagrpc import config
from dagrpc._codec.compressions import configured
from dagrpc_worker.data.result_store import DataStore
from dagrpc_worker.data.spill_files import SpillFiles
from dagrpc_worker.data.spilling_store import SpillingStore


@dataclass(slots=True, frozen=True)
class MemoryLimits:
    """Bytes from which on something is done about memory; 0: never.

    Examples
    --------
    >>> limits = MemoryLimits.of(1_000, {"target": 0.6, "spill": 0.7, "pause": False})
    >>> limits.target, limits.spill, limits.pause
    (600, 700, 0)
    """

    limit: int = 0
    """All that the worker may use."""
    target: int = 0
    """Of results: more are written to disk."""
    spill: int = 0
    """Of the process: results are written to disk, down to `target`."""
    pause: int = 0
    """Of the process: no task is begun."""

    @classmethod
    def of(cls, limit: int, fractions: Mapping[str, Any]) -> MemoryLimits:
        """Return the limits for a worker's memory limit and fractions of it, as users give them.

        Raises
        ------
        ValueError
            If a fraction is not one.
        """
        return cls(limit, **{name: fraction_of(limit, name, value) for name, value in fractions.items()})

    @property
    def goal(self) -> int:
        """What the process is to come down to once it has begun to write results to disk."""
        return min(self.target or self.spill, self.spill)


def fraction_of(limit: int, name: str, value: Any) -> int:
    """Return a fraction of a limit in bytes; 0 if there is no limit, or the fraction is false.

    Raises
    ------
    ValueError
        If it is neither false nor a number from 0 to 1.
    """
    if value in (None, False):
        return 0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1 or math.isnan(value):
        raise ValueError(f"worker.memory.{name} is {value!r}; it must be a fraction from 0 to 1, or false")
    return int(limit * value)


def make_store(limits: MemoryLimits, directory: str) -> DataStore:
    """Return a store that writes to disk what is too much, if anything ever is.

    Raises
    ------
    ValueError
        If a setting is impossible.
    """
    if not limits.target and not limits.spill:
        return DataStore()
    max_spill = config.get("worker.memory.max-spill")
    files = SpillFiles(f"{directory}/storage", configured("worker.memory.spill-compression"))
    return SpillingStore(files, limits.target, config.get_bytes("worker.memory.max-spill") if max_spill else 0)
