"""A lease: the tasks that a program without a session wants, how they stand, and until when the program wants them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from dagrpc_scheduler.core import instructions

Outcome: TypeAlias = Literal["pending", "done", "failed", "cancelled"]

PENDING: Final = "pending"
DONE: Final = "done"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"


@dataclass(slots=True)
class LeasedTask:
    """How a task stands, as far as the lease was told."""

    key: str
    outcome: Outcome = PENDING
    nbytes: int = 0
    type_name: str = ""
    inline: tuple[str, bytes] | None = None
    """Encoding and bytes of the result if `RecentResults` keep it; None: it is to be read from a worker."""
    failure: Any = None
    """The failure as the core reports it, opaque; None: it did not fail."""
    origin_key: str = ""
    """Key of the task that failed first."""
    reason: str = ""
    """Why the task was cancelled, for people."""
    cursor: int = 0
    """Number of the latest change."""


class Lease:
    """The tasks that a program wants, until the lease ends."""

    __slots__ = ("calls", "cursor", "expires", "name", "refused", "tasks", "ttl")

    def __init__(self, name: str, ttl: float, now: float) -> None:
        """Make a lease without tasks."""
        self.name = name
        self.ttl = ttl
        """Seconds that the lease lives after its last call."""
        self.expires = now + ttl
        self.tasks: dict[str, LeasedTask] = {}
        """The tasks by key, the one that changed longest ago first."""
        self.cursor = 0
        """Number of changes so far."""
        self.calls = 0
        """Number of calls that wait for changes: the lease does not end before they do."""
        self.refused = ""
        """Why the core refused the latest submission; empty: it did not."""

    @property
    def client(self) -> str:
        """The id under which the core knows the lease as a client."""
        return f"lease:{self.name}"

    @property
    def unfinished(self) -> int:
        """Number of tasks that are not done."""
        return sum(task.outcome == PENDING for task in self.tasks.values())

    def hold(self, keys: Iterable[str]) -> list[str]:
        """Add tasks; return the keys that are new, or that were cancelled and are submitted again."""
        new = [key for key in keys if key not in self.tasks or self.tasks[key].outcome == CANCELLED]
        for key in new:
            self._change(LeasedTask(key))
        return new

    def release(self, keys: Iterable[str]) -> list[str]:
        """Drop tasks; return the keys that were there."""
        return [key for key in keys if self.tasks.pop(key, None) is not None]

    def take(self, instruction: Any) -> bool:
        """Note what the core reports; tell whether something changed."""
        if isinstance(instruction, instructions.RejectGraph):
            self.refused = instruction.message
            return True
        task = self.tasks.get(getattr(instruction, "key", ""))
        if task is None:
            return False
        match instruction:
            case instructions.ReportFinished():
                changed = LeasedTask(task.key, DONE, instruction.nbytes, instruction.type_name)
            case instructions.ReportErred():
                changed = LeasedTask(task.key, FAILED, failure=instruction.failure, origin_key=instruction.origin_key)
            case instructions.ReportCancelled():
                changed = LeasedTask(task.key, CANCELLED, reason=instruction.message or instruction.reason)
            case _:
                # The result was lost and is computed again, or the task is retried.
                changed = LeasedTask(task.key)
        self._change(changed)
        return True

    def changed_since(self, cursor: int) -> list[LeasedTask]:
        """Return the tasks that have changed after a change, the earliest first."""
        found: list[LeasedTask] = []
        for task in reversed(self.tasks.values()):
            if task.cursor <= cursor:
                break
            found.append(task)
        return found[::-1]

    def is_settled(self, keys: Iterable[str], any_of_them: bool) -> bool:
        """Tell whether all tasks, or any of them, need not be waited for; a key without a task need not."""
        settled = (key not in self.tasks or self.tasks[key].outcome != PENDING for key in keys)
        return any(settled) if any_of_them else all(settled)

    def _change(self, task: LeasedTask) -> None:
        self.cursor += 1
        task.cursor = self.cursor
        self.tasks.pop(task.key, None)
        self.tasks[task.key] = task
