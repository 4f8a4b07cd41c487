"""The part of the scheduler as an object that says how it stands: its load, its settings, its log and its story."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from dagrpc import config
from dagrpc._common.keys import Key, decode_key, encode_key
from dagrpc.security import Security
from dagrpc_scheduler.core import views
from dagrpc_scheduler.shell.facade.task_views import TaskState

if TYPE_CHECKING:
    from dagrpc._rpc.embedded_server import ServiceHome
    from dagrpc_scheduler.core import story
    from dagrpc_scheduler.core.machine import SchedulerCore
    from dagrpc_scheduler.shell.facade.peer_views import WorkerState
    from dagrpc_scheduler.shell.facade.scheduler import Scheduler
    from dagrpc_scheduler.shell.service import SchedulerService


class StoryEntry(NamedTuple):
    """A transition of a task, in the order that users of distributed know."""

    key: Key
    start: str
    finish: str
    recommendations: dict[Key, str]
    """Empty: what it led to is in the story itself."""
    stimulus_id: str
    """What led to it."""
    time: float
    """When, in seconds since the epoch."""


class Standing:
    """Says how the scheduler stands. See `Scheduler`."""

    _service: SchedulerService
    _home: ServiceHome

    @property
    def _core(self) -> SchedulerCore:
        return self._service.core

    # --- what happened -------------------------------------------------------------------------------------------

    def story(self, *keys_or_tasks: Any) -> list[StoryEntry]:
        """Return what is remembered of tasks, or of what these causes led to, oldest first.

        Examples
        --------
        >>> client.submit(inc, 1, key="x").result()
        2
        >>> [entry[:3] for entry in cluster.scheduler.story("x")][0]
        ('x', 'released', 'waiting')
        """
        names = [
            each._of.key if isinstance(each, TaskState) else each if isinstance(each, str) else encode_key(each)
            for each in keys_or_tasks
        ]
        return _entries(self._home.call(views.story, self._core, names))

    @property
    def transition_log(self) -> list[StoryEntry]:
        """The last transitions of all tasks, oldest first."""
        return _entries(self._home.call(views.story, self._core))

    def get_logs(self, start: int = 0, n: int | None = None, timestamps: bool = False) -> list[tuple[Any, ...]]:
        """Return what it has logged, the latest first.

        Parameters
        ----------
        start : int
            How many of the oldest lines to leave out.
        n : int, optional
            How many lines at most.
        timestamps : bool
            Accepted for compatibility: the time is part of each line.

        Returns
        -------
        list of tuple
            Level and text of each line.

        Examples
        --------
        >>> isinstance(cluster.scheduler.get_logs(n=1), list)
        True
        """
        from dagrpc._process import log_buffer

        lines = list(log_buffer.install().latest("scheduler"))
        return lines[: max(0, len(lines) - start)][:n]

    # --- its load ------------------------------------------------------------------------------------------------

    @property
    def queued(self) -> list[TaskState]:
        """Tasks that are kept back until a worker has room for them, the most urgent first."""
        found = self._home.call(self._core.state.queue.tasks)
        return [TaskState(cast("Scheduler", self), task) for task in found]

    @property
    def saturated(self) -> set[WorkerState]:
        """Workers that have more tasks than threads for them."""
        workers = list(self._core.state.workers.values())
        busy = [each for each in workers if len(each.processing) - len(each.long_running) > each.nthreads]
        return {cast("Scheduler", self)._worker(worker) for worker in busy}

    @property
    def resources(self) -> dict[str, dict[str, float]]:
        """Amounts of abstract resources, by name and by the worker that offers them."""
        found: dict[str, dict[str, float]] = {}
        for worker in list(self._core.state.workers.values()):
            for name, amount in worker.resources.items():
                found.setdefault(name, {})[worker.address] = amount
        return found

    # --- how it is set up ----------------------------------------------------------------------------------------

    @property
    def local_directory(self) -> str:
        """Where files lie that clients put on the scheduler."""
        from dagrpc.plugins import _files

        return _files.own_directory()

    @property
    def services(self) -> dict[str, Any]:
        """Its other services by name: none."""
        return {}

    @property
    def validate(self) -> bool:
        """Whether all invariants are checked after each event."""
        return self._service.options.validate or bool(config.get("scheduler.validate"))

    @property
    def worker_ttl(self) -> float | None:
        """Seconds after which a worker that has not been heard of is taken to be gone; None: never."""
        return config.get_seconds("scheduler.worker-ttl", self._service.options.worker_ttl)

    @property
    def idle_timeout(self) -> float | None:
        """Seconds without work after which it stops; None: never."""
        return config.get_seconds("scheduler.idle-timeout", self._service.options.idle_timeout)

    @property
    def scheduler_file(self) -> str | None:
        """The file that has its address, if there is one."""
        return self._service.options.scheduler_file

    @property
    def security(self) -> Security:
        """Its certificates and tokens."""
        return Security.of(self._service.options.security)

    # --- addresses -----------------------------------------------------------------------------------------------

    def coerce_address(self, addr: Any, resolve: bool = True) -> str:
        """Return the address of a worker that is given by its address or its name.

        Raises
        ------
        TypeError
            If it is neither text nor the name of a worker.

        Examples
        --------
        >>> cluster.scheduler.coerce_address(0)
        '127.0.0.1:...'
        """
        worker = self._core.state.aliases.get(str(addr))
        if worker is not None:
            return worker.address
        if not isinstance(addr, str):
            raise TypeError(f"An address is text, or the name of a worker; got {addr!r}")
        return addr

    def get_worker_service_addr(self, worker: str, service_name: str, protocol: bool = False) -> Any:
        """Return where a worker has another service, as host and port; None if it has none of that name.

        Examples
        --------
        >>> cluster.scheduler.get_worker_service_addr(cluster.scheduler.coerce_address(0), "dashboard") is None
        True
        """
        found = cast("Scheduler", self).workers[worker]
        port = found.services.get(service_name)
        if port is None:
            return None
        return f"{service_name}://{found.host}:{port}" if protocol else (found.host, port)


def _entries(found: Iterable[story.StoryEntry]) -> list[StoryEntry]:
    return [StoryEntry(decode_key(each.key), each.start, each.finish, {}, each.stimulus, each.time) for each in found]
