"""Tasks, groups and prefixes as users' code on the scheduler sees them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dagrpc._codec.failure_text import exception_text
from dagrpc._codec.failures import decode_failure
from dagrpc._common.keys import Key, decode_key
from dagrpc_scheduler.core import model
from dagrpc_scheduler.shell.sessions.translate_out import failure_message

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.facade.peer_views import ClientState, WorkerState
    from dagrpc_scheduler.shell.facade.scheduler import Scheduler


class View:
    """Shows an object of the core as it is at the moment. Two views of the same object are equal."""

    __slots__ = ("_of", "_scheduler")

    def __init__(self, scheduler: Scheduler, of: Any) -> None:
        self._scheduler = scheduler
        self._of = of

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._of is self._of

    def __hash__(self) -> int:
        return hash(id(self._of))


class TaskState(View):
    """A task, as it is at the moment."""

    __slots__ = ()
    _of: model.TaskState

    def _tasks(self, tasks: Iterable[model.TaskState] | None) -> set[TaskState]:
        return {TaskState(self._scheduler, task) for task in list(tasks or ())}

    @property
    def key(self) -> Key:
        """Its key."""
        return decode_key(self._of.key)

    @property
    def state(self) -> str:
        """One of the scheduler's states of tasks: ``waiting``, ``processing``, ``memory``, ``erred``, ..."""
        return self._of.state

    @property
    def priority(self) -> tuple[float, ...]:
        """What is compared to decide which task runs first; the lower one does."""
        return self._of.priority

    @property
    def group(self) -> TaskGroup:
        """The tasks that came about together with it."""
        return TaskGroup(self._scheduler, self._of.group)

    @property
    def prefix(self) -> TaskPrefix:
        """The tasks that do the same kind of work."""
        return TaskPrefix(self._scheduler, self._of.group.prefix)

    @property
    def group_key(self) -> str:
        """Name of its group."""
        return self._of.group.name

    @property
    def prefix_key(self) -> str:
        """Name of its prefix."""
        return self._of.group.prefix.name

    # --- neighbours ---

    @property
    def dependencies(self) -> set[TaskState]:
        """Tasks whose results it uses."""
        return self._tasks(self._of.dependencies)

    @property
    def dependents(self) -> set[TaskState]:
        """Tasks that use its result."""
        return self._tasks(self._of.dependents)

    @property
    def waiting_on(self) -> set[TaskState] | None:
        """While it waits: the dependencies that are not in memory. None in other states."""
        if self._of.state != model.WAITING:
            return None
        return self._tasks(task for task in self._of.dependencies if task.state != model.MEMORY)

    @property
    def waiters(self) -> set[TaskState]:
        """Tasks that are to be computed and need its result."""
        return self._tasks(task for task in list(self._of.dependents or ()) if task.state in model.ACTIVE)

    @property
    def has_lost_dependencies(self) -> bool:
        """Whether a task that it depends on is data that is gone for good."""
        return any(model.is_lost(task) for task in self._of.dependencies)

    # --- where ---

    @property
    def who_has(self) -> set[WorkerState]:
        """Workers that hold its result."""
        return {self._scheduler._worker(worker) for worker in self._of.who_has}

    @property
    def who_wants(self) -> set[ClientState]:
        """Clients that want its result."""
        return {self._scheduler._client(client) for client in self._of.wanted_by}

    @property
    def processing_on(self) -> WorkerState | None:
        """The worker that it is assigned to."""
        worker = self._of.processing_on
        return self._scheduler._worker(worker) if worker is not None else None

    # --- result and failure ---

    @property
    def nbytes(self) -> int:
        """Size of its result in bytes; -1: unknown."""
        return self._of.nbytes

    def get_nbytes(self) -> int:
        """Return the size of its result in bytes, that which is assumed if it is unknown."""
        return self._of.nbytes if self._of.nbytes >= 0 else self._scheduler._core.state.config.default_data_size

    @property
    def type(self) -> str | None:
        """Name of its result's type."""
        return self._of.type_name.removeprefix("builtins.") or None

    @property
    def run_id(self) -> int:
        """Names the latest assignment to a worker."""
        return self._of.run_id

    @property
    def retries(self) -> int:
        """How many more times it is run again after an exception."""
        return self._of.retries

    @property
    def suspicious(self) -> int:
        """How many workers died while they ran it."""
        return self._of.suspicious

    def _failure(self) -> Any:
        error = self._of.error
        return failure_message(error.failure, error.origin_key) if error is not None else None

    @property
    def exception(self) -> BaseException | None:
        """Why it failed. Unpickled here, so only for schedulers that may run users' code."""
        failure = self._failure()
        return decode_failure(failure) if failure is not None else None

    @property
    def exception_text(self) -> str | None:
        """Why it failed, in words."""
        failure = self._failure()
        return exception_text(failure) if failure is not None else None

    @property
    def traceback(self) -> Any:
        """Where it failed. Unpickled here, like `exception`."""
        error = self.exception
        return error.__traceback__ if error is not None else None

    @property
    def traceback_text(self) -> str | None:
        """Where it failed, as text."""
        failure = self._failure()
        return str(failure.traceback_text) if failure is not None else None

    @property
    def exception_blame(self) -> TaskState | None:
        """The task that failed first and took this one along; this one itself, maybe."""
        error = self._of.error
        origin = self._scheduler._core.state.tasks.get(error.origin_key) if error is not None else None
        return TaskState(self._scheduler, origin) if origin is not None else None

    @property
    def erred_on(self) -> set[str] | None:
        """Address of the worker on which it failed."""
        failure = self._failure()
        return {failure.worker} if failure is not None and failure.worker else None

    # --- what was noted ---

    @property
    def metadata(self) -> dict[str, Any] | None:
        """What plugins noted about it: those of its worker until it had run, those of the scheduler since then."""
        return self._scheduler._service.scheduler_plugins.metadata_of(self._of.key)

    @metadata.setter
    def metadata(self, metadata: dict[str, Any] | None) -> None:
        self._scheduler._service.scheduler_plugins.set_metadata(self._of.key, metadata)

    # --- what was asked for ---

    @property
    def annotations(self) -> dict[str, Any]:
        """What it was annotated with."""
        options = self._of.options
        found: dict[str, Any] = json.loads(options.annotations) if options.annotations else {}
        asked = {
            "workers": list(options.workers),
            "resources": dict(options.resources),
            "retries": options.retries,
            "priority": options.priority,
            "allow_other_workers": options.allow_other_workers,
            "executor": options.executor,
        }
        return {**{name: value for name, value in asked.items() if value}, **found}

    @property
    def worker_restrictions(self) -> set[str] | None:
        """Addresses, names or hosts of the workers that may run it; None: any."""
        return set(self._of.options.workers) or None

    @property
    def resource_restrictions(self) -> dict[str, float] | None:
        """Resources that it occupies while it runs."""
        return dict(self._of.options.resources) or None

    @property
    def loose_restrictions(self) -> bool:
        """Whether others may run it while none of those workers is there."""
        return self._of.options.allow_other_workers

    @property
    def actor(self) -> bool:
        """Whether it is an actor."""
        return self._of.options.actor

    @property
    def run_spec(self) -> Any:
        """What is run, as it travels; None for data that a client put on workers."""
        return self._of.work

    def __repr__(self) -> str:
        return f"<TaskState {self.key!r} {self.state}>"


