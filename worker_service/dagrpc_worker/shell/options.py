"""What a worker can be told when it is made."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dagrpc import config
from dagrpc_worker.core.config import DEFAULT_CONFIG
from dagrpc_worker.data.memory_thresholds import MemoryLimits, fraction_of


@dataclass(slots=True, kw_only=True)
class WorkerOptions:
    """Settings of one worker."""

    scheduler_address: str = ""
    """The scheduler, ``host:port``. Empty: `scheduler_file` names it."""
    scheduler_file: str = ""
    """A JSON file with the scheduler's address, which may be yet to come."""
    host: str = "127.0.0.1"
    """Host or address to listen on."""
    port: int = 0
    """Port to listen on; 0: any free one."""
    contact_address: str = ""
    """``host:port`` or ``host`` under which others reach the worker. Empty: as it listens."""
    name: str = ""
    """Name on the cluster. Empty: its address."""
    nthreads: int = field(default_factory=lambda: os.cpu_count() or 1)
    """How many tasks it runs at once."""
    memory_limit: int = 0
    """Bytes of memory that it may use; 0: no limit."""
    resources: Mapping[str, float] = field(default_factory=lambda: dict(config.get("worker.resources")))
    """Abstract resources that it offers."""
    executors: Mapping[str, int] = field(default_factory=dict)
    """Threads of named pools. Tasks that ask for another one fail."""
    local_directory: str = ""
    """Where it keeps temporary files. Empty: as configured, else the system's directory for them."""
    nanny: str = ""
    """Address of its nanny."""
    death_timeout: float | None = None
    """Seconds to look for the scheduler before giving up. None: without end."""
    duplicate_grace: float = 0.0
    """Seconds to wait for a name that is taken: a predecessor of that name may not have been missed yet."""
    heartbeat_interval: float = field(default_factory=lambda: config.get_seconds("worker.heartbeat-interval") or 1.0)
    """Seconds between two measurements."""
    low_level_profiler: bool = field(default_factory=lambda: bool(config.get("worker.profile.low-level")))
    """Whether profiles keep the frames around a task's own code."""
    profile_cycle_interval: float = field(default_factory=lambda: config.get_seconds("worker.profile.cycle") or 1.0)
    """How precisely profiles are told apart by time, in seconds."""

    preload: Sequence[str] | None = None
    """What to load before it works; None: as configured."""
    preload_argv: Sequence[str] | None = None
    """Arguments for that; None: as configured."""
    security: Any = field(default=None, repr=False)
    """A `Security`, or what makes one; None: as configured."""

    executor: Any = None
    """A pool of a user's for tasks, or several by name."""
    worker_class: Any = None
    """What to make of it for its tasks: a subclass of `Worker`, or the name of one."""
    data: Any = None
    """Where results are kept: a mapping, or what makes one."""
    metrics: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    """What to measure beside the usual: functions of the worker, by name."""
    startup_information: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    """What to tell the scheduler at the start: functions of the worker, by name."""
    lifetime: float | None = field(default_factory=lambda: config.get_seconds("worker.lifetime.duration"))
    """Seconds after which it leaves in good order."""
    lifetime_stagger: float = field(default_factory=lambda: config.get_seconds("worker.lifetime.stagger") or 0.0)
    """Seconds, more or less, by which that is varied at random."""
    lifetime_restart: bool = field(default_factory=lambda: bool(config.get("worker.lifetime.restart")))
    """Whether another is to take its place then."""

    plugins: Sequence[Any] = ()
    """Plugins to begin with."""

    memory_target_fraction: float | bool = field(default_factory=lambda: config.get("worker.memory.target"))
    """Part of the memory limit that results may take before the least recently used are written to disk."""
    memory_spill_fraction: float | bool = field(default_factory=lambda: config.get("worker.memory.spill"))
    """Part of the memory limit that the process may take before results are written to disk."""
    memory_pause_fraction: float | bool = field(default_factory=lambda: config.get("worker.memory.pause"))
    """Part of the memory limit that the process may take before no more tasks are begun."""

    def memory_fractions(self) -> dict[str, float | bool]:
        """Return what is done from which part of the memory limit on."""
        return {
            "target": self.memory_target_fraction,
            "spill": self.memory_spill_fraction,
            "pause": self.memory_pause_fraction,
        }

    def transfer_limit(self) -> int:
        """Return how many bytes may be on their way to the worker at once."""
        part = config.get("worker.memory.transfer")
        return fraction_of(self.memory_limit, "transfer", part) or DEFAULT_CONFIG.gathers_nbytes

    def __post_init__(self) -> None:
        if self.nthreads < 1:
            raise ValueError(f"A worker needs at least one thread; got nthreads={self.nthreads}")
        if self.memory_limit < 0:
            raise ValueError(f"A memory limit is at least 0 bytes; got {self.memory_limit}")
        MemoryLimits.of(self.memory_limit, self.memory_fractions())
        if not self.scheduler_address and not self.scheduler_file:
            raise ValueError("A worker needs the scheduler's address, or a scheduler file")
        for name, amount in self.resources.items():
            if not amount >= 0:
                raise ValueError(f"An amount of a resource is at least 0; got {name}={amount}")
