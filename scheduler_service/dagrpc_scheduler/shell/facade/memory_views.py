"""What memory is used for, of a worker or of the cluster."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class MemoryState:
    """What memory is used for, in bytes.

    Examples
    --------
    >>> memory = MemoryState.measured(process=1_000, managed=300, spilled=100)
    >>> memory.managed, memory.unmanaged, memory.managed_total
    (200, 800, 300)
    """

    process: int
    """All that the operating system counts."""
    unmanaged_old: int
    """What is no result and has been there for a while."""
    managed: int
    """Results in memory."""
    spilled: int
    """Results on disk."""

    @classmethod
    def measured(cls, process: int, managed: int, spilled: int, old: int | None = None) -> MemoryState:
        """Return the state for what was measured: of all results, `spilled` bytes are on disk.

        `old` is the least that was no result within the last time; all of it, if that is not known.
        """
        in_memory = min(max(managed - spilled, 0), process)
        unmanaged = process - in_memory
        return cls(process, unmanaged if old is None else min(old, unmanaged), in_memory, spilled)

    @classmethod
    def sum(cls, states: Iterable[MemoryState]) -> MemoryState:
        """Return the sum of several."""
        found = list(states)
        return cls(*(sum(getattr(state, field.name) for state in found) for field in fields(cls)))

    @property
    def managed_total(self) -> int:
        """Results in memory and on disk."""
        return self.managed + self.spilled

    @property
    def unmanaged(self) -> int:
        """What is no result."""
        return self.process - self.managed

    @property
    def unmanaged_recent(self) -> int:
        """What is no result and has come lately."""
        return self.unmanaged - self.unmanaged_old

    @property
    def optimistic(self) -> int:
        """What is in use if all that came lately is given back."""
        return self.managed + self.unmanaged_old
