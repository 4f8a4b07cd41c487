"""What of the scheduler's core can be tuned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True, frozen=True)
class CoreConfig:
    """Limits and knobs of a `SchedulerCore`."""

    allowed_failures: int = 3
    """How many workers may die while they run a task before the task is given up."""
    worker_saturation: float = 1.1
    """Root tasks that a worker is given at once, per thread, rounded up; the others queue on the scheduler.
    Infinite: nothing queues, and neighbours are placed together."""
    default_data_size: int = 1024
    """Bytes that a result of unknown size counts for."""
    unknown_task_duration: float = 0.5
    """Seconds that a task counts for until the first one of its prefix has finished."""
    default_task_durations: Mapping[str, float] = field(default_factory=dict)
    """Seconds by prefix, believed until the first task of the prefix has finished."""
    duration_weight: float = 0.5
    """Weight of the newest measurement in the averages of a prefix. It is large because the first task of a prefix
    often takes much longer than the others: it imports what they all need."""
    bandwidth: float = 100e6
    """Bytes per second that a transfer between workers is expected to move."""
    locality_patience: float = 0.1
    """Seconds that a task rather waits for a busy worker which holds its dependencies than have them moved to
    another one; the time of the transfer comes on top."""
    holders_considered: int = 16
    """How many of a result's holders are candidates for a task that uses it. What is held by many is cheap to get
    anywhere, and a look at all of them would make such tasks dearer the larger the cluster."""
    holders_listed: int = 8
    """How many of a result's holders a worker is told."""
    candidates_considered: int = 16
    """How many of the workers that a task is restricted to are compared."""
    rootish_dependencies: int = 5
    """A group that depends on this many tasks, or more, is not made of root tasks."""
    lookahead_seconds: float = 0.03
    """Seconds of expected work per thread that may be on a worker, or on its way there, beyond its saturation, so
    that the worker has something to do while a report and its answer travel."""
    lookahead_bytes: int = 4 * 2**20
    """Bytes of expected results, per thread, up to which that holds."""
    lookahead_tasks: int = 256
    """Tasks, per thread, up to which that holds."""
    work_stealing: bool = True
    """Whether idle workers get tasks that busy ones have not started."""
    steal_latency: float = 0.01
    """Seconds that it takes to have a task given back and sent elsewhere, apart from the data that it uses."""
    steal_gain: float = 0.05
    """Seconds by which a task has to start sooner to be moved. More than what covers a round trip: short tasks in
    flight are where they should be."""
    victims_considered: int = 32
    """How many busy workers, the busiest, idle ones get tasks from in one pass."""
    thieves_considered: int = 8
    """How many idle workers are compared for each task."""
    steal_considered: int = 256
    """How many tasks of a busy worker are offered in one pass, the most urgent."""
    steal_scanned: int = 8192
    """How many tasks of all busy workers are looked at for that, those that each got last."""
    steals_at_once: int = 1_000
    """How many tasks are moved in one pass."""
    no_workers_timeout: float | None = None
    """Seconds after which a task that no worker may run fails; None: never."""
    unknown_key_patience: float = 0.0
    """Seconds that a client which wants a key waits for somebody to submit its task; 0: it is told at once."""
    orphaned_scatter_patience: float = 0.0
    """Seconds that data may still come after the workers left on which it was to be put: elsewhere, perhaps."""
    queue_policy: str = "priority"
    """Name of the policy that decides which ready tasks wait on the scheduler; see `policies.choice`."""
    fair_share_weights: Mapping[str, float] = field(default_factory=dict)
    """Weights of clients by name, for the policy ``fair-share``; 1 for all other clients."""
    story_length: int = 1_000
    """How many transitions are remembered."""
    options_remembered: int = 1_000
    """How many different task options are remembered with the workers that they allow."""
    idle_prefixes: int = 1_000
    """How many prefixes without tasks are remembered, with their durations."""


DEFAULT_CONFIG = CoreConfig()
