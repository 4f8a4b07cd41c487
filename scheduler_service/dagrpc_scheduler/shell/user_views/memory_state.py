"""Use of memory, on a worker or on the whole cluster."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class MemoryState:
    """Use of memory, in bytes.

    Examples
    --------
    >>> memory = MemoryState.measured(process=1_000, managed=300, spilled=100)
    >>> memory.managed, memory.unmanaged, memory.managed_total
    (200, 800, 300)
    """

    process: int
    """Memory of the process, as the operating system counts it."""
    unmanaged_old: int
    """Memory beside results that has been in use for a while."""
    managed: int
    """Results in memory."""
    spilled: int
    """Results on disk."""

    @classmethod
    def measured(cls, process: int, managed: int, spilled: int, old: int | None = None) -> MemoryState:
        """Return the state that follows from measurements.

        Parameters
        ----------
        process : int
            Memory of the process.
        managed : int
            Size of all results.
        spilled : int
            Size of the results on disk.
        old : int, optional
            The least memory beside results that was measured recently; all of it by default.
        """
        in_memory = min(max(managed - spilled, 0), process)
        unmanaged = process - in_memory
        return cls(process, unmanaged if old is None else min(old, unmanaged), in_memory, spilled)

    @classmethod
    def sum(cls, states: Iterable[MemoryState]) -> MemoryState:
        """Return the sum of several states."""
        found = list(states)
        return cls(*(sum(getattr(state, field.name) for state in found) for field in fields(cls)))

    @property
    def managed_total(self) -> int:
        """Results in memory and on disk."""
        return self.managed + self.spilled

    @property
    def unmanaged(self) -> int:
        """Memory beside results."""
        return self.process - self.managed

    @property
    def unmanaged_recent(self) -> int:
        """Memory beside results that came into use recently."""
        return self.unmanaged - self.unmanaged_old

    @property
    def optimistic(self) -> int:
        """Memory that stays in use if everything that came into use recently is freed."""
        return self.managed + self.unmanaged_old
