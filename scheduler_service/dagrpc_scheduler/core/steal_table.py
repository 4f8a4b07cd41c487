"""Tasks that workers were asked to give back, and what came of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from dagrpc_scheduler.core.instructions import RequestSteal

if TYPE_CHECKING:
    from dagrpc_scheduler.core.cluster import WorkerState
    from dagrpc_scheduler.core.model import TaskState
    from dagrpc_scheduler.core.state import SchedulerState

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


def ask(state: SchedulerState, task: TaskState, thief: WorkerState | None, seconds: float) -> None:
    """Ask the worker that has a task to give it back if it has not started it."""
    victim = task.processing_on
    assert victim is not None
    book = state.steals
    book.pending[task] = Steal(victim, thief, seconds)
    book.requested += 1
    book.requested_seconds += seconds
    state.instructions.append(RequestSteal(victim.address, task.key, task.run_id))
    tell(state, "request", task, victim, thief)


def tell(
    state: SchedulerState, step: str, task: TaskState, victim: WorkerState, thief: WorkerState | None, answer: str = ""
) -> None:
    """Write down a step."""
    address = "" if thief is None else thief.address
    state.steals.news.append(StealNews(step, task.key, task.run_id, victim.address, address, answer, state.now))
