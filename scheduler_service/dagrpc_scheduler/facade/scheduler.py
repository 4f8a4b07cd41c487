"""`Scheduler`: the scheduler as an object."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from dagrpc import config
from dagrpc._auth.credentials import check_protocol
from dagrpc._common.addresses import interface_ip, is_loopback, listening_place
from dagrpc._common.keys import Key, decode_key, encode_key
from dagrpc._common.server_status import Status
from dagrpc._process.service_options import converted
from dagrpc._rpc.embedded_server import EmbeddedServer, refuse_unknown
from dagrpc.security import Security
from dagrpc_scheduler.assembly import make_service
from dagrpc_scheduler.core import model, views
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.facade import (
    control_methods,
    data_methods,
    history_methods,
    plugin_methods,
    task_methods,
    worker_methods,
)
from dagrpc_scheduler.options import SchedulerOptions
from dagrpc_scheduler.shell.memory.active_memory_manager import MemoryManagerHost
from dagrpc_scheduler.shell.plugins.span_extension import SpanExtension
from dagrpc_scheduler.shell.service import SchedulerService
from dagrpc_scheduler.shell.user_views.live_mapping import LiveMapping
from dagrpc_scheduler.shell.user_views.memory_state import MemoryState
from dagrpc_scheduler.shell.user_views.state_views import ClientState, TaskGroup, TaskPrefix, TaskState, WorkerState
from dagrpc_scheduler.shell.user_views.view import Attribute

_IGNORED = ("loop", "connection_limit", "deserialize", "stream_handlers", "connection_args", "timeout", "name")
"""Arguments of distributed's servers that have no meaning here."""

_HANDLERS = {
    "who_has": "get_who_has",
    "has_what": "get_has_what",
    "nbytes": "get_nbytes",
    "processing": "get_processing",
    "get_task_status": "get_task_status",
    "get_task_prefix_states": "get_task_prefix_states",
    "ncores": "get_ncores",
    "ncores_running": "get_ncores_running",
    "get_metadata": "get_metadata",
    "set_metadata": "set_metadata",
    "restart": "restart",
    "restart_workers": "restart_workers",
    "retire_workers": "retire_workers",
    "rebalance": "rebalance",
    "replicate": "replicate",
    "identity": "identity",
    "broadcast": "broadcast",
    "adaptive_target": "adaptive_target",
    "workers_to_close": "workers_to_close",
    "check_idle": "check_idle",
    "log_event": "log_event",
    "events": "get_events",
}
"""Methods by the names under which clients call them."""


