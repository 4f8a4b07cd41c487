"""The choice of the workers that leave when a cluster shrinks."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

DEFAULT_MEMORY_RATIO = 2.0
"""The remaining workers must have this many times the memory that the results take."""


@dataclass(slots=True, frozen=True)
class Candidate:
    """A worker that may be closed."""

    address: str
    group: Hashable
    """Workers of one group close together, such as those of one machine."""
    busy: bool
    """Whether tasks are assigned to the worker."""
    nbytes: int
    """Bytes of the results that the worker holds."""
    memory_limit: int
    """The worker's memory limit in bytes; 0: none."""


def workers_to_close(
    candidates: Sequence[Candidate],
    waiting: bool,
    count: int | None = None,
    minimum: int = 0,
    memory_ratio: float | None = None,
) -> list[str]:
    """Return the addresses of the workers to close: idle ones first, those with the fewest bytes before others.

    Without a count, only idle workers are closed, none while tasks wait for a worker, and only as many as leave enough
    memory for the results: results that only one worker holds must be moved.

    Parameters
    ----------
    candidates : sequence of Candidate
        All workers.
    waiting : bool
        Whether tasks wait for a worker.
    count : int, optional
        The number of workers to close, idle or not.
    minimum : int
        The number of workers that remain at least.
    memory_ratio : float, optional
        The memory that remains, as a multiple of the size of the results; 2 by default.

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
            # The last workers hold all results.
            break
        chosen += [each.address for each in group]
        left -= len(group)
        memory -= _memory(group)
    return chosen


def _is_busy(group: Sequence[Candidate]) -> bool:
    return any(each.busy for each in group)


def _memory(group: Sequence[Candidate]) -> int:
    return sum(each.memory_limit for each in group)
