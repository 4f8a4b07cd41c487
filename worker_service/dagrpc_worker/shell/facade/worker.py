"""Worker: a worker as an object."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import Mapping
from typing import Any, ClassVar

from dagrpc._auth.credentials import check_address, check_protocol, shown_address
from dagrpc._common.keys import Key
from dagrpc._common.server_status import Status
from dagrpc._common.worker_names import as_given
from dagrpc._process.machine import cpu_count, parse_memory_limit
from dagrpc._process.options import converted, declared_options
from dagrpc._process.server_classes import load_class
from dagrpc._rpc.embedded_server import EmbeddedServer, ServiceHome, refuse_unknown
from dagrpc.plugins.base import plugin_name
from dagrpc.security import Security
from dagrpc.v1 import common_pb2
from dagrpc_worker.listen_address import find_scheduler, listen_on
from dagrpc_worker.options import WorkerOptions
from dagrpc_worker.ports import ReservedPort
from dagrpc_worker.shell.facade.process_facade import Node
from dagrpc_worker.shell.facade.state_view import Held, WorkerStateView
from dagrpc_worker.shell.facade.worker_attributes import Measured
from dagrpc_worker.shell.lifecycle.start_failures import start_failure
from dagrpc_worker.shell.service import WorkerService

# What distributed's own servers take and has no meaning here.
_IGNORED = ("loop", "connection_limit", "deserialize", "stream_handlers", "connection_args", "reconnect", "quiet")

_FURTHER_OPTIONS = frozenset(name for name, each in declared_options(WorkerOptions).items() if not each.internal)
"""Options that may be given by name, also where the signature, which is distributed's, does not have them."""

_STATUSES = {
    common_pb2.WORKER_STATUS_RUNNING: Status.running,
    common_pb2.WORKER_STATUS_PAUSED: Status.paused,
    common_pb2.WORKER_STATUS_RETIRING: Status.closing_gracefully,
    common_pb2.WORKER_STATUS_CLOSING: Status.closing,
}


