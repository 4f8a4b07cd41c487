"""Which workers may go when a cluster shrinks."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

DEFAULT_MEMORY_RATIO = 2.0
"""The workers that stay must have so many times the memory that the results take."""


@dataclass(slots=True, frozen=True)
class Candidate:
    """A worker that might go."""

    address: str
    group: Hashable
    """Workers of one group go together: those on one machine, for instance."""
    busy: bool
    """Whether tasks are assigned to it."""
    nbytes: int
    """Size of the results that it holds."""
    memory_limit: int
    """Bytes that it may use; 0: no limit."""


def workers_to_close(
    candidates: Sequence[Candidate],
    waiting: bool,
    count: int | None = None,
    minimum: int = 0,
    memory_ratio: float | None = None,
) -> list[str]:
    """Return the addresses of workers that may go: the idle first, of these the ones with least to move.

    Unless a count is given only the idle ones go, none while tasks wait for a place, and only as many as leave room
    for the results: those that just one worker holds have to be moved to others.

    Parameters
    ----------
    candidates : sequence of Candidate
        All workers.
    waiting : bool
        Whether tasks wait for a place on a worker.
    count : int, optional
        How many shall go, idle or not.
    minimum : int
        How many have to stay at least.
    memory_ratio : float, optional
        How many times the results' size must be left as memory; 2 by default.

    Examples
    --------
    >>> idle = Candidate("a", "a", busy=False, nbytes=10, memory_limit=0)
    >>> busy = Candidate("b", "b", busy=True, nbytes=0, memory_limit=0)
    >>> workers_to_close([busy, idle], waiting=False)
    ['a']
    >>> workers_to_close([busy, idle], waiting=False, count=2)
    ['a', 'b']
    """
    if count is None and waiting:
        return []
    ratio = DEFAULT_MEMORY_RATIO if memory_ratio is None else memory_ratio
    groups: dict[Hashable, list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(candidate.group, []).append(candidate)
    ranked = sorted(groups.values(), key=lambda group: (_is_busy(group), sum(each.nbytes for each in group)))
    left = len(candidates)
    memory = sum(each.memory_limit for each in candidates)
    results = sum(each.nbytes for each in candidates)
    limited = all(each.memory_limit for each in candidates)
    chosen: list[str] = []
    for group in ranked:
        if left - len(group) < minimum:
            continue
        if count is not None:
            if len(chosen) + len(group) > count:
                continue
        elif _is_busy(group) or (limited and results and memory - _memory(group) < ratio * results):
            break
        elif left == len(group) and results:
            # The last ones hold all that there is.
            break
        chosen += [each.address for each in group]
        left -= len(group)
        memory -= _memory(group)
    return chosen


def _is_busy(group: Sequence[Candidate]) -> bool:
    return any(each.busy for each in group)


def _memory(group: Sequence[Candidate]) -> int:
    return sum(each.memory_limit for each in group)
