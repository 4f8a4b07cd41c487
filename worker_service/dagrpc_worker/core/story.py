"""A bounded log of the latest transitions of tasks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeAlias

Entry: TypeAlias = tuple[str, str, str, str, float]
"""Key, state before, state after, stimulus, time.

Executions and transfers begin at the end of a batch, and have the stimulus of the batch's last event.
"""


class Story:
    """The latest transitions, the oldest first."""

    __slots__ = ("entries", "record")

    def __init__(self, length: int) -> None:
        """Remember `length` transitions."""
        self.entries: deque[Entry] = deque(maxlen=length)
        self.record: Callable[[Entry], None] = self.entries.append
        """Adds an entry. The deque's own method, since it runs at every transition."""

    def watch(self, watcher: Callable[[Entry], object] | None) -> None:
        """Call a function with each entry from now on; None ends that.

        The function is called in the middle of a batch: it must not look at the state, and must not raise.
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
        """Return the transitions of tasks."""
        wanted = frozenset(keys)
        return [entry for entry in self.entries if entry[0] in wanted]

    def of_stimulus(self, stimulus: str) -> list[Entry]:
        """Return the transitions that a stimulus has caused."""
        return [entry for entry in self.entries if entry[3] == stimulus]
