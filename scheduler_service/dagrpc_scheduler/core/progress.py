"""The progress of sets of tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.core.model import ERRED, FORGOTTEN, MEMORY, RELEASED, TaskState

SLICE = 5_000
"""Number of tasks that are examined in one step."""

_SETTLED = frozenset((MEMORY, RELEASED, FORGOTTEN))
"""States of a task that need not be waited for: its result is there, or nobody needs it any more."""


@dataclass(slots=True)
class GroupCounts:
    """The number of tasks of a group by state; the numbers add up to `total`."""

    name: str
    total: int = 0
    finished: int = 0
    states: dict[str, int] = field(default_factory=dict)
    """Number of unfinished tasks by state."""


def by_prefix(task: TaskState) -> str:
    """Return the prefix of a task."""
    return task.group.prefix.name


def by_span(task: TaskState) -> str:
    """Return the name of the span that a task was submitted in."""
    span = task.options.span
    return "default" if span is None else " - ".join(span.names)


def keys_below(core: SchedulerCore, keys: Iterable[str]) -> Iterator[list[TaskState]]:
    """Yield tasks and all their direct and indirect dependencies in slices.

    The state may change between two steps: tasks that were forgotten meanwhile are left out, and a slice is valid only
    until the next step.
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
    """Counts the same tasks repeatedly; finished tasks are not examined again until all are finished.

    `only_unfinished` leaves out tasks that are finished when they are added.
    """

    def __init__(self, only_unfinished: bool = False) -> None:
        self._only_unfinished = only_unfinished
        self._totals: dict[str, int] = {}
        self._open: dict[str, list[str]] = {}
        """Keys of the tasks that were unfinished at the last count, by group."""
        self._finished: dict[str, list[str]] = {}
        self.groups: list[GroupCounts] = []
        """The latest counts."""
        self.failed = ""
        """Key of a task that had failed at the latest count; empty: none had."""

    def add(self, label: str, key: str, is_finished: bool) -> None:
        """Add a task."""
        if is_finished and self._only_unfinished:
            return
        self._totals[label] = self._totals.get(label, 0) + 1
        (self._finished if is_finished else self._open).setdefault(label, []).append(key)

    def add_below(
        self, core: SchedulerCore, keys: Iterable[str], label_of: Callable[[TaskState], str] = by_prefix
    ) -> Iterator[None]:
        """Add tasks and all their dependencies, one slice in each step."""
        given = list(dict.fromkeys(keys))
        for found in keys_below(core, given):
            for task in found:
                self.add(label_of(task), task.key, task.state in _SETTLED)
            yield

    def add_groups(self, core: SchedulerCore, groups: Mapping[str, Iterable[str]]) -> None:
        """Add tasks in given groups."""
        known = core.state.tasks
        for label, keys in groups.items():
            for key in keys:
                task = known.get(key)
                self.add(label, key, task is None or task.state in _SETTLED)

    def count(self, core: SchedulerCore) -> list[GroupCounts]:
        """Count the tasks in one go; see `recount`."""
        for _ in self.recount(core):
            pass
        return self.groups

    def recount(self, core: SchedulerCore) -> Iterator[None]:
        """Count the unfinished tasks, one slice in each step; the last step sets `groups`.

        If all are finished, every task is counted again, since results can be lost.
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
    """Tell whether all tasks are finished or failed."""
    return all(group.finished + group.states.get(ERRED, 0) == group.total for group in groups)
