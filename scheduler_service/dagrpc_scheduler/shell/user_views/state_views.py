"""Tasks, groups, prefixes, workers and clients as user code on the scheduler sees them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from dagrpc._codec.failure_text import exception_text
from dagrpc._codec.failures import decode_failure
from dagrpc._codec.plain import decode_plain
from dagrpc._common.keys import Key, decode_key
from dagrpc._common.server_status import Status
from dagrpc._common.worker_names import as_given
from dagrpc_scheduler.core import model
from dagrpc_scheduler.shell.memory.worker_memory import memory_of
from dagrpc_scheduler.shell.sessions.connected_peers import WorkerConnection
from dagrpc_scheduler.shell.sessions.translate_out import failure_message
from dagrpc_scheduler.shell.user_views.memory_state import MemoryState
from dagrpc_scheduler.shell.user_views.view import Shown, View, ViewSource

__all__ = ["ClientState", "TaskGroup", "TaskPrefix", "TaskState", "ViewSource", "WorkerState"]

_STATUSES = {"retiring": Status.closing_gracefully}


class TaskState(View):
    """A task, as it is now."""

    __slots__ = ()
    _of: model.TaskState

    state = Shown[str]("state", "The task's state: ``waiting``, ``processing``, ``memory``, ``erred``, ...")
    priority = Shown[tuple[float, ...]]("priority", "Tasks with a lower priority run first.")
    group_key = Shown[str]("group.name", "Name of the task's group.")
    prefix_key = Shown[str]("group.prefix.name", "Name of the task's prefix.")
    nbytes = Shown[int]("nbytes", "Size of the result in bytes; -1 if it is unknown.")
    run_id = Shown[int]("run_id", "Number of the latest assignment to a worker.")
    retries = Shown[int]("retries", "How many more times the task runs again after an exception.")
    suspicious = Shown[int]("suspicious", "How many workers died while they ran the task.")
    loose_restrictions = Shown[bool](
        "options.allow_other_workers",
        "Whether other workers may run the task if none of `worker_restrictions` is here.",
    )
    actor = Shown[bool]("options.actor", "Whether the task is an actor.")
    run_spec = Shown[Any]("work", "The task's work as it travels; None for data that a client scattered.")

    def _tasks(self, tasks: Iterable[model.TaskState] | None) -> set[TaskState]:
        return {TaskState(self._source, task) for task in list(tasks or ())}

    @property
    def key(self) -> Key:
        """The task's key."""
        return decode_key(self._of.key)

    @property
    def group(self) -> TaskGroup:
        """The tasks that were submitted together with this one under the same name."""
        return TaskGroup(self._source, self._of.group)

    @property
    def prefix(self) -> TaskPrefix:
        """The tasks that do the same kind of work."""
        return TaskPrefix(self._source, self._of.group.prefix)

    # --- neighbours ----------------------------------------------------------------------------------------------

    @property
    def dependencies(self) -> set[TaskState]:
        """Tasks whose results this task uses."""
        return self._tasks(self._of.dependencies)

    @property
    def dependents(self) -> set[TaskState]:
        """Tasks that use this task's result."""
        return self._tasks(self._of.dependents)

    @property
    def waiting_on(self) -> set[TaskState] | None:
        """While the task waits: its dependencies that are not in memory. None in other states."""
        if self._of.state != model.WAITING:
            return None
        return self._tasks(task for task in self._of.dependencies if task.state != model.MEMORY)

    @property
    def waiters(self) -> set[TaskState]:
        """Tasks that are still to run and need this task's result."""
        return self._tasks(task for task in list(self._of.dependents or ()) if task.state in model.ACTIVE)

    @property
    def has_lost_dependencies(self) -> bool:
        """Whether a dependency is scattered data that was lost for good."""
        return any(model.is_lost(task) for task in self._of.dependencies)

    # --- workers and clients -------------------------------------------------------------------------------------

    @property
    def who_has(self) -> set[WorkerState]:
        """Workers that hold the result."""
        return {WorkerState(self._source, worker) for worker in self._of.who_has}

    @property
    def who_wants(self) -> set[ClientState]:
        """Clients that want the result."""
        return {ClientState(self._source, client) for client in self._of.wanted_by}

    @property
    def processing_on(self) -> WorkerState | None:
        """The worker that the task is assigned to; None in other states than ``processing``."""
        worker = self._of.processing_on
        return WorkerState(self._source, worker) if worker is not None else None

    # --- result and failure --------------------------------------------------------------------------------------

    def get_nbytes(self) -> int:
        """Return the size of the result in bytes, or the configured default if the size is unknown."""
        return self._of.nbytes if self._of.nbytes >= 0 else self._source.core.state.config.default_data_size

    @property
    def type(self) -> str | None:
        """Name of the result's type."""
        return self._of.type_name.removeprefix("builtins.") or None

    def _failure(self) -> Any:
        error = self._of.error
        return failure_message(error.failure, error.origin_key) if error is not None else None

    @property
    def exception(self) -> BaseException | None:
        """The exception of a failed task. It is unpickled, so only schedulers that may run user code should ask."""
        failure = self._failure()
        return decode_failure(failure) if failure is not None else None

    @property
    def exception_text(self) -> str | None:
        """The exception of a failed task, as text."""
        failure = self._failure()
        return exception_text(failure) if failure is not None else None

    @property
    def traceback(self) -> Any:
        """The traceback of a failed task; unpickled, like `exception`."""
        error = self.exception
        return error.__traceback__ if error is not None else None

    @property
    def traceback_text(self) -> str | None:
        """The traceback of a failed task, as text."""
        failure = self._failure()
        return str(failure.traceback_text) if failure is not None else None

    @property
    def exception_blame(self) -> TaskState | None:
        """The task that failed first and made this one fail; it may be this task itself."""
        error = self._of.error
        origin = self._source.core.tasks.get(error.origin_key) if error is not None else None
        return TaskState(self._source, origin) if origin is not None else None

    @property
    def erred_on(self) -> set[str] | None:
        """Address of the worker on which the task failed."""
        failure = self._failure()
        return {failure.worker} if failure is not None and failure.worker else None

    # --- metadata and options ------------------------------------------------------------------------------------

    @property
    def metadata(self) -> dict[str, Any] | None:
        """Metadata that plugins set: those of the worker until the task had run, those of the scheduler since then."""
        return self._source.plugins.metadata_of(self._of.key)

    @metadata.setter
    def metadata(self, metadata: dict[str, Any] | None) -> None:
        self._source.plugins.set_metadata(self._of.key, metadata)

    @property
    def annotations(self) -> dict[str, Any]:
        """The task's annotations."""
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
        """Addresses, names or hosts of the workers that may run the task; None: all workers."""
        return set(self._of.options.workers) or None

    @property
    def resource_restrictions(self) -> dict[str, float] | None:
        """Resources that the task uses while it runs."""
        return dict(self._of.options.resources) or None

    def __repr__(self) -> str:
        return f"<TaskState {self.key!r} {self.state}>"