class Scheduler(EmbeddedServer):
    """A scheduler as an object: in a program that runs one itself, for plugins, and for `run_on_scheduler`.

    It runs on dagrpc's own event loop, whatever loop it is awaited on. Its mappings of tasks, workers and clients show
    the current state.

    Parameters
    ----------
    host : str, optional
        Address to listen on; the loopback address by default.
    port : int
        Port to listen on; 0: a free one.
    interface : str, optional
        Network interface to listen on, instead of a host.
    contact_address : str, optional
        ``host:port`` under which others reach it.
    scheduler_file : str, optional
        File to write the address to.
    idle_timeout, worker_ttl : number or str, optional
        How long the scheduler stays without work; how long a worker stays without heartbeats. As configured by default.
    allowed_failures : int, optional
        How many workers may die while they run a task before the task fails.
    validate : bool, optional
        Check all invariants after each event; slow.
    extensions : mapping, optional
        Classes by name. Each is called with the scheduler when it starts; the objects are in `extensions`.
    plugins : iterable
        Scheduler plugins to start with.
    blocked_handlers : list of str, optional
        Methods that the scheduler refuses, by dagrpc's names or distributed's; the configured ones by default.
    allow_code : bool, optional
        Whether clients may run code on the scheduler; by default, if it listens on the loopback address.
    security, protocol, dashboard, dashboard_address, http_prefix, jupyter, preload, preload_argv, services, \
service_kwargs, transition_counter_max
        As in distributed, as far as dagrpc has the feature.

    Raises
    ------
    ValueError, TypeError
        If an argument has an impossible value or an unknown name.
    OSError
        When it starts: if the port is not available.

    Examples
    --------
    >>> scheduler = cluster.scheduler  # a cluster in this process has one
    >>> scheduler.status, len(scheduler.workers), scheduler.total_nthreads, scheduler.identity()["type"]
    (<Status.running: 'running'>, 2, 4, 'Scheduler')
    >>> future = client.submit(inc, 1, key="x")
    >>> future.result(), scheduler.tasks["x"].state, len(scheduler.story("x")) > 0
    (2, 'memory', True)
    >>> scheduler.log_event("notes", "hello")
    >>> scheduler.get_events("notes")
    ((..., 'hello'),)

    One of its own:

    >>> async with Scheduler() as scheduler, Worker(scheduler.address, name="alice", nthreads=1) as worker:
    ...     async with Client(scheduler.address, asynchronous=True) as client:
    ...         future = client.submit(sum, [1, 2, 3], key="x")
    ...         await future, scheduler.tasks["x"].state, scheduler.check_idle() is None
    ...         scheduler.adaptive_target(), scheduler.workers_to_close(n=1, attribute="name")
    ...         scheduler.transition("x", "forgotten")
    ...         [each["name"] for each in (await scheduler.broadcast(msg={"op": "identity"})).values()]
    ...         retired = await scheduler.retire_workers(names=["alice"])
    (6, 'memory', False)
    (1, ['alice'])
    ['alice']
    """

    # Only a service that starts with its object has extensions and plugins to start with.
    _extension_classes: Mapping[str, Callable[[Scheduler], Any]] = MappingProxyType({})
    _first_plugins: Sequence[Any] = ()

    _service: SchedulerService
    """The parts of the scheduler, for tests that look inside."""

    def __init__(
        self,
        *,
        services: Any = None,
        service_kwargs: Any = None,
        allowed_failures: int | None = None,
        extensions: Mapping[str, Callable[[Scheduler], Any]] | None = None,
        validate: bool | None = None,
        scheduler_file: str | None = None,
        security: Any = None,
        worker_ttl: float | str | None = None,
        idle_timeout: float | str | None = None,
        interface: str | None = None,
        host: str | None = None,
        port: int = 0,
        protocol: str | None = None,
        dashboard_address: Any = None,
        dashboard: bool | None = None,
        http_prefix: str = "/",
        preload: Any = None,
        preload_argv: Any = (),
        plugins: Iterable[Any] = (),
        contact_address: str | None = None,
        transition_counter_max: Any = False,
        jupyter: bool = False,
        allow_code: bool | None = None,
        blocked_handlers: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        refuse_unknown("Scheduler", kwargs, _IGNORED)
        security = Security.of(security)
        check_protocol(protocol, security, "scheduler")
        if jupyter:
            raise NotImplementedError("jupyter=True is not supported: start Jupyter by itself")
        if host and interface:
            raise ValueError("host and interface both say where to listen; give one of them")
        listen, named = listening_place(interface_ip(interface) if interface else host or "127.0.0.1", port or None)
        given = {
            "host": listen,
            "port": named or 0,
            "contact_address": contact_address,
            "scheduler_file": scheduler_file,
            "allow_code": is_loopback(listen) if allow_code is None else allow_code,
            "idle_timeout": idle_timeout,
            "worker_ttl": worker_ttl,
            "allowed_failures": allowed_failures,
            "validate": validate,
            "preload": preload,
            "preload_argv": preload_argv or None,
            "dashboard": dashboard,
            "dashboard_address": dashboard_address,
            "http_prefix": http_prefix,
            "security": security,
            "blocked_handlers": blocked_handlers,
        }
        options = SchedulerOptions(**converted(SchedulerOptions, given))
        self._attach(make_service(options, lambda service: self))
        self._extension_classes = dict(extensions or {})
        self._first_plugins = list(plugins)

    @classmethod
    def of(cls, service: SchedulerService) -> Scheduler:
        """Return an object that stands for a running service."""
        made = cls.__new__(cls)
        made._attach(service)
        made._own_status = Status.running
        return made

    def _attach(self, service: SchedulerService) -> None:
        EmbeddedServer.__init__(self, service.home)
        self._service = service
        self._host = service.options.host
        self.extensions: dict[str, Any] = service.extensions
        """Objects that belong to the scheduler, by name."""
        self.extensions["spans"] = SpanExtension(service.core)
        self.services = self._service.identity.services
        """The scheduler's other services by name, with their ports: ``dashboard``, while HTTP is served."""
        self.handlers: dict[str, Callable[..., Any]] = {
            name: getattr(self, method) for name, method in _HANDLERS.items()
        }
        """Methods that clients call by `Client.scheduler`, by name; plugins may add their own."""

    @property
    def _core(self) -> SchedulerCore:
        return self._service.core

    @property
    def _memory_manager_host(self) -> MemoryManagerHost:
        return self._service.memory_manager_host

    # --- methods, by subject -------------------------------------------------------------------------------------

    get_who_has = task_methods.get_who_has
    get_nbytes = task_methods.get_nbytes
    get_task_status = task_methods.get_task_status
    get_task_prefix_states = task_methods.get_task_prefix_states
    transition = task_methods.transition
    get_metadata = task_methods.get_metadata
    set_metadata = task_methods.set_metadata

    rebalance = data_methods.rebalance
    replicate = data_methods.replicate

    workers_list = worker_methods.workers_list
    get_has_what = worker_methods.get_has_what
    get_processing = worker_methods.get_processing
    get_ncores = worker_methods.get_ncores
    get_ncores_running = worker_methods.get_ncores_running
    coerce_address = worker_methods.coerce_address
    get_worker_service_addr = worker_methods.get_worker_service_addr
    adaptive_target = worker_methods.adaptive_target
    workers_to_close = worker_methods.workers_to_close

    broadcast = control_methods.broadcast
    close_worker = control_methods.close_worker
    retire_workers = control_methods.retire_workers
    restart = control_methods.restart
    restart_workers = control_methods.restart_workers

    story = history_methods.story
    get_logs = history_methods.get_logs
    log_event = history_methods.log_event
    get_events = history_methods.get_events

    add_plugin = plugin_methods.add_plugin
    remove_plugin = plugin_methods.remove_plugin

    # --- life ----------------------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """The scheduler's address, ``host:port``; empty before it has started."""
        return self._service.identity.address

    @property
    def status(self) -> Status:
        """The scheduler's status."""
        shutdown = self._service.shutdown
        if shutdown.finished.is_set() and self._own_status in (Status.running, Status.closing):
            return Status.closed
        if shutdown.begun and self._own_status is Status.running:
            return Status.closing
        return self._own_status

    async def _start_service(self) -> None:
        await self._service.start()
        for name, make in self._extension_classes.items():
            self.extensions[name] = make(self)
        for plugin in self._first_plugins:
            await self._service.plugins.begin(plugin)

    async def _close_service(self, reason: str) -> None:
        await self._service.close(reason)

    async def _service_finished(self) -> None:
        await self._service.shutdown.finished.wait()

    idle_since = Attribute[float | None](
        "_service.idle_watch.idle_since",
        "Since when there has been no work, in seconds since the epoch; None while there is some.",
    )

    def check_idle(self) -> float | None:
        """Look whether there is work, and return `idle_since`."""
        return self._home.call(self._service.idle_watch.check_idle, time.time())

    # --- settings ------------------------------------------------------------------------------------------------

    id = Attribute[str]("_service.identity.id", "The scheduler's unique id.")
    time_started = Attribute[float]("_service.identity.started", "Time of the start, in seconds since the epoch.")
    contact_address = Attribute[str | None](
        "_service.options.contact_address", "The address that others were to be told, if one was given."
    )
    scheduler_file = Attribute[str | None](
        "_service.options.scheduler_file", "The file with the scheduler's address, if there is one."
    )
    allowed_failures = Attribute[int](
        "_core.state.config.allowed_failures", "How many workers may die while they run a task before the task fails."
    )
    bandwidth = Attribute[float](
        "_core.state.config.bandwidth", "Bytes per second that a transfer between workers is expected to reach."
    )

    @property
    def validate(self) -> bool:
        """Whether all invariants are checked after each event."""
        return self._service.options.validate or bool(config.get("scheduler.validate"))

    @property
    def worker_ttl(self) -> float | None:
        """Seconds without a heartbeat after which a worker is removed; None: never."""
        return config.get_seconds("scheduler.worker-ttl", self._service.options.worker_ttl)

    @property
    def idle_timeout(self) -> float | None:
        """Seconds without work after which the scheduler stops; None: never."""
        return config.get_seconds("scheduler.idle-timeout", self._service.options.idle_timeout)

    @property
    def security(self) -> Security:
        """The scheduler's certificates and tokens."""
        return Security.of(self._service.options.security)

    @property
    def local_directory(self) -> str:
        """The directory of files that clients uploaded to the scheduler."""
        from dagrpc.plugins import _files

        return _files.own_directory()

    # --- tasks ---------------------------------------------------------------------------------------------------

    def _task(self, task: model.TaskState) -> TaskState:
        return TaskState(self._service.views, task)

    def _worker(self, worker: model.WorkerState) -> WorkerState:
        return WorkerState(self._service.views, worker)

    @property
    def tasks(self) -> Mapping[Key, TaskState]:
        """Tasks by key."""
        return LiveMapping(self._core.tasks, self._task, encode_key, decode_key)

    @property
    def task_groups(self) -> Mapping[str, TaskGroup]:
        """Groups of tasks by name."""
        return LiveMapping(self._core.state.groups, lambda group: TaskGroup(self._service.views, group))

    @property
    def task_prefixes(self) -> Mapping[str, TaskPrefix]:
        """Prefixes of tasks by name."""
        return LiveMapping(self._core.state.prefixes, lambda prefix: TaskPrefix(self._service.views, prefix))

    @property
    def n_tasks(self) -> int:
        """Number of tasks."""
        return len(self._core.tasks)

    @property
    def queued(self) -> list[TaskState]:
        """Tasks that wait for a free thread, the most urgent first."""
        return list(map(self._task, self._home.call(self._core.state.queue.tasks)))

    @property
    def unrunnable(self) -> dict[TaskState, float]:
        """Tasks that no worker may run, and since when."""
        return {self._task(task): since for task, since in list(self._core.state.unrunnable.items())}

    @property
    def task_metadata(self) -> Mapping[Hashable, Any]:
        """All metadata that clients and tasks set."""
        metadata: Mapping[Hashable, Any] = self._service.metadata.get([])
        return metadata

    # --- workers and clients -------------------------------------------------------------------------------------

    @property
    def workers(self) -> Mapping[str, WorkerState]:
        """Workers by address."""
        return LiveMapping(self._core.state.workers, self._worker)

    @property
    def clients(self) -> Mapping[str, ClientState]:
        """Clients by id; ``fire-and-forget`` stands for tasks that nobody waits for."""
        return LiveMapping(self._core.state.clients, lambda client: ClientState(self._service.views, client))

    @property
    def aliases(self) -> dict[str, str]:
        """Addresses of workers by name."""
        return {name: worker.address for name, worker in list(self._core.state.aliases.items())}

    @property
    def running(self) -> set[WorkerState]:
        """Workers that get tasks."""
        return set(map(self._worker, list(self._core.state.running)))

    @property
    def idle(self) -> dict[str, WorkerState]:
        """Workers without tasks, by address."""
        return {address: worker for address, worker in self.workers.items() if not worker._of.processing}

    @property
    def saturated(self) -> set[WorkerState]:
        """Workers with more tasks than threads."""
        workers = list(self._core.state.workers.values())
        busy = [each for each in workers if len(each.processing) - len(each.long_running) > each.nthreads]
        return set(map(self._worker, busy))

    resources = property(worker_methods.resources)
    host_info = property(worker_methods.host_info)
    total_nthreads = Attribute[int]("_core.state.total_nthreads", "Number of threads of all workers that get tasks.")

    @property
    def total_nthreads_history(self) -> list[tuple[float, int]]:
        """The times at which the number of threads changed, with the new numbers."""
        return list(self._core.state.spans.threads)

    @property
    def total_memory(self) -> int:
        """Sum of the memory limits of all workers, in bytes."""
        return sum(worker.memory_limit for worker in list(self._core.state.workers.values()))

    @property
    def total_occupancy(self) -> float:
        """Seconds for which all assigned and queued tasks are expected to keep one thread busy."""
        return self._home.call(views.total_occupancy, self._core)

    @property
    def memory(self) -> MemoryState:
        """Use of the memory of all workers."""
        return MemoryState.sum(worker.memory for worker in self.workers.values())

    # --- the rest ------------------------------------------------------------------------------------------------

    transition_log = property(history_methods.transition_log)
    erred_tasks = property(history_methods.erred_tasks)
    plugins = Attribute[dict[str, Any]]("_service.plugins.plugins", "The scheduler's plugins, by name.")
    events = Attribute[Mapping[str, Sequence[tuple[float, Any]]]](
        "_service.event_log", "The logged events by topic: times and messages, oldest first."
    )

    def identity(self, n_workers: int = -1) -> dict[str, Any]:
        """Return facts about the scheduler and its workers as a plain dict."""
        workers = list(self.workers.items())
        return {
            "type": "Scheduler",
            "id": self.id,
            "address": self.address,
            "services": dict(self.services),
            "started": self.time_started,
            "n_workers": len(workers),
            "total_threads": self.total_nthreads,
            "total_memory": self.total_memory,
            "workers": {
                address: worker.identity() for address, worker in (workers if n_workers < 0 else workers[:n_workers])
            },
        }

    def __repr__(self) -> str:
        state = self._core.state
        return (
            f"<Scheduler {self.address or self.status.name!r}, workers: {len(state.workers)}, "
            f"cores: {state.total_nthreads}, tasks: {len(state.tasks)}>"
        )
