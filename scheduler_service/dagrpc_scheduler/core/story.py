"""What happened to tasks, for people who ask why."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from dagrpc_scheduler.core.model import StateName, TaskState

_Entry: TypeAlias = tuple[float, str, StateName, StateName, str, str]


class StoryEntry(NamedTuple):
    """A transition of a task."""

    time: float
    key: str
    start: StateName
    finish: StateName
    worker: str
    """The worker that the task was, or is, assigned to; empty: none."""
    stimulus: str
    """What led to it."""


class Story:
    """The latest transitions. They are kept as plain tuples, because there are several for each task."""

    __slots__ = ("_entries", "forgotten", "record", "watched")

    def __init__(self, length: int) -> None:
        """Make a story that remembers `length` transitions."""
        self._entries: deque[_Entry] = deque(maxlen=length)
        self.record: Callable[[_Entry], None] = self._entries.append
        """Adds an entry, with the fields of a `StoryEntry`."""
        self.watched = False
        """Whether somebody is told of each entry."""
        self.forgotten: TaskState | None = None
        """While watched: the task that was forgotten last. Who watches lets go of what it depends on."""

    def watch(self, watcher: Callable[[_Entry], object] | None) -> None:
        """Have a function called with each entry from now on; as long as nobody watches, this costs nothing.

        It is called in the middle of things: it must not change anything, and not raise. None: no more.
        """
        remember_removed = self._entries.append
        self.watched = watcher is not None
        self.forgotten = None
        if watcher is None:
            self.record = remember_removed
            return
        watch = watcher

        def record(entry: _Entry) -> None:
            remember_removed(entry)
            watch(entry)

        self.record = record

    def of(self, keys_or_stimuli: Iterable[str]) -> list[StoryEntry]:
        """Return the transitions of these tasks, or that these stimuli led to, oldest first."""
        wanted = frozenset(keys_or_stimuli)
        return [StoryEntry(*entry) for entry in self._entries if entry[1] in wanted or entry[5] in wanted]

    def all(self) -> list[StoryEntry]:
        """Return all that is remembered, oldest first."""
        return [StoryEntry(*entry) for entry in self._entries]