class TaskGroup(View):
    """Tasks that were submitted together under one name, such as the chunks of one array operation."""

    __slots__ = ()
    _of: model.TaskGroup

    name = Shown[str]("name", "The group's name.")

    @property
    def prefix(self) -> TaskPrefix:
        """The kind of work that the group's tasks do."""
        return TaskPrefix(self._source, self._of.prefix)

    @property
    def states(self) -> dict[str, int]:
        """The number of tasks in each state."""
        return {str(state): count for state, count in self._of.counts.items()}

    @property
    def dependencies(self) -> set[TaskGroup]:
        """Groups that the group's tasks depend on, as far as they were recorded."""
        return {TaskGroup(self._source, group) for group in list(self._of.dependencies or ())}

    @property
    def types(self) -> set[str]:
        """Types of the tasks' results."""
        return {task.type_name.removeprefix("builtins.") for task in self._tasks() if task.type_name}

    @property
    def nbytes_total(self) -> int:
        """Size of all results of the tasks that workers hold, in bytes."""
        return sum(task.nbytes for task in self._tasks() if task.who_has)

    def _tasks(self) -> list[model.TaskState]:
        return [task for task in list(self._source.core.tasks.values()) if task.group is self._of]

    @property
    def done(self) -> bool:
        """Whether none of the tasks is still to run."""
        return not any(count for state, count in self._of.counts.items() if state in model.ACTIVE)

    def __len__(self) -> int:
        return self._of.size

    def __repr__(self) -> str:
        return f"<{self.name}: {_counts(self.states)}>"


