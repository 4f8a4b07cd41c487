"""The history of transitions, for users who ask what happened to a task."""

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
    """Address of the worker that the task was or is assigned to; empty: none."""
    stimulus: str
    """Cause of the transition."""


class Story:
    """The latest transitions, stored as plain tuples because there are several for each task."""

    __slots__ = ("_entries", "_remember", "forgotten", "record", "watched")

    def __init__(self, length: int) -> None:
        """Make a story that keeps `length` transitions."""
        self._entries: deque[_Entry] = deque(maxlen=length)
        self._remember: Callable[[_Entry], None] = self._entries.append
        self.record: Callable[[_Entry], None] = self._remember
        """Adds an entry, given as a tuple of the fields of a `StoryEntry`."""
        self.watched = False
        """Whether a watcher is called with each entry."""
        self.forgotten: TaskState | None = None
        """While watched: the task that was forgotten last. The watcher clears its dependencies."""

    def follow(self, follower: Callable[[_Entry], object]) -> None:
        """Call a function with each entry for good, beside the watcher, on the same terms. Before `watch`."""
        append = self._entries.append

        def remember(entry: _Entry) -> None:
            append(entry)
            follower(entry)

        self.record = self._remember = remember

    def watch(self, watcher: Callable[[_Entry], object] | None) -> None:
        """Call a function with each entry from now on; None: no longer. Without a watcher this costs nothing.

        The function is called in the middle of a transition: it must not change the state or raise.
        """
        remember_removed = self._remember
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
        """Return the transitions of these tasks, or caused by these stimuli, oldest first."""
        wanted = frozenset(keys_or_stimuli)
        return [StoryEntry(*entry) for entry in self._entries if entry[1] in wanted or entry[5] in wanted]

    def all(self) -> list[StoryEntry]:
        """Return all transitions that are kept, oldest first."""
        return [StoryEntry(*entry) for entry in self._entries]
