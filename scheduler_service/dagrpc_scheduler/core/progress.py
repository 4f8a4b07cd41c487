"""How far some tasks are, for those who watch them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.core.model import ERRED, FORGOTTEN, MEMORY, RELEASED, TaskState

SLICE = 5_000
"""How many tasks are looked at before somebody else has a turn."""

_SETTLED = frozenset((MEMORY, RELEASED, FORGOTTEN))
"""States of a task that nothing is to be waited for: its result is there, or nobody needs it any more."""


@dataclass(slots=True)
class GroupCounts:
    """How many tasks of a group are in each state; the numbers add up to `total`."""

    name: str
    total: int = 0
    finished: int = 0
    states: dict[str, int] = field(default_factory=dict)
    """Those that are not finished, by state."""


def by_prefix(task: TaskState) -> str:
    """Return the kind of work that a task is."""
    return task.group.prefix.name


def by_span(task: TaskState) -> str:
    """Return the name of the span that a task was submitted in."""
    span = task.options.span
    return "default" if span is None else " - ".join(span.names)


def keys_below(core: SchedulerCore, keys: Iterable[str]) -> Iterator[list[TaskState]]:
    """Yield tasks, and all that they depend on, some at a time.

    The state may change between two steps: what is gone by then is left out. The tasks are to be used before the next
    step only.
    """
    known = core.state.tasks
    seen = set(keys)
    left = list(seen)
    while left:
        found: list[TaskState] = []
        while left and len(found) < SLICE:
            task = known.get(left.pop())
            if task is None:
                continue
            found.append(task)
            for dependency in task.dependencies:
                key = dependency.key
                if key not in seen:
                    seen.add(key)
                    left.append(key)
        yield found


class ProgressTracker:
    """Counts the same tasks again and again; those that are finished are not looked at again until the end.

    Parameters
    ----------
    only_unfinished : bool
        Whether to leave out what is finished when it is added.
    """

    def __init__(self, only_unfinished: bool = False) -> None:
        self._only_unfinished = only_unfinished
        self._totals: dict[str, int] = {}
        self._open: dict[str, list[str]] = {}
        """Keys of the tasks that were not finished when they were last looked at, by group."""
        self._finished: dict[str, list[str]] = {}
        self.groups: list[GroupCounts] = []
        """What was counted last."""
        self.failed = ""
        """Key of a task that had failed when the tasks were last counted; empty: none had."""

    def add(self, label: str, key: str, is_finished: bool) -> None:
        """Follow a task."""
        if is_finished and self._only_unfinished:
            return
        self._totals[label] = self._totals.get(label, 0) + 1
        (self._finished if is_finished else self._open).setdefault(label, []).append(key)

    def add_below(
        self, core: SchedulerCore, keys: Iterable[str], label_of: Callable[[TaskState], str] = by_prefix
    ) -> Iterator[None]:
        """Follow tasks and all that they depend on, some of them with each step."""
        given = list(dict.fromkeys(keys))
        for found in keys_below(core, given):
            for task in found:
                self.add(label_of(task), task.key, task.state in _SETTLED)
            yield

    def add_groups(self, core: SchedulerCore, groups: Mapping[str, Iterable[str]]) -> None:
        """Follow tasks in groups that somebody else made."""
        known = core.state.tasks
        for label, keys in groups.items():
            for key in keys:
                task = known.get(key)
                self.add(label, key, task is None or task.state in _SETTLED)

    def count(self, core: SchedulerCore) -> list[GroupCounts]:
        """Count the tasks at once. See `recount`."""
        for _ in self.recount(core):
            pass
        return self.groups

    def recount(self, core: SchedulerCore) -> Iterator[None]:
        """Count the tasks that were not finished, some of them with each step; the last step sets `groups`.

        If none of them is left, all are counted, since results can be lost.
        """
        yield from self._count(core)
        if not any(self._open.values()):
            self._open, self._finished = self._finished, {}
            yield from self._count(core)

    def _count(self, core: SchedulerCore) -> Iterator[None]:
        known = core.state.tasks
        groups = []
        failed = ""
        for label, total in self._totals.items():
            counts = GroupCounts(label, total)
            states = counts.states
            left: list[str] = []
            finished = self._finished.setdefault(label, [])
            keys = self._open.get(label, [])
            for start in range(0, len(keys), SLICE):
                for key in keys[start : start + SLICE]:
                    task = known.get(key)
                    if task is None or task.state in _SETTLED:
                        finished.append(key)
                        continue
                    left.append(key)
                    states[task.state] = states.get(task.state, 0) + 1
                    if task.state == ERRED and not failed:
                        failed = key
                yield
            self._open[label] = left
            counts.finished = total - len(left)
            groups.append(counts)
        self.groups, self.failed = groups, failed


def is_over(groups: Iterable[GroupCounts]) -> bool:
    """Tell whether nothing more happens to the tasks: all are finished or failed."""
    return all(group.finished + group.states.get(ERRED, 0) == group.total for group in groups)