class TaskPrefix(View):
    """All tasks that do the same kind of work, and statistics about them."""

    __slots__ = ()
    _of: model.TaskPrefix

    name = Shown[str]("name", "The prefix's name.")
    duration_average = Shown[float]("duration", "Average seconds that a task takes; -1 if it is unknown.")

    @property
    def groups(self) -> list[TaskGroup]:
        """The prefix's groups."""
        groups = list(self._source.core.state.groups.values())
        return [TaskGroup(self._source, group) for group in groups if group.prefix is self._of]

    @property
    def states(self) -> dict[str, int]:
        """The number of tasks in each state."""
        total: Counter[str] = Counter(dict.fromkeys(model.STATES, 0))
        for group in self.groups:
            total.update(group.states)
        return dict(total)

    @property
    def types(self) -> set[str]:
        """Types of the tasks' results."""
        return {name for group in self.groups for name in group.types}

    @property
    def nbytes_total(self) -> int:
        """Size of all results of the tasks that workers hold, in bytes."""
        return sum(group.nbytes_total for group in self.groups)

    @property
    def suspicious(self) -> int:
        """How often workers died while they ran one of the known tasks."""
        return sum(task.suspicious for group in self.groups for task in group._tasks())

    @property
    def active(self) -> list[TaskGroup]:
        """The groups with tasks that are still to run."""
        return [group for group in self.groups if not group.done]

    def __repr__(self) -> str:
        return f"<{self.name}: {_counts(self.states)}>"


def _counts(states: dict[str, int]) -> str:
    return " ".join(f"{state}: {count}" for state, count in states.items() if count) or "no tasks"


