"""One pass over all tasks, for facts that the state does not keep count of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.core.model import ERRED, FORGOTTEN, TaskState

SLICE = 2_000
"""Number of tasks that are examined in one step."""


@dataclass(slots=True)
class TaskScan:
    """The facts that a pass finds."""

    edges: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Numbers of dependencies between groups, by the names of the needed and the dependent group."""
    held: Counter[str] = field(default_factory=Counter)
    """Numbers of results in memory by prefix."""
    nbytes: Counter[str] = field(default_factory=Counter)
    """Bytes of one copy of each of these results, by prefix."""
    copies: Counter[str] = field(default_factory=Counter)
    """Bytes of all copies, by prefix."""
    failed: list[str] = field(default_factory=list)
    """Keys of the tasks that failed themselves."""
    blamed: Counter[str] = field(default_factory=Counter)
    """Numbers of tasks that failed because of another one, by the key of that one."""


def scan(core: SchedulerCore) -> Iterator[TaskScan]:
    """Examine a slice of the tasks in each step; the scan is complete with the last step.

    Tasks that come meanwhile are left out.
    """
    found = TaskScan()
    tasks = list(core.state.tasks.values())
    for start in range(0, len(tasks), SLICE):
        for task in tasks[start : start + SLICE]:
            if task.state != FORGOTTEN:
                _look(task, found)
        yield found
    yield found


def _look(task: TaskState, found: TaskScan) -> None:
    group = task.group
    for dependency in task.dependencies:
        if dependency.group is not group:
            found.edges[dependency.group.name, group.name] += 1
    if task.who_has:
        name, size = group.prefix.name, max(task.nbytes, 0)
        found.held[name] += 1
        found.nbytes[name] += size
        found.copies[name] += size * len(task.who_has)
    if task.state == ERRED and task.error is not None:
        if task.error.origin_key == task.key:
            found.failed.append(task.key)
        else:
            found.blamed[task.error.origin_key] += 1
