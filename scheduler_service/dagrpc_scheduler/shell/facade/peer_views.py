"""Workers and clients as users' code on the scheduler sees them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from dagrpc._codec.plain import decode_plain
from dagrpc._common.server_status import Status
from dagrpc._common.worker_names import as_given
from dagrpc_scheduler.core import model
from dagrpc_scheduler.shell.facade.memory_views import MemoryState
from dagrpc_scheduler.shell.facade.task_views import TaskState, View
from dagrpc_scheduler.shell.memory.worker_memory import memory_of

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.sessions.connected_peers import WorkerConnection

_STATUSES = {"retiring": Status.closing_gracefully}


class WorkerState(View):
    """A worker, as it is at the moment."""

    __slots__ = ()
    _of: model.WorkerState

    @property
    def _connection(self) -> WorkerConnection | None:
        return self._scheduler._service.sessions.workers.get(self._of.address)

    @property
    def address(self) -> str:
        """Where it serves, ``host:port``."""
        return self._of.address

    @property
    def name(self) -> str | int:
        """Its name on the cluster."""
        return as_given(self._of.name)

    @property
    def host(self) -> str:
        """Its host."""
        return self._of.host

    @property
    def nthreads(self) -> int:
        """How many tasks it runs at once."""
        return self._of.nthreads

    @property
    def status(self) -> Status:
        """What it is doing."""
        if self._connection is None:
            return Status.closed
        return _STATUSES.get(self._of.status) or Status(self._of.status)

    @property
    def memory_limit(self) -> int:
        """Bytes of memory that it may use; 0: no limit."""
        return self._of.memory_limit

    @property
    def resources(self) -> dict[str, float]:
        """Abstract resources that it offers."""
        return dict(self._of.resources)

    @property
    def used_resources(self) -> dict[str, float]:
        """What of them the tasks occupy that are assigned to it."""
        return {**dict.fromkeys(self._of.resources, 0.0), **self._of.used_resources}

    @property
    def nanny(self) -> str | None:
        """Address of its nanny; None if it has none."""
        return self._of.nanny or None

    @property
    def processing(self) -> set[TaskState]:
        """Tasks that are assigned to it and have not finished."""
        return {TaskState(self._scheduler, task) for task in list(self._of.processing)}

    @property
    def task_prefix_count(self) -> dict[str, int]:
        """How many of them do each kind of work."""
        return dict(Counter(task.group.prefix.name for task in list(self._of.processing)))

    @property
    def needs_what(self) -> dict[TaskState, int]:
        """Results of others that they use, and how many of them use each."""
        missing: Counter[TaskState] = Counter()
        for task in list(self._of.processing):
            for dependency in task.dependencies:
                if self._of not in dependency.who_has:
                    missing[TaskState(self._scheduler, dependency)] += 1
        return dict(missing)

    @property
    def long_running(self) -> set[TaskState]:
        """Those of them that left its pool of threads."""
        return {TaskState(self._scheduler, task) for task in list(self._of.long_running)}

    @property
    def has_what(self) -> set[TaskState]:
        """Tasks whose results it holds."""
        return {TaskState(self._scheduler, task) for task in list(self._of.has_what)}

    @property
    def actors(self) -> set[TaskState]:
        """Actors that live on it."""
        return {TaskState(self._scheduler, task) for task in list(self._of.has_what) if task.options.actor}

    @property
    def nbytes(self) -> int:
        """Sum of the sizes of the results that it holds, in bytes."""
        return self._of.nbytes

    @property
    def occupancy(self) -> float:
        """Seconds for which its tasks are expected to keep one thread busy."""
        return self._of.occupancy

    @property
    def metrics(self) -> dict[str, Any]:
        """What it last measured of itself."""
        connection = self._connection
        return dict(connection.metrics) if connection is not None else {}

    @property
    def last_seen(self) -> float:
        """When it was last heard of, in seconds since the epoch."""
        connection = self._connection
        return connection.last_seen if connection is not None else 0.0

    @property
    def local_directory(self) -> str:
        """Its directory for temporary files."""
        connection = self._connection
        return connection.hello.local_directory if connection is not None else ""

    @property
    def pid(self) -> int:
        """Its process id."""
        connection = self._connection
        return connection.hello.pid if connection is not None else 0

    @property
    def services(self) -> dict[str, int]:
        """Its other services by name, with their ports."""
        connection = self._connection
        return dict(connection.hello.services) if connection is not None else {}

    @property
    def bandwidth(self) -> float:
        """Bytes per second that a transfer from it is assumed to make."""
        return float(self._scheduler._core.state.config.bandwidth)

    @property
    def extra(self) -> dict[str, Any]:
        """What its user wanted to be known of it: ``startup_information``."""
        connection = self._connection
        told = connection.hello.startup_information if connection is not None else b""
        return dict(decode_plain(told)) if told else {}

    @property
    def memory(self) -> MemoryState:
        """What its memory is used for."""
        return memory_of(self._scheduler._service, self._of)

    def identity(self) -> dict[str, Any]:
        """Return what it is, as a plain dict."""
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
    """A client, as it is at the moment."""

    __slots__ = ()
    _of: model.ClientState

    @property
    def client_key(self) -> str:
        """Its id."""
        return self._of.name

    @property
    def wants_what(self) -> set[TaskState]:
        """Tasks whose results it wants."""
        return {TaskState(self._scheduler, task) for task in list(self._of.wants)}

    def __repr__(self) -> str:
        return f"<Client {self.client_key!r}>"
