"""Worker: a worker as an object."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from dagrpc._auth.credentials import check_address, check_protocol, shown_address
from dagrpc._common.keys import Key
from dagrpc._common.server_status import Status
from dagrpc._common.worker_names import as_given
from dagrpc._process.machine import cpu_count, parse_memory_limit
from dagrpc._process.service_options import converted, declared_options
from dagrpc._rpc.embedded_server import EmbeddedServer, ServiceHome, refuse_unknown
from dagrpc.security import Security
from dagrpc.v1 import common_pb2
from dagrpc_worker.execute.custom_executors import Executors
from dagrpc_worker.listen_address import find_scheduler, listen_on
from dagrpc_worker.options import WorkerOptions
from dagrpc_worker.ports import ReservedPort
from dagrpc_worker.shell.actor_host import ActorHost
from dagrpc_worker.shell.facade import process_facade, worker_inspection, worker_services
from dagrpc_worker.shell.facade.attribute import Attribute
from dagrpc_worker.shell.facade.state_view import Held, WorkerStateView
from dagrpc_worker.shell.lifecycle.start_failures import start_failure
from dagrpc_worker.shell.monitoring.process_monitor import ProcessMonitor
from dagrpc_worker.shell.service import WorkerService
from dagrpc_worker.shell.shuffle.shuffle_runs import Shuffles

# Arguments of distributed's workers that have no meaning for dagrpc.
_IGNORED = ("loop", "connection_limit", "deserialize", "stream_handlers", "connection_args", "reconnect", "quiet")

_FURTHER_OPTIONS = frozenset(name for name, each in declared_options(WorkerOptions).items() if not each.internal)
"""Options that may be given by name, also where the signature, which is distributed's, does not have them."""

_STATUSES = {
    common_pb2.WORKER_STATUS_RUNNING: Status.running,
    common_pb2.WORKER_STATUS_PAUSED: Status.paused,
    common_pb2.WORKER_STATUS_RETIRING: Status.closing_gracefully,
    common_pb2.WORKER_STATUS_CLOSING: Status.closing,
}


