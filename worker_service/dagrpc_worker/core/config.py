"""The settings of the worker's core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True, frozen=True)
class WorkerCoreConfig:
    """Limits and parameters of a `WorkerCore`."""

    gathers: int = 50
    """Maximum number of transfers from peers at once."""
    gathers_per_peer: int = 2
    """Maximum number of transfers from one peer at once. Results that wait meanwhile share the next transfer."""
    gather_nbytes: int = 50_000_000
    """Maximum bytes of one transfer; a single larger result travels alone."""
    gather_keys: int = 2_000
    """Maximum number of results in one transfer."""
    gathers_nbytes: int = 200_000_000
    """Maximum bytes of all transfers under way. One transfer is always allowed."""
    holders_considered: int = 8
    """Maximum number of holders of a result that are considered as sources at a time."""
    gather_attempts: int = 12
    """Number of failed transfers in a row after which a peer is reported as not holding the requested results. The
    scheduler then computes them again, or fails them: too high a price for a network failure of some seconds. A peer
    that refuses connections has ended, and is reported at once."""
    retry_delay: float = 0.02
    """Seconds before a peer is asked again after a refused or failed transfer; doubled each time."""
    retry_delay_limit: float = 2.0
    """Maximum of that delay."""
    lookahead: float = 0.005
    """Seconds of expected work, per thread, that may be handed over before a thread is free; 0: none."""
    lookahead_tasks: int = 128
    """Maximum number of tasks, per thread, that may be handed over before a thread is free."""
    duration_weight: float = 0.25
    """Weight of the newest measurement in the average duration of a prefix."""
    executors: Mapping[str, int] = field(default_factory=dict)
    """Threads of each named executor; 1 for an executor not listed. The default executor has the worker's threads."""
    timeout_grace: float = 1.0
    """Seconds that a task has to end after it was interrupted for its timeout; then its thread is detached."""
    timed_out_limit: int = 100
    """Maximum number of timed-out runs whose threads are replaced."""
    story_length: int = 10_000
    """Number of transitions that are remembered."""


DEFAULT_CONFIG = WorkerCoreConfig()
