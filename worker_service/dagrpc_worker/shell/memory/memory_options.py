"""The memory settings of a worker as users see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dagrpc import config
from dagrpc._common.keys import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryManager:
    """The memory settings of a worker. The fractions are parts of `memory_limit`; False: never.

    Attributes
    ----------
    memory_limit : int or None
        Bytes that the worker may use; None: no limit.
    memory_target_fraction, memory_spill_fraction, memory_pause_fraction, memory_terminate_fraction : float or False
        Thresholds at which results are written to disk, by the size of the results and by the memory of the process; at
        which no task begins; and at which the nanny kills the process.
    memory_monitor_interval : float
        Seconds between two measurements.
    max_spill : int or False
        Maximum bytes of results on disk; False: no limit.
    data : mapping or None
        The results that the worker holds; None for a nanny.
    """

    memory_limit: int | None
    memory_target_fraction: float | bool
    memory_spill_fraction: float | bool
    memory_pause_fraction: float | bool
    memory_terminate_fraction: float | bool
    memory_monitor_interval: float
    max_spill: int | bool = False
    data: Mapping[Key, Any] | None = None

    @classmethod
    def of(
        cls, limit: int, fractions: Mapping[str, float | bool | None], data: Mapping[Key, Any] | None = None
    ) -> MemoryManager:
        """Return the settings of a worker with a limit; a missing fraction is taken from the configuration."""
        names = ("target", "spill", "pause", "terminate")
        chosen = {name: config.get(f"worker.memory.{name}", fractions.get(name)) for name in names}
        return cls(
            memory_limit=limit or None,
            **{f"memory_{name}_fraction": value or False for name, value in chosen.items()},
            memory_monitor_interval=config.get_seconds("worker.memory.monitor-interval") or 0.1,
            max_spill=config.get_bytes("worker.memory.max-spill") if config.get("worker.memory.max-spill") else False,
            data=data,
        )
