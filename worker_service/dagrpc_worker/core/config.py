"""What of the worker's core can be tuned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True, frozen=True)
class WorkerCoreConfig:
    """Limits and knobs of a `WorkerCore`."""

    gathers: int = 50
    """How many transfers from peers may be under way at once."""
    gathers_per_peer: int = 2
    """How many of them from one peer. What waits meanwhile is grouped into the next."""
    gather_nbytes: int = 50_000_000
    """How many bytes one transfer is to bring; a single larger result travels alone."""
    gather_keys: int = 2_000
    """How many results one transfer is to bring."""
    gathers_nbytes: int = 200_000_000
    """How many bytes may be under way in all. One transfer is always allowed."""
    holders_considered: int = 8
    """How many of a result's holders are kept in mind as sources at a time."""
    gather_attempts: int = 12
    """How many transfers in a row have to break before a peer counts as not having what it was to send. The scheduler
    then computes that again, or gives it up if it cannot: too high a price for a network that fails for some seconds.
    A peer whose address refuses connections is not cut off but gone; it is not tried again."""
    retry_delay: float = 0.02
    """Seconds for which a peer is left alone after it refused a transfer, or one broke; doubled each time."""
    retry_delay_limit: float = 2.0
    """What that delay grows to at most."""
    lookahead: float = 0.005
    """Seconds of expected work, per thread, that may be handed over before a thread is free for it; 0: none."""
    lookahead_tasks: int = 128
    """How many tasks, per thread, may be handed over like that."""
    duration_weight: float = 0.25
    """Weight of the newest measurement in the average duration of a kind of task."""
    executors: Mapping[str, int] = field(default_factory=dict)
    """Threads of each named executor; 1 for those not listed. The default executor has the worker's threads."""
    timeout_grace: float = 1.0
    """Seconds that a task has to end once it was told that its time is up; then its thread is detached."""
    timed_out_limit: int = 100
    """How many timed-out runs may go on before their threads are not replaced any more."""
    story_length: int = 10_000
    """How many transitions are remembered."""


DEFAULT_CONFIG = WorkerCoreConfig()
