"""Read-only access to what the worker's core knows, for the shell, for metrics and for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dagrpc_worker.core.model import (
    CONSTRAINED,
    EXECUTING,
    FETCH,
    FLIGHT,
    LONG_RUNNING,
    MEMORY,
    MISSING,
    NO_RUN,
    READY,
    WAITING,
    WorkerState,
    report_state,
)
from dagrpc_worker.core.story import Entry


class WorkerView:
    """What can be asked of a `WorkerCore`. To be used between batches only, by whoever feeds the core."""

    __slots__ = ("_state",)

    def __init__(self, state: WorkerState) -> None:
        """Look at `state`."""
        self._state = state

    def holdings(self) -> list[tuple[str, int, int]]:
        """What the scheduler was told to be here: key, size in bytes, and the run that made it; 0: a copy."""
        tasks = self._state.tasks.values()
        return [(task.key, task.nbytes, task.made_by) for task in tasks if task.stored and task.reported]

    def seconds_ahead(self, waiting: int) -> float:
        """How long the threads go on with what was handed over if so many of that have not begun.

        Tasks that may be long do not count: nobody knows how long they are.
        """
        pool = self._state.default_pool
        return pool.short_seconds / pool.short * waiting / pool.limit if pool.short else 0.0

    # Counts, each at no cost.

    @property
    def timed_out_runs(self) -> int:
        """How many runs have failed because their time was up, and go on."""
        return len(self._state.timed_out_runs)

    @property
    def handed_over(self) -> int:
        """How many executions occupy a thread, or wait for one ahead of their time; unwanted ones too."""
        return sum(pool.handed_over for pool in self._state.pools.values())

    @property
    def executing_count(self) -> int:
        """How many tasks that are wanted were handed over and have not seceded."""
        return self._state.counts[EXECUTING]

    @property
    def long_running_count(self) -> int:
        """How many tasks that are wanted run outside of their pools."""
        return self._state.counts[LONG_RUNNING]

    @property
    def ready_count(self) -> int:
        """How many tasks could start if threads and resources were free."""
        return self._state.counts[READY] + self._state.counts[CONSTRAINED]

    @property
    def waiting_count(self) -> int:
        """How many tasks wait for dependencies."""
        return self._state.counts[WAITING]

    @property
    def fetch_count(self) -> int:
        """How many results are to be fetched; those included that nobody is known to hold."""
        return self._state.counts[FETCH] + self._state.counts[MISSING]

    @property
    def in_flight_count(self) -> int:
        """How many results that are wanted are on their way."""
        return self._state.counts[FLIGHT]

    @property
    def in_memory_count(self) -> int:
        """How many results are here."""
        return self._state.counts[MEMORY]

    @property
    def stored_nbytes(self) -> int:
        """Size of the results in the store, in bytes."""
        return self._state.stored_nbytes

    @property
    def gathers(self) -> int:
        """How many transfers from peers are under way."""
        return self._state.gathers

    @property
    def gathers_nbytes(self) -> int:
        """How many bytes they are to bring."""
        return self._state.gathers_nbytes

    @property
    def paused(self) -> bool:
        """Whether nothing new is begun."""
        return self._state.paused

    def counts(self) -> dict[str, int]:
        """How many tasks are in each state; states without tasks are left out."""
        return {name: count for name, count in self._state.counts.items() if count}

    def resources_used(self) -> dict[str, float]:
        """What of each resource is occupied."""
        return dict(self._state.resources.used)

    def resources_total(self) -> dict[str, float]:
        """What of each resource there is."""
        return dict(self._state.resources.total)

    # Tasks; these walk over all of them.

    def managed_keys(self) -> list[str]:
        """Keys of all tasks that the core manages."""
        return list(self._state.tasks)

    def state_of(self, key: str) -> str | None:
        """State of a task; none if it is unknown."""
        task = self._state.tasks.get(key)
        return task.state if task is not None else None

    def in_state(self, *states: str) -> list[str]:
        """Keys of the tasks in any of these states."""
        return [task.key for task in self._state.tasks.values() if task.state in states]

    def executing(self) -> dict[str, int]:
        """Run ids of all executions that have not ended, by key; unwanted and seceded ones too."""
        return {task.key: task.execution for task in self._state.tasks.values() if task.execution != NO_RUN}

    def stored(self) -> dict[str, int]:
        """Sizes of the results in the store, by key."""
        return {task.key: task.nbytes for task in self._state.tasks.values() if task.stored}

    def stale(self) -> list[str]:
        """Keys of discarded results that are still in the store, for executions that use them."""
        return [task.key for task in self._state.tasks.values() if task.stale]

    def durations(self) -> dict[str, float]:
        """Average seconds that tasks take here, by kind of task."""
        return {kind: each.seconds for kind, each in self._state.durations.items() if each.seconds >= 0.0}

    def describe(self, key: str) -> dict[str, Any] | None:
        """Describe a task for people; none if it is unknown."""
        task = self._state.tasks.get(key)
        return report_state(task) if task is not None else None

    # What happened.

    def story(self, *keys: str) -> list[Entry]:
        """Transitions of tasks, oldest first; of all tasks if none is named."""
        return self._state.story.of(keys) if keys else list(self._state.story.entries)

    def story_of_stimulus(self, stimulus: str) -> list[Entry]:
        """Transitions that one stimulus led to, oldest first."""
        return self._state.story.of_stimulus(stimulus)

    def story_of(self, keys_or_stimuli: Iterable[str]) -> list[Entry]:
        """Transitions of tasks, or that stimuli led to, oldest first."""
        wanted = frozenset(keys_or_stimuli)
        return [entry for entry in self._state.story.entries if entry[0] in wanted or entry[3] in wanted]