class TaskGroup(View):
    """Tasks that came about together, such as the chunks of one array operation."""

    __slots__ = ()
    _of: model.TaskGroup

    @property
    def name(self) -> str:
        """Its name."""
        return self._of.name

    @property
    def prefix(self) -> TaskPrefix:
        """The kind of work that its tasks do."""
        return TaskPrefix(self._scheduler, self._of.prefix)

    @property
    def states(self) -> dict[str, int]:
        """How many of its tasks are in each state."""
        return {str(state): count for state, count in self._of.counts.items()}

    @property
    def dependencies(self) -> set[TaskGroup]:
        """Groups that its tasks depend on, as far as they are noted."""
        return {TaskGroup(self._scheduler, group) for group in list(self._of.dependencies or ())}

    @property
    def types(self) -> set[str]:
        """Types of the results of its tasks."""
        return {task.type_name.removeprefix("builtins.") for task in self._tasks() if task.type_name}

    @property
    def nbytes_total(self) -> int:
        """Sum of the sizes of the results of its tasks that somebody holds, in bytes."""
        return sum(task.nbytes for task in self._tasks() if task.who_has)

    def _tasks(self) -> list[model.TaskState]:
        return [task for task in list(self._scheduler._core.state.tasks.values()) if task.group is self._of]

    @property
    def done(self) -> bool:
        """Whether none of its tasks is still to be computed."""
        return not any(count for state, count in self._of.counts.items() if state in model.ACTIVE)

    def __len__(self) -> int:
        return self._of.size

    def __repr__(self) -> str:
        counts = " ".join(f"{state}: {count}" for state, count in self.states.items() if count)
        return f"<{self.name}: {counts or 'no tasks'}>"


class TaskPrefix(View):
    """All tasks that do the same kind of work, and what is known about it."""

    __slots__ = ()
    _of: model.TaskPrefix

    @property
    def name(self) -> str:
        """Its name."""
        return self._of.name

    @property
    def groups(self) -> list[TaskGroup]:
        """Its groups."""
        groups = list(self._scheduler._core.state.groups.values())
        return [TaskGroup(self._scheduler, group) for group in groups if group.prefix is self._of]

    @property
    def states(self) -> dict[str, int]:
        """How many of its tasks are in each state."""
        total: Counter[str] = Counter(dict.fromkeys(model.STATES, 0))
        for group in self.groups:
            total.update(group.states)
        return dict(total)

    @property
    def types(self) -> set[str]:
        """Types of the results of its tasks."""
        return {name for group in self.groups for name in group.types}

    @property
    def nbytes_total(self) -> int:
        """Sum of the sizes of the results of its tasks that somebody holds, in bytes."""
        return sum(group.nbytes_total for group in self.groups)

    @property
    def suspicious(self) -> int:
        """How often workers died while they ran one of its tasks that is not forgotten."""
        return sum(task.suspicious for group in self.groups for task in group._tasks())

    @property
    def active(self) -> list[TaskGroup]:
        """Its groups that have tasks which are still to be computed."""
        return [group for group in self.groups if not group.done]

    @property
    def duration_average(self) -> float:
        """Seconds that a task takes, on average; -1: unknown."""
        return self._of.duration

    def __repr__(self) -> str:
        counts = " ".join(f"{state}: {count}" for state, count in self.states.items() if count)
        return f"<{self.name}: {counts or 'no tasks'}>"
