"""The tasks that workers were asked to give back, and the outcomes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

from dagrpc_scheduler.core.model import TaskState, WorkerState

_NEWS: Final = 10_000
"""Number of news entries that are kept until somebody takes them."""


@dataclass(slots=True)
class Steal:
    """A pending request to give a task back. It ends when the task leaves its worker, for whatever reason."""

    victim: WorkerState
    thief: WorkerState | None
    """The worker that gets the task; None: the task is placed like any ready task."""
    seconds: float
    """How long the task is expected to occupy the thief."""
    refused: bool = False
    """Whether the worker had started the task, so that it need not be asked again."""


class StealNews(NamedTuple):
    """A step of a steal, for users who ask why a task moved."""

    step: str
    """``request``, ``confirm`` or ``refuse``."""
    key: str
    run_id: int
    victim: str
    thief: str
    """Address of the thief; empty: none in particular."""
    state: str
    """The task's state on the victim; empty in a request."""
    time: float


class StealTable:
    """All pending requests, and counts of all requests so far."""

    __slots__ = ("confirmed", "news", "pending", "refused", "requested", "requested_seconds")

    def __init__(self) -> None:
        """Make an empty table."""
        self.pending: dict[TaskState, Steal] = {}
        self.requested = 0
        self.requested_seconds = 0.0
        """Sum of the expected seconds of the requested tasks."""
        self.confirmed = 0
        self.refused = 0
        self.news: deque[StealNews] = deque(maxlen=_NEWS)