class Worker(Measured, Node):
    """A worker as an object: in a program that runs one itself, for tasks (`get_worker`), plugins and `Client.run`.

    It works on dagrpc's own event loop, whatever loop it is awaited on; its tasks run in threads. Attributes of a
    user's own may be put on it, to keep something between tasks.

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
            "security": security,
            "data": data,
            "metrics": metrics,
            "startup_information": startup_information,
            "lifetime": lifetime,
            "lifetime_stagger": lifetime_stagger,
            "lifetime_restart": lifetime_restart,
        }
        super().__init__()
        self._attach(WorkerService(WorkerOptions(**converted(WorkerOptions, options))))
        self._service.facade = self
        self._service.plugin_host.first = list(plugins)
        self._port_range = ports
        self.extensions.update((name, make(self)) for name, make in (extensions or {}).items())

    @classmethod
    def of(cls, service: WorkerService) -> Worker:
        """Return the object that stands for a service that runs already."""
        if service.facade is None:
            made = cls.__new__(cls)
            EmbeddedServer.__init__(made, ServiceHome(service.running_on))
            made._attach(service)
            made._own_status = Status.running
            service.facade = made
        facade: Worker = service.facade
        return facade

    def _attach(self, service: WorkerService) -> None:
        self._service = service
        self.extensions: dict[str, Any] = {}
        """Objects that belong to it, by name; for users to put theirs into."""
        self._host = service.options.host

    def __getattr__(self, name: str) -> Any:
        # What other parts of the service offer by a name of their own: plugins, actors, ...
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._service, name)

    # --- life ----------------------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where it serves, ``host:port``; empty before it has started."""
        return self._service.address

    @property
    def status(self) -> Status:
        """What it is doing."""
        if self._service._finished.is_set() and self._own_status in (Status.running, Status.closing):
            return Status.closed
        if self._own_status is not Status.running:
            return self._own_status
        return Status.closing if self._service.closed else _STATUSES.get(self._service.status, Status.running)

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
            Accepted; tasks that run are left to themselves.
        nanny : bool
            Whether its nanny is to close with it, rather than to start another worker.
        reason : str
            Why, for the log.

        Examples
        --------
        >>> async with Scheduler() as scheduler:
        ...     worker = await Worker(scheduler.address)
        ...     await worker.close()
        'OK'
        """
        if not nanny:
            self._service.restart_wanted = True
        await super().close(timeout, reason)
        return "OK"

    async def _close_service(self, reason: str) -> None:
        await self._service.close(reason)

    async def _service_finished(self) -> None:
        await self._service.finished()

    async def close_gracefully(self, restart: bool | None = None, reason: str = "closed gracefully") -> None:
        """Leave the cluster once the tasks that run are done and what only this worker holds is elsewhere.

        Parameters
        ----------
        restart : bool, optional
            Whether its nanny is to start another worker in its place; no by default.
        reason : str
            Why, for the log.
        """
        if self.status in (Status.closing, Status.closed):
            return
        await self._home.awaiting(self._service.close_gracefully(bool(restart), reason))
        self._own_status = Status.closed

    # --- plugins -------------------------------------------------------------------------------------------------

    @property
    def plugins(self) -> dict[str, Any]:
        """Its plugins, by name."""
        return self._service.plugins

    async def plugin_add(self, plugin: Any, name: str | None = None) -> dict[str, str]:
        """Set a plugin up on this worker alone, in place of one of the same name.

        Parameters
        ----------
        plugin : WorkerPlugin
            The plugin.
        name : str, optional
            What to call it; its attribute ``name`` by default.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
        ...     await worker.plugin_add(WorkerPlugin(), name="mine")
        ...     list(worker.plugins)
        ...     await worker.plugin_remove("mine")
        {'status': 'OK'}
        ['mine']
        {'status': 'OK'}
        """
        await self._home.awaiting(self._service.plugin_host.add(name or plugin_name(plugin), plugin))
        return {"status": "OK"}

    async def plugin_remove(self, name: str) -> dict[str, str]:
        """Tear a plugin down on this worker alone.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
        ...     await worker.plugin_add(WorkerPlugin(), name="mine")
        ...     await worker.plugin_remove("mine")
        {'status': 'OK'}
        {'status': 'OK'}
        """
        await self._home.awaiting(self._service.plugin_host.remove(name))
        return {"status": "OK"}

    # --- what it is ----------------------------------------------------------------------------------------------

    @property
    def name(self) -> str | int:
        """Its name on the cluster."""
        return as_given(self._service.name)

    @property
    def id(self) -> str:
        """Its own, unlike that of any other worker."""
        return self._service.id

    @property
    def worker_address(self) -> str:
        """The same as `address`."""
        return self._service.address

    @property
    def nanny(self) -> str | None:
        """Address of its nanny; None if it has none."""
        return self._service.nanny or None

    @property
    def scheduler_address(self) -> str:
        """Where the scheduler is, ``host:port``."""
        service = self._service
        return shown_address(service.scheduler_address or service.options.scheduler_address, service.credentials)

    @property
    def data(self) -> Mapping[Key, Any]:
        """The results that it holds, by key."""
        return Held(self._service.data)

    @property
    def state(self) -> WorkerStateView:
        """What is known here of its tasks."""
        return WorkerStateView(self._service)

    async def set_resources(self, **resources: float) -> None:
        """Offer other amounts of abstract resources; those that are not named stay as they are.

        Raises
        ------
        ValueError
            If an amount is below 0.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
        ...     await worker.set_resources(GPU=2)
        ...     worker.identity()["resources"]
        {'GPU': 2...}
        """
        self._home.call(self._service.set_resources, resources)

    def identity(self) -> dict[str, Any]:
        """Return what it is, as a plain dict.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Worker(scheduler.address, name="alice") as worker:
        ...     worker.identity()["name"]
        'alice'
        """
        service = self._service
        return {
            "type": "Worker",
            "id": self.id,
            "scheduler": self.scheduler_address,
            "address": self.address,
            "name": self.name,
            "nthreads": service.nthreads,
            "memory_limit": service.memory_limit,
            "resources": dict(service.resources),
            "local_directory": service.local_directory,
            "pid": os.getpid(),
        }

    def __repr__(self) -> str:
        service = self._service
        counts = service.task_counts() if self.address else {}
        return (
            f"<Worker {self.address or self.status.name!r}, name: {self.name}, status: {self.status.name}, "
            f"stored: {len(service.data)}, running: {counts.get('executing', 0)}/{service.nthreads}, "
            f"ready: {counts.get('ready', 0)}, waiting: {counts.get('waiting', 0)}>"
        )


def make_service(options: WorkerOptions) -> WorkerService:
    """Return a worker's service, with an object of the class that its options name to stand for it.

    Raises
    ------
    ValueError
        If there is no such class, or it is none of workers.
    """
    if options.worker_class is None:
        return WorkerService(options)
    kind = load_class(options.worker_class)
    if not (isinstance(kind, type) and issubclass(kind, Worker)):
        raise ValueError(f"worker_class is {kind!r}; it must be Worker or a subclass of it")
    made = kind(
        options.scheduler_address or None,
        scheduler_file=options.scheduler_file or None,
        host=options.host,
        name=options.name or None,
        nthreads=options.nthreads,
        memory_limit=options.memory_limit,
        resources=options.resources,
        local_directory=options.local_directory or None,
        contact_address=options.contact_address or None,
    )
    made._service.options = options
    # It is the service that is started.
    made._own_status = Status.running
    return made._service