class Worker(EmbeddedServer):
    """A worker as an object: in a program that starts one itself, for tasks (`get_worker`), plugins and `Client.run`.

    The worker runs on dagrpc's own event loop, whichever loop it is awaited on; its tasks run in threads. Users may set
    attributes of their own on it, to keep something between tasks.

    Parameters
    ----------
    scheduler_ip : str, optional
        The scheduler's address, or its host if `scheduler_port` is given, too.
    scheduler_port : int, optional
        The scheduler's port.
    scheduler_file : str, optional
        File that names the scheduler.
    nthreads : int, optional
        How many tasks it runs at once; by default as many as there are processors.
    name : str, optional
        Its name on the cluster; its address by default.
    memory_limit : str, number or None
        ``"auto"``, ``"4 GiB"``, a fraction, bytes, or 0 or None for no limit.
    memory_target_fraction, memory_spill_fraction, memory_pause_fraction : float or False, optional
        Parts of the memory limit, instead of the settings ``worker.memory.target``, ``spill`` and ``pause``.
    resources : mapping, optional
        Abstract resources that it offers.
    local_directory : str, optional
        Where it keeps temporary files.
    host, interface, port : optional
        Where it listens; a port may be a range, ``"9000:9100"``. By default the loopback address if the scheduler is
        there, else the address on the way to it.
    contact_address : str, optional
        Where others reach it, if not where it listens.
    executor : concurrent.futures.Executor, mapping or "offload", optional
        Where tasks run, instead of in threads of the worker's own: one executor, or several by name, which tasks choose
        with ``dask.annotate(executor="name")``. There are always ``"default"`` and ``"offload"``.
    data : mutable mapping, callable or (callable, kwargs), optional
        Where results are kept, or what makes that.
    metrics, startup_information : mapping, optional
        Functions of the worker by name: numbers to measure again and again, and plain data to tell once.
    lifetime, lifetime_stagger : number or str, optional
        Leave in good order after so long, more or less. ``lifetime_restart``: have the nanny start another then.
    death_timeout : number or str, optional
        How long to look for the scheduler before giving up.
    heartbeat_interval : number or str
        How often it sends measurements.
    nanny : str or server, optional
        The nanny that looks after it.
    plugins : iterable
        Worker plugins to begin with.
    low_level_profiler : bool, optional
        Whether profiles keep the frames around a task's own code.
    profile_cycle_interval : number or str, optional
        How precisely profiles are told apart by time.
    services, silence_logs, preload, preload_argv, security, extensions, protocol, dashboard_address, dashboard, \
http_prefix, validate, transition_counter_max, scheduler_sni
        As in distributed, as far as dagrpc has what they are about.

    Raises
    ------
    ValueError, TypeError
        If an argument has an impossible value, or is not known.
    RuntimeError
        When it starts: if it cannot; from what kept it from that.
    TimeoutError
        When it starts: if no scheduler is there within `death_timeout`.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Worker(scheduler.address, name="alice", nthreads=1) as worker:
    ...     async with Client(scheduler.address, asynchronous=True) as client:
    ...         future = client.submit(sum, [1, 2, 3], key="total")
    ...         await future, worker.name, dict(worker.data)
    ...         await worker.close_gracefully()
    ...         worker.status
    (6, 'alice', {'total': 6})
    <Status.closed: 'closed'>
    """

    _instances: ClassVar[weakref.WeakSet[EmbeddedServer]] = weakref.WeakSet()
    _part = "worker"
    _port_range: tuple[int, int] = (0, 0)

    def __init__(
        self,
        scheduler_ip: str | None = None,
        scheduler_port: int | None = None,
        *,
        scheduler_file: str | None = None,
        nthreads: int | None = None,
        local_directory: str | None = None,
        services: Any = None,
        name: Any | None = None,
        executor: Any = None,
        resources: Mapping[str, float] | None = None,
        silence_logs: int | None = None,
        death_timeout: float | str | None = None,
        preload: Any = None,
        preload_argv: Any = None,
        security: Any = None,
        contact_address: str | None = None,
        heartbeat_interval: float | str = "1s",
        extensions: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        startup_information: Mapping[str, Any] | None = None,
        interface: str | None = None,
        host: str | None = None,
        port: int | str | None = None,
        protocol: str | None = None,
        dashboard_address: Any = None,
        dashboard: bool = False,
        http_prefix: str = "/",
        nanny: Any = None,
        plugins: Any = (),
        low_level_profiler: bool | None = None,
        validate: bool | None = None,
        profile_cycle_interval: Any = None,
        lifetime: float | str | None = None,
        lifetime_stagger: float | str | None = None,
        lifetime_restart: bool | None = None,
        transition_counter_max: Any = False,
        memory_limit: str | float | None = "auto",
        data: Any = None,
        scheduler_sni: str | None = None,
        **kwargs: Any,
    ) -> None:
        refuse_unknown("Worker", kwargs, (*_IGNORED, *_FURTHER_OPTIONS))
        kwargs = {name: value for name, value in kwargs.items() if name in _FURTHER_OPTIONS}
        security = Security.of(security)
        check_protocol(protocol, security, "worker")
        check_address(scheduler_ip, security, "worker")
        threads = nthreads or cpu_count()
        scheduler = find_scheduler(scheduler_ip, scheduler_port, scheduler_file)
        self._reserved: ReservedPort | None = None
        listen, ports = listen_on(host, interface, port, scheduler)
        options = {
            **kwargs,
            "scheduler_address": scheduler,
            "scheduler_file": scheduler_file,
            "host": listen,
            "contact_address": contact_address,
            "name": name,
            "nthreads": threads,
            "preload": preload,
            "preload_argv": preload_argv,
            "memory_limit": parse_memory_limit(memory_limit, threads),
            "local_directory": local_directory,
            "nanny": getattr(nanny, "address", nanny),
            "death_timeout": death_timeout,
            "heartbeat_interval": heartbeat_interval,
            "low_level_profiler": low_level_profiler,
            "profile_cycle_interval": profile_cycle_interval,
            "resources": resources,
            "executor": executor,
            "dashboard_address": dashboard_address,
            "http_prefix": http_prefix,
            "security": security,
            "data": data,
            "metrics": metrics,
            "startup_information": startup_information,
            "lifetime": lifetime,
            "lifetime_stagger": lifetime_stagger,
            "lifetime_restart": lifetime_restart,
        }
        super().__init__()
        self._attach(WorkerService(WorkerOptions(**converted(WorkerOptions, options)), lambda _: self))
        self._service.plugin_host.first = list(plugins)
        self._port_range = ports
        self.extensions.update((name, make(self)) for name, make in (extensions or {}).items())

    @classmethod
    def of(cls, service: WorkerService) -> Worker:
        """Return a new object that stands for a service that runs already."""
        made = cls.__new__(cls)
        EmbeddedServer.__init__(made, ServiceHome(service.running_on))
        made._attach(service)
        made._own_status = Status.running
        return made

    def _attach(self, service: WorkerService) -> None:
        self._service = service
        self.extensions: dict[str, Any] = {}
        """Objects by name that users attach to the worker."""
        self._host = service.options.host

    # --- lifecycle -----------------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where the worker serves, ``host:port``; empty before it has started."""
        return self._service.record.address

    @property
    def status(self) -> Status:
        """The worker's status."""
        service = self._service
        if service.over and self._own_status in (Status.running, Status.closing):
            return Status.closed
        if self._own_status is not Status.running:
            return self._own_status
        return Status.closing if service.closed else _STATUSES.get(service.record.status, Status.running)

    def _failure(self, error: Exception) -> Exception:
        return start_failure("Worker", error, self._service.options.death_timeout)

    async def _start_service(self) -> None:
        service = self._service
        first, last = self._port_range
        if first == last:
            service.options.port = first
        else:
            try:
                reserved = await asyncio.to_thread(ReservedPort, self._host, range(first, last + 1))
            except OSError as error:
                where = f"host {self._host} with port {first}:{last}"
                raise ValueError(f"Could not start Worker on {where}: {error}") from None
            service.options.port = reserved.port
            self._reserved = reserved
        try:
            await service.start()
        finally:
            if self._reserved is not None:
                self._reserved.release()

    async def close(  # type: ignore[override]  # in the order that users of distributed know
        self,
        timeout: float = 30.0,
        executor_wait: bool = True,
        nanny: bool = True,
        reason: str = "closed",
    ) -> str | None:
        """Leave the cluster and stop.

        Parameters
        ----------
        timeout : float
            Seconds to wait at most.
        executor_wait : bool
            Accepted, without effect: running tasks are not stopped.
        nanny : bool
            Whether the nanny closes as well, rather than start another worker.
        reason : str
            The reason, for the log.

        Examples
        --------
        >>> async with Scheduler() as scheduler:
        ...     worker = await Worker(scheduler.address)
        ...     await worker.close()
        'OK'
        """
        if not nanny:
            self._service.record.restart_wanted = True
        await super().close(timeout, reason)
        return "OK"

    async def _close_service(self, reason: str) -> None:
        await self._service.close(reason)

    async def _service_finished(self) -> None:
        await self._service.finished()

    async def close_gracefully(self, restart: bool | None = None, reason: str = "closed gracefully") -> None:
        """Finish running tasks, hand over the results that only this worker holds, and leave the cluster.

        Parameters
        ----------
        restart : bool, optional
            Whether the nanny starts another worker in this one's place; no by default.
        reason : str
            The reason, for the log.
        """
        if self.status in (Status.closing, Status.closed):
            return
        await self._home.awaiting(self._service.close_gracefully(bool(restart), reason))
        self._own_status = Status.closed

    # --- plugins -------------------------------------------------------------------------------------------------

    plugins = Attribute[dict[str, Any]]("plugin_host.plugins", "The worker's plugins, by name.")

    plugin_add = worker_services.plugin_add
    plugin_remove = worker_services.plugin_remove

    # --- identity ------------------------------------------------------------------------------------------------

    id = Attribute[str]("record.id", "Unique among all workers.")
    worker_address = Attribute[str]("record.address", "The same as `address`.")
    nthreads = Attribute[int]("record.nthreads", "Number of tasks that run at once.")
    memory_limit = Attribute[int]("record.memory_limit", "Bytes of memory that the worker may use; 0: no limit.")
    resources = Attribute[dict[str, float]]("record.resources", "Abstract resources that the worker offers, by name.")
    local_directory = Attribute[str]("record.local_directory", "Directory for temporary files.")
    credentials = Attribute[Any]("record.credentials", "Credentials for TLS; None: connections are not encrypted.")
    security = Attribute[Security]("security", "The `Security` of the worker.")
    thread_id = Attribute[int]("thread_id", "The thread of the worker's event loop; 0 before it has started.")
    services = Attribute(process_facade.services)

    @property
    def name(self) -> str | int:
        """The worker's name on the cluster."""
        return as_given(self._service.record.name)

    @property
    def nanny(self) -> str | None:
        """Address of the worker's nanny; None if it has none."""
        return self._service.record.nanny or None

    @property
    def contact_address(self) -> str:
        """Address under which others reach the worker."""
        return self.address or self._service.options.contact_address

    @property
    def scheduler_address(self) -> str:
        """Address of the scheduler, ``host:port``."""
        service = self._service
        address = service.record.scheduler_address or service.options.scheduler_address
        return shown_address(address, service.record.credentials)

    def identity(self) -> dict[str, Any]:
        """Return the worker's description as a dict.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Worker(scheduler.address, name="alice") as worker:
        ...     worker.identity()["name"]
        'alice'
        """
        record = self._service.record
        return {
            "type": "Worker",
            "id": self.id,
            "scheduler": self.scheduler_address,
            "address": self.address,
            "name": self.name,
            "nthreads": record.nthreads,
            "memory_limit": record.memory_limit,
            "resources": dict(record.resources),
            "local_directory": record.local_directory,
            "pid": os.getpid(),
        }

    def __repr__(self) -> str:
        service = self._service
        counts = service.state.counts() if self.address else {}
        return (
            f"<Worker {self.address or self.status.name!r}, name: {self.name}, status: {self.status.name}, "
            f"stored: {len(service.data)}, running: {counts.get('executing', 0)}/{service.record.nthreads}, "
            f"ready: {counts.get('ready', 0)}, waiting: {counts.get('waiting', 0)}>"
        )

    # --- settings ------------------------------------------------------------------------------------------------

    lifetime = Attribute[float | None]("options.lifetime", "Seconds until the worker closes gracefully; None: never.")
    lifetime_restart = Attribute[bool]("options.lifetime_restart", "Whether another worker follows then.")
    death_timeout = Attribute[float | None](
        "options.death_timeout", "Seconds to look for the scheduler before giving up; None: without end."
    )
    heartbeat_interval = Attribute[float]("options.heartbeat_interval", "Seconds between two heartbeats.")
    low_level_profiler = Attribute[bool](
        "options.low_level_profiler", "Whether profiles keep the frames around a task's own code."
    )
    metrics = Attribute[dict[str, Callable[[Any], Any]]](
        "options.metrics", "Functions whose results heartbeats report, by name. Functions may be added."
    )
    startup_information = Attribute[Mapping[str, Callable[[Any], Any]]](
        "options.startup_information", "Functions whose results the scheduler gets at the start, by name."
    )
    memory_manager = Attribute(worker_inspection.memory_manager)

    set_resources = worker_services.set_resources

    # --- measurements --------------------------------------------------------------------------------------------

    monitor = Attribute[ProcessMonitor]("monitor", "Measurements of the process: ``monitor.recent()``.")
    bandwidth = Attribute(worker_inspection.bandwidth)
    latency = Attribute(worker_inspection.latency)
    transfer_outgoing_count = Attribute(worker_inspection.transfer_outgoing_count)
    transfer_outgoing_bytes = Attribute(worker_inspection.transfer_outgoing_bytes)
    get_metrics = worker_inspection.get_metrics
    get_startup_information = worker_inspection.get_startup_information
    get_profile = worker_inspection.get_profile
    get_monitor_info = process_facade.get_monitor_info
    get_logs = process_facade.get_logs
    versions = process_facade.versions

    # --- tasks and results ---------------------------------------------------------------------------------------

    @property
    def data(self) -> Mapping[Key, Any]:
        """The results that the worker holds, by key."""
        return Held(self._service.data)

    @property
    def state(self) -> WorkerStateView:
        """The worker's view of its tasks."""
        return WorkerStateView(self._service)

    keys = worker_inspection.keys
    active_keys = Attribute(worker_inspection.active_keys)
    active_threads = Attribute(worker_inspection.active_threads)
    threads = Attribute(worker_inspection.threads)
    get_call_stack = worker_inspection.get_call_stack
    get_story = worker_inspection.get_story
    executor = Attribute(worker_inspection.executor)
    executors = Attribute[Executors]("executors", "The pools that run tasks, by name. Pools may be added.")
    actors = Attribute[dict[Any, Any]]("actors", "The actors of this worker, by key.")
    actor_host = Attribute[ActorHost]("actor_host", "Runs the methods of actors; for dagrpc's own code.")
    shuffles = Attribute[Shuffles]("shuffles", "The shuffles of this worker; for dagrpc's own code.")

    # --- for the code of tasks -----------------------------------------------------------------------------------

    get_current_task = worker_services.get_current_task
    upload_file = worker_services.upload_file
    run = process_facade.run
    scheduler = Attribute(worker_services.scheduler)
    client = Attribute(worker_services.client)
    get_client = worker_services.get_client
    log_event = worker_services.log_event