class WorkerState(View):
    """A worker, as it is now."""

    __slots__ = ()
    _of: model.WorkerState

    address = Shown[str]("address", "The worker's address, ``host:port``.")
    host = Shown[str]("host", "The worker's host.")
    nthreads = Shown[int]("nthreads", "How many tasks the worker runs at a time.")
    memory_limit = Shown[int]("memory_limit", "Bytes of memory that the worker may use; 0: no limit.")
    nbytes = Shown[int]("nbytes", "Size of all results that the worker holds, in bytes.")
    occupancy = Shown[float]("occupancy", "Seconds for which the worker's tasks are expected to keep one thread busy.")

    def _tasks(self, tasks: Iterable[model.TaskState]) -> set[TaskState]:
        return {TaskState(self._source, task) for task in list(tasks)}

    @property
    def _connection(self) -> WorkerConnection | None:
        return self._source.peers.workers.get(self._of.address)

    @property
    def name(self) -> str | int:
        """The worker's name."""
        return as_given(self._of.name)

    @property
    def status(self) -> Status:
        """The worker's status."""
        if self._connection is None:
            return Status.closed
        return _STATUSES.get(self._of.status) or Status(self._of.status)

    @property
    def resources(self) -> dict[str, float]:
        """Abstract resources that the worker offers."""
        return dict(self._of.resources)

    @property
    def used_resources(self) -> dict[str, float]:
        """Abstract resources that the tasks assigned to the worker use."""
        return {**dict.fromkeys(self._of.resources, 0.0), **self._of.used_resources}

    @property
    def nanny(self) -> str | None:
        """Address of the worker's nanny; None if it has none."""
        return self._of.nanny or None

    @property
    def processing(self) -> set[TaskState]:
        """Tasks that are assigned to the worker and have not finished."""
        return self._tasks(self._of.processing)

    @property
    def task_prefix_count(self) -> dict[str, int]:
        """The number of tasks in `processing`, by kind of work."""
        return dict(Counter(task.group.prefix.name for task in list(self._of.processing)))

    @property
    def needs_what(self) -> dict[TaskState, int]:
        """Results of other workers that tasks in `processing` use, and how many of these tasks use each."""
        missing: Counter[TaskState] = Counter()
        for task in list(self._of.processing):
            for dependency in task.dependencies:
                if self._of not in dependency.who_has:
                    missing[TaskState(self._source, dependency)] += 1
        return dict(missing)

    @property
    def long_running(self) -> set[TaskState]:
        """Tasks in `processing` that have left the worker's pool of threads."""
        return self._tasks(self._of.long_running)

    @property
    def has_what(self) -> set[TaskState]:
        """Tasks whose results the worker holds."""
        return self._tasks(self._of.has_what)

    @property
    def actors(self) -> set[TaskState]:
        """Actors that live on the worker."""
        return self._tasks(task for task in list(self._of.has_what) if task.options.actor)

    @property
    def metrics(self) -> dict[str, Any]:
        """The worker's last measurements."""
        connection = self._connection
        return dict(connection.metrics) if connection is not None else {}

    @property
    def last_seen(self) -> float:
        """Time of the worker's last message or heartbeat, in seconds since the epoch."""
        connection = self._connection
        return connection.last_seen if connection is not None else 0.0

    @property
    def local_directory(self) -> str:
        """The worker's directory for temporary files."""
        connection = self._connection
        return connection.hello.local_directory if connection is not None else ""

    @property
    def pid(self) -> int:
        """The worker's process id."""
        connection = self._connection
        return connection.hello.pid if connection is not None else 0

    @property
    def services(self) -> dict[str, int]:
        """The ports of the worker's other services, by name."""
        connection = self._connection
        return dict(connection.hello.services) if connection is not None else {}

    @property
    def bandwidth(self) -> float:
        """Bytes per second that a transfer from the worker is expected to reach."""
        return float(self._source.core.state.config.bandwidth)

    @property
    def extra(self) -> dict[str, Any]:
        """The worker's ``startup_information``."""
        connection = self._connection
        told = connection.hello.startup_information if connection is not None else b""
        return dict(decode_plain(told)) if told else {}

    @property
    def memory(self) -> MemoryState:
        """Use of the worker's memory."""
        return memory_of(self._source.peers, self._of)

    def identity(self) -> dict[str, Any]:
        """Return facts about the worker as a plain dict."""
        return {
            "type": "Worker",
            "id": self.name,
            "host": self.host,
            "resources": self.resources,
            "local_directory": self.local_directory,
            "name": self.name,
            "nthreads": self.nthreads,
            "memory_limit": self.memory_limit,
            "services": self.services,
            "metrics": self.metrics,
            "status": self.status.name,
            "nanny": self.nanny,
            "last_seen": self.last_seen,
        }

    def __repr__(self) -> str:
        worker = self._of
        return (
            f"<WorkerState {worker.address!r}, name: {worker.name}, status: {self.status.name}, "
            f"memory: {len(worker.has_what)}, processing: {len(worker.processing)}>"
        )


class ClientState(View):
    """A client, as it is now."""

    __slots__ = ()
    _of: model.ClientState

    client_key = Shown[str]("name", "The client's id.")

    @property
    def wants_what(self) -> set[TaskState]:
        """Tasks whose results the client wants."""
        return {TaskState(self._source, task) for task in list(self._of.wants)}

    def __repr__(self) -> str:
        return f"<Client {self.client_key!r}>"
