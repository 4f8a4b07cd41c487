"""The memory thresholds at which a worker writes results to disk, pauses and resumes."""

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
    """The thresholds in bytes; 0: none.

    Examples
    --------
    >>> limits = MemoryLimits.of(1_000, {"target": 0.6, "spill": 0.7, "pause": False})
    >>> limits.target, limits.spill, limits.pause
    (600, 700, 0)
    """

    limit: int = 0
    """The worker's memory limit."""
    target: int = 0
    """Bytes of results; the results beyond it are written to disk."""
    spill: int = 0
    """Bytes of the process from which on results are written to disk, until the process is down to `goal`."""
    pause: int = 0
    """Bytes of the process from which on no task begins."""

    @classmethod
    def of(cls, limit: int, fractions: Mapping[str, Any]) -> MemoryLimits:
        """Return the thresholds for a memory limit and the fractions of it in a worker's options.

        Raises
        ------
        ValueError
            If a fraction is not a number from 0 to 1.
        """
        return cls(limit, **{name: fraction_of(limit, name, value) for name, value in fractions.items()})

    @property
    def goal(self) -> int:
        """Bytes to which the process comes down once it writes results to disk."""
        return min(self.target or self.spill, self.spill)


def fraction_of(limit: int, name: str, value: Any) -> int:
    """Return a fraction of a limit in bytes; 0 if there is no limit or the fraction is false.

    Raises
    ------
    ValueError
        If the fraction is neither false nor a number from 0 to 1.
    """
    if value in (None, False):
        return 0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1 or math.isnan(value):
        raise ValueError(f"worker.memory.{name} is {value!r}; it must be a fraction from 0 to 1, or false")
    return int(limit * value)


def make_store(limits: MemoryLimits, directory: str) -> DataStore:
    """Return a store for results; it writes to disk if there is a limit and a threshold for that.

    Raises
    ------
    ValueError
        If a setting has an impossible value.
    """
    if not limits.target and not limits.spill:
        return DataStore()
    max_spill = config.get("worker.memory.max-spill")
    files = SpillFiles(f"{directory}/storage", configured("worker.memory.spill-compression"))
    return SpillingStore(files, limits.target, config.get_bytes("worker.memory.max-spill") if max_spill else 0)
