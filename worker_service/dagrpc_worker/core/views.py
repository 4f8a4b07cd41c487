"""Read-only access to the state of the worker's core, for the shell, for metrics and for users."""

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
    """The state of a `WorkerCore`. Only its feeder may read it, between batches."""

    __slots__ = ("_state",)

    def __init__(self, state: WorkerState) -> None:
        """Show `state`."""
        self._state = state

    def holdings(self) -> list[tuple[str, int, int]]:
        """Return the reported results: key, size in bytes, and the run that made each; 0: a replica."""
        tasks = self._state.tasks.values()
        return [(task.key, task.nbytes, task.made_by) for task in tasks if task.stored and task.reported]

    def seconds_ahead(self, waiting: int) -> float:
        """Return for how many seconds the short tasks that were handed over keep the threads busy.

        `waiting` is the number of tasks that were handed over and have not begun.
        """
        pool = self._state.default_pool
        return pool.short_seconds / pool.short * waiting / pool.limit if pool.short else 0.0

    # Counts, which cost nothing.

    @property
    def timed_out_runs(self) -> int:
        """Number of runs that have failed because of their timeout but go on."""
        return len(self._state.timed_out_runs)

    @property
    def handed_over(self) -> int:
        """Number of executions that occupy a thread or were handed over early, including unwanted ones."""
        return sum(pool.handed_over for pool in self._state.pools.values())

    @property
    def executing_count(self) -> int:
        """Number of wanted tasks that were handed over and have not seceded."""
        return self._state.counts[EXECUTING]

    @property
    def long_running_count(self) -> int:
        """Number of wanted tasks that run outside of their pools."""
        return self._state.counts[LONG_RUNNING]

    @property
    def ready_count(self) -> int:
        """Number of tasks that wait for a thread or for resources only."""
        return self._state.counts[READY] + self._state.counts[CONSTRAINED]

    @property
    def waiting_count(self) -> int:
        """Number of tasks that wait for dependencies."""
        return self._state.counts[WAITING]

    @property
    def fetch_count(self) -> int:
        """Number of results that wait to be fetched, including those without a known holder."""
        return self._state.counts[FETCH] + self._state.counts[MISSING]

    @property
    def in_flight_count(self) -> int:
        """Number of wanted results that are being transferred."""
        return self._state.counts[FLIGHT]

    @property
    def in_memory_count(self) -> int:
        """Number of results in memory."""
        return self._state.counts[MEMORY]

    @property
    def stored_nbytes(self) -> int:
        """Bytes of the results in the store."""
        return self._state.stored_nbytes

    @property
    def gathers(self) -> int:
        """Number of transfers from peers that are under way."""
        return self._state.gathers

    @property
    def gathers_nbytes(self) -> int:
        """Bytes of the transfers from peers that are under way."""
        return self._state.gathers_nbytes

    @property
    def gathers_started(self) -> int:
        """Number of transfers from peers that were ever begun."""
        return self._state.gathers_started

    @property
    def gathered_nbytes(self) -> int:
        """Bytes of the results that all begun transfers from peers asked for."""
        return self._state.gathered_nbytes

    @property
    def paused(self) -> bool:
        """Whether the worker is paused: nothing new begins."""
        return self._state.paused

    @property
    def pauses(self) -> int:
        """How often the worker has paused so far."""
        return self._state.pauses

    def counts(self) -> dict[str, int]:
        """Return the number of tasks in each state that has any."""
        return {name: count for name, count in self._state.counts.items() if count}

    def resources_used(self) -> dict[str, float]:
        """Return the amount of each resource that is in use."""
        return dict(self._state.resources.used)

    def resources_total(self) -> dict[str, float]:
        """Return the amount of each resource that the worker offers."""
        return dict(self._state.resources.total)

    # Tasks; most of these walk over all tasks.

    def managed_keys(self) -> list[str]:
        """Return the keys of all tasks."""
        return list(self._state.tasks)

    def state_of(self, key: str) -> str | None:
        """Return the state of a task; None if it is unknown."""
        task = self._state.tasks.get(key)
        return task.state if task is not None else None

    def in_state(self, *states: str) -> list[str]:
        """Return the keys of the tasks in any of these states."""
        return [task.key for task in self._state.tasks.values() if task.state in states]

    def executing(self) -> dict[str, int]:
        """Return the run ids of all executions that have not ended, by key, including unwanted and seceded ones."""
        return {task.key: task.execution for task in self._state.tasks.values() if task.execution != NO_RUN}

    def stored(self) -> dict[str, int]:
        """Return the sizes of the results in the store, by key."""
        return {task.key: task.nbytes for task in self._state.tasks.values() if task.stored}

    def stale(self) -> list[str]:
        """Return the keys of discarded results that are in the store for executions that use them."""
        return [task.key for task in self._state.tasks.values() if task.stale]

    def durations(self) -> dict[str, float]:
        """Return the average duration of tasks in seconds, by prefix."""
        return {prefix: each.seconds for prefix, each in self._state.durations.items() if each.seconds >= 0.0}

    def describe(self, key: str) -> dict[str, Any] | None:
        """Return a readable description of a task; None if it is unknown."""
        task = self._state.tasks.get(key)
        return report_state(task) if task is not None else None

    # Transitions.

    def story(self, *keys: str) -> list[Entry]:
        """Return the transitions of tasks, the oldest first; by default of all tasks."""
        return self._state.story.of(keys) if keys else list(self._state.story.entries)

    def story_of_stimulus(self, stimulus: str) -> list[Entry]:
        """Return the transitions that a stimulus has caused, the oldest first."""
        return self._state.story.of_stimulus(stimulus)

    def story_of(self, keys_or_stimuli: Iterable[str]) -> list[Entry]:
        """Return the transitions of tasks, or those that stimuli have caused, the oldest first."""
        wanted = frozenset(keys_or_stimuli)
        return [entry for entry in self._state.story.entries if entry[0] in wanted or entry[3] in wanted]
