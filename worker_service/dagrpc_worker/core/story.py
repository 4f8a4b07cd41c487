"""What happened to tasks of late: a bounded log of transitions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeAlias

Entry: TypeAlias = tuple[str, str, str, str, float]
"""Key, state before, state after, stimulus, time.

Executions and transfers begin at the end of a batch: their stimulus is that of the batch's last event.
"""


class Story:
    """The newest transitions, oldest first."""

    __slots__ = ("entries", "record")

    def __init__(self, length: int) -> None:
        """Remember `length` transitions."""
        self.entries: deque[Entry] = deque(maxlen=length)
        self.record: Callable[[Entry], None] = self.entries.append
        """Adds an `Entry`. The deque's own method, since it runs at every transition."""

    def watch(self, watcher: Callable[[Entry], object] | None) -> None:
        """Have a function called with each entry from now on; none of those that nobody watches costs anything.

        It is called in the middle of things: it must not look at the state, and not raise. None: no more.
        """
        remember = self.entries.append
        if watcher is None:
            self.record = remember
            return
        watch = watcher

        def record(entry: Entry) -> None:
            remember(entry)
            watch(entry)

        self.record = record

    def of(self, keys: Iterable[str]) -> list[Entry]:
        """Tell what happened to tasks."""
        wanted = frozenset(keys)
        return [entry for entry in self.entries if entry[0] in wanted]

    def of_stimulus(self, stimulus: str) -> list[Entry]:
        """Tell what one stimulus led to."""
        return [entry for entry in self.entries if entry[3] == stimulus]
