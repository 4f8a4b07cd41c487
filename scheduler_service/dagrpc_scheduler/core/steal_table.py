"""Tasks that workers were asked to give back, and what came of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

from dagrpc_scheduler.core.model import TaskState, WorkerState

_NEWS: Final = 10_000
"""How many entries are kept for somebody to take."""


@dataclass(slots=True)
class Steal:
    """One worker was asked to give a task back. It ends when the task leaves that worker, in whatever way."""

    victim: WorkerState
    thief: WorkerState | None
    """Who is to get the task; None: whoever is chosen then."""
    seconds: float
    """How long it is expected to occupy the thief."""
    refused: bool = False
    """Whether the worker has started the task: it need not be asked again."""


class StealNews(NamedTuple):
    """A step of a steal, for people who ask why a task moved."""

    step: str
    """``request``, ``confirm`` or ``refuse``."""
    key: str
    run_id: int
    victim: str
    thief: str
    """Empty: none in particular."""
    state: str
    """What the victim said that the task's state was; empty in a request."""
    time: float


class StealTable:
    """All requests that have not ended, and counts of those that there were."""

    __slots__ = ("confirmed", "news", "pending", "refused", "requested", "requested_seconds")

    def __init__(self) -> None:
        """Make the book of a scheduler that has not asked for anything."""
        self.pending: dict[TaskState, Steal] = {}
        self.requested = 0
        self.requested_seconds = 0.0
        """Sum of what the tasks asked for were expected to take."""
        self.confirmed = 0
        self.refused = 0
        self.news: deque[StealNews] = deque(maxlen=_NEWS)
