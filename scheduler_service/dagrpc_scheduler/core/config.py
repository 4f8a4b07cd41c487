"""The parameters of the scheduler's core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True, frozen=True)
class CoreConfig:
    """Limits and parameters of a `SchedulerCore`."""

    allowed_failures: int = 3
    """Number of workers that may die while they run a task before the task is given up."""
    worker_saturation: float = 1.1
    """Root tasks that a worker is given at once, per thread, rounded up; further ones queue on the scheduler. Infinite:
    nothing queues, and neighbouring tasks are placed together."""
    default_data_size: int = 1024
    """Assumed bytes of a result of unknown size."""
    unknown_task_duration: float = 0.5
    """Assumed seconds of a task until the first task of its prefix has finished."""
    default_task_durations: Mapping[str, float] = field(default_factory=dict)
    """Assumed seconds by prefix, used until the first task of the prefix has finished."""
    duration_weight: float = 0.5
    """Weight of the latest measurement in the averages of a prefix. It is large because the first task of a prefix
    often takes much longer than the others: it imports the modules that all of them need."""
    bandwidth: float = 100e6
    """Expected bandwidth of transfers between workers, in bytes per second."""
    locality_patience: float = 0.1
    """Seconds that a task waits for a busy worker with its dependencies before the dependencies are moved to another
    worker; the time of the transfer is added."""
    holders_considered: int = 16
    """Number of holders of each dependency that are candidates for a task. A result with many holders is cheap to fetch
    anywhere, and comparing all holders would make tasks more expensive the larger the cluster is."""
    holders_listed: int = 8
    """Number of holders of a result that a worker is told."""
    candidates_considered: int = 16
    """Number of allowed workers that are compared for a restricted task."""
    rootish_dependencies: int = 5
    """A group with this many dependencies or more does not consist of root tasks."""
    lookahead_seconds: float = 0.03
    """Expected seconds of work per thread that a worker may be given beyond its saturation, so that it is busy while a
    report and the answer travel."""
    lookahead_bytes: int = 4 * 2**20
    """Limit of the lookahead in expected bytes of results per thread."""
    lookahead_tasks: int = 256
    """Limit of the lookahead in tasks per thread."""
    work_stealing: bool = True
    """Whether idle workers take over tasks that busy workers have not started."""
    steal_latency: float = 0.01
    """Seconds for a task to be given back and sent to another worker, without the transfer of its dependencies."""
    steal_gain: float = 0.05
    """Seconds by which a task must start earlier to be moved. More than a round trip, so that short tasks in transit
    stay where they are."""
    victims_considered: int = 32
    """Number of busy workers, the busiest first, whose tasks are considered in one pass."""
    thieves_considered: int = 8
    """Number of idle workers that are compared for each task."""
    steal_considered: int = 256
    """Number of tasks of a busy worker that are offered in one pass, the most urgent first."""
    steal_scanned: int = 8192
    """Number of tasks of all busy workers that are examined for the offers, the latest of each worker first."""
    steals_at_once: int = 1_000
    """Number of tasks that are moved in one pass."""
    no_workers_timeout: float | None = None
    """Seconds after which a task fails that no worker may run; None: never."""
    unknown_key_patience: float = 0.0
    """Seconds that a client waits for the task of a wanted key; 0: an unknown key is reported at once."""
    orphaned_scatter_patience: float = 0.0
    """Seconds that a client has to upload data elsewhere after all target workers left."""
    queue_policy: str = "priority"
    """Name of the policy that decides which ready tasks wait on the scheduler; see `policies.choice`."""
    fair_share_weights: Mapping[str, float] = field(default_factory=dict)
    """Weights of clients by name, for the policy ``fair-share``; 1 for all other clients."""
    story_length: int = 1_000
    """Number of transitions that are kept."""
    erred_history: int = 100
    """Number of tasks that failed themselves that are kept, whatever becomes of them."""
    options_remembered: int = 1_000
    """Number of different task options whose allowed workers are cached."""
    idle_prefixes: int = 1_000
    """Number of prefixes without tasks whose averages are kept."""


DEFAULT_CONFIG = CoreConfig()
