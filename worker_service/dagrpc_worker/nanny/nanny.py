"""Nanny: a nanny as an object."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import weakref
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import dask.config

from dagrpc import config as settings
from dagrpc._auth.credentials import check_address, check_protocol
from dagrpc._common.addresses import is_wildcard, join_address, local_ip
from dagrpc._common.dask_config import set_here
from dagrpc._common.server_status import Status
from dagrpc._common.worker_names import as_given
from dagrpc._process.child import inherited_sys_path
from dagrpc._process.machine import cpu_count, parse_memory_limit
from dagrpc._process.service_options import as_list, process_fields
from dagrpc._rpc.embedded_server import EmbeddedServer, ServiceHome
from dagrpc.security import Security
from dagrpc_worker.exits import ExitCode
from dagrpc_worker.listen_address import find_scheduler, listen_on
from dagrpc_worker.nanny import nanny_settings, nanny_worker
from dagrpc_worker.nanny.scheduler_client import SchedulerClient
from dagrpc_worker.nanny.worker_process import WorkerProcess
from dagrpc_worker.options import IGNORED, NannyOptions, WorkerOptions
from dagrpc_worker.ports import ReservedPort, parse_ports
from dagrpc_worker.shell.facade import process_facade
from dagrpc_worker.shell.facade.attribute import Attribute
from dagrpc_worker.shell.lifecycle.start_failures import start_failure, unpickled

if TYPE_CHECKING:
    from dagrpc._client.scheduler_calls import SchedulerCalls
    from dagrpc_worker.nanny.nanny_server import NannyService
    from dagrpc_worker.shell.monitoring.process_monitor import ProcessMonitor


class Nanny(EmbeddedServer):
    """A nanny as an object: starts a worker in a process of its own, and starts another when the worker dies.

    Parameters
    ----------
    scheduler_ip, scheduler_port, scheduler_file : optional
        Where the scheduler is, as for `Worker`.
    worker_port : int or str
        Port of the worker, or a range ``"first:last"``; 0: a free one.
    nthreads, name, memory_limit, resources, local_directory, death_timeout, contact_address : optional
        For the worker, as for `Worker`.
    host, interface, port : optional
        Where nanny and worker listen, as for `Worker`; the port is the nanny's.
    env : mapping, optional
        Variables of the worker's process.
    config : mapping, optional
        Settings of dask in the worker's process, on top of those here; keys may have dots, as for `dask.config.set`.
    silence_logs : int, optional
        Level of the worker's log.
    services, reconnect, validate, quiet, preload, preload_argv, preload_nanny, preload_nanny_argv, security, \
listen_address, worker_class, protocol
        As in distributed, as far as they apply to dagrpc.
    **worker_kwargs
        For the worker: ``heartbeat_interval``, ``plugins``, ...

    Raises
    ------
    ValueError, TypeError
        If an argument has an impossible value, or is not known.
    RuntimeError
        On starting: if the nanny cannot start, or its worker does not join the cluster; chained from the cause.
    TimeoutError
        On starting: if the worker finds no scheduler within `death_timeout`.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Nanny(scheduler.address, nthreads=1) as nanny:
    ...     async with Client(scheduler.address, asynchronous=True) as client:
    ...         import os
    ...         await client.submit(os.getpid) == nanny.pid == nanny.identity()["pid"]
    ...         await nanny.kill()
    ...         nanny.is_alive()
    ...         await nanny.instantiate()
    ...         await nanny.restart()
    ...         await nanny.close_gracefully()
    True
    False
    <Status.running: 'running'>
    'OK'
    """

    _kept: ReservedPort | None = None
    """The worker's port, if a range of ports was given for it."""
    _instances: ClassVar[weakref.WeakSet[EmbeddedServer]] = weakref.WeakSet()
    _part = "nanny"

    def __init__(
        self,
        scheduler_ip: str | None = None,
        scheduler_port: int | None = None,
        scheduler_file: str | None = None,
        worker_port: int | str | None = 0,
        nthreads: int | None = None,
        local_directory: str | None = None,
        services: Any = None,
        name: Any | None = None,
        memory_limit: str | float | None = "auto",
        reconnect: bool = True,
        validate: bool = False,
        quiet: bool = False,
        resources: Mapping[str, float] | None = None,
        silence_logs: int | None = None,
        death_timeout: float | str | None = None,
        preload: Any = None,
        preload_argv: Any = None,
        preload_nanny: Any = None,
        preload_nanny_argv: Any = None,
        security: Any = None,
        contact_address: str | None = None,
        listen_address: str | None = None,
        worker_class: Any = None,
        env: Mapping[str, Any] | None = None,
        interface: str | None = None,
        host: str | None = None,
        port: int | str | None = None,
        protocol: str | None = None,
        config: Mapping[str, Any] | None = None,
        **worker_kwargs: Any,
    ) -> None:
        self.security = Security.of(security)
        check_protocol(protocol, self.security, "worker")
        check_address(scheduler_ip, self.security, "worker")
        threads = nthreads or cpu_count()
        scheduler = find_scheduler(scheduler_ip, scheduler_port, scheduler_file)
        self._host, self._ports = listen_on(host, interface, port, scheduler)
        self._worker_ports = parse_ports(str(worker_port or 0))
        self._env = {str(key): str(value) for key, value in (env or {}).items()}
        self._config = dict(config or {})
        self._preload = (as_list(preload_nanny), preload_nanny_argv)
        self._log_level = logging.WARNING if silence_logs is None else silence_logs
        self._worker = process_fields(
            WorkerOptions,
            {
                **worker_kwargs,
                "scheduler_address": scheduler or None,
                "scheduler_file": scheduler_file,
                "host": self._host,
                "contact_address": contact_address,
                "name": name,
                "nthreads": threads,
                "preload": preload,
                "preload_argv": preload_argv,
                "memory_limit": parse_memory_limit(memory_limit, threads),
                "resources": resources,
                "local_directory": local_directory,
                "death_timeout": death_timeout,
                "worker_class": worker_class,
                "security": None if security is None else self.security.fields(),
            },
            "Nanny",
            IGNORED,
        )
        self._service: NannyService | None = None
        super().__init__()
        self._scheduler = self._scheduler_client()

    @classmethod
    def of(cls, service: NannyService) -> Nanny:
        """Return a new object that stands for a service that runs already."""
        made = cls.__new__(cls)
        EmbeddedServer.__init__(made, ServiceHome(service.running_on))
        options = service.options
        made._host, made._worker = options.host, options.worker
        made._log_level = options.log_level
        made.security = Security.of(options.security)
        made._own_status = Status.running
        made._service = service
        made._scheduler = made._scheduler_client()
        return made

    def _scheduler_client(self) -> SchedulerClient:
        return SchedulerClient(self, lambda: self.scheduler_address, self.security, self._home)

    # --- lifecycle -----------------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where the nanny serves, ``host:port``; empty before it has started."""
        return self._service.address if self._service is not None else ""

    @property
    def status(self) -> Status:
        """The status of the worker's process, or of the nanny itself."""
        service = self._service
        if service is not None and service.over and self._own_status in (Status.running, Status.closing):
            return Status.closed
        if self._own_status is not Status.running or service is None:
            return self._own_status
        return Status.closing if service.closed else Status(service.status.value)

    def _failure(self, error: Exception) -> Exception:
        return start_failure("Nanny", error, self._worker.get("death_timeout"))

    async def _start_service(self) -> None:
        reserved = await asyncio.to_thread(self._reserve)
        process = None
        try:
            told: dict[str, Any] = {
                "sys_path": inherited_sys_path(),
                "config": self._worker_config(),
                "log_level": self._log_level,
            }
            given = {**_unless_set(settings.worker_environ()), **self._env}
            environ = {name: str(value) for name, value in given.items()}
            if not settings.get("nanny.preload", self._preload[0]):
                # Before further imports: the worker's start takes longest.
                host = local_ip() if is_wildcard(self._host) else self._host
                options = {**self._worker, "nanny": join_address(host, reserved.port)}
                process = WorkerProcess({**told, "options": options}, environ)
            from dagrpc_worker.nanny.nanny_server import NannyService

            self._service = NannyService(
                NannyOptions(
                    worker=self._worker,
                    host=self._host,
                    port=reserved.port,
                    **told,
                    preload_nanny=self._preload[0],
                    preload_nanny_argv=self._preload[1],
                    env=environ,
                    security=self.security,
                ),
                process,
                lambda _: self,
            )
            await self._service.start()
        except BaseException:
            if self._service is None and process is not None:
                process.kill()
            raise
        finally:
            reserved.release()
        await self._wait_joined()

    def _reserve(self) -> ReservedPort:
        """Reserve ports in the given ranges; return the reservation of the nanny's own port."""
        own = _reserved("Nanny", self._host, *self._ports)
        first, last = self._worker_ports
        if first:
            try:
                self._kept = _reserved("Worker", self._host, first, last)
            except ValueError as error:
                own.release()
                raise start_failure("Worker", error, None) from error
            self._worker["port"] = self._kept.port
        return own

    def _worker_config(self) -> dict[str, Any]:
        here = set_here()
        if not self._config:
            return here
        laid_over: dict[str, Any] = dask.config.merge(here)
        for key, value in self._config.items():
            for part in reversed(key.split(".")):
                value = {part: value}
            dask.config.update(laid_over, value)
        return laid_over

    async def _wait_joined(self) -> None:
        assert self._service is not None
        timeout = settings.get_seconds("nanny.start-timeout") or 60.0
        try:
            await self._service.wait_joined(max(timeout, self._worker.get("death_timeout") or 0.0))
        except (TimeoutError, RuntimeError) as error:
            await self._service.close("its worker did not start")
            why = str(error) or f"it did not join the cluster within {timeout:g} s"
            if self._service.last_exit_code == ExitCode.NO_SCHEDULER:
                raise TimeoutError(why) from None
            if not self._service.failure:
                raise RuntimeError(why) from None
            failure = unpickled(self._service.failure, why)
            raise start_failure("Worker", failure, None) from failure

    async def _close_service(self, reason: str) -> None:
        if self._service is not None:
            await self._service.close(reason)
        self._release_port()

    def _release_port(self) -> None:
        """Release the worker's port, which is reserved for every worker of this nanny."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.release()

    async def _service_finished(self) -> None:
        if self._service is not None:
            await self._service.finished()
        self._release_port()

    async def close_gracefully(self, reason: str = "closed gracefully") -> None:
        """Close once the worker has left."""
        await self.close(reason=reason)

    # --- worker process ------------------------------------------------------------------------------------------

    process = Attribute(nanny_worker.process)
    pid = Attribute(nanny_worker.pid)
    worker_address = Attribute(nanny_worker.worker_address)
    worker_dir = Attribute(nanny_worker.worker_directory)
    restarts = Attribute[int]("restarts", "Number of times that the worker had to be started again.")
    last_exit_code = Attribute[int](
        "last_exit_code", "Exit code of the last worker process, or the negative number of the signal that ended it."
    )
    instantiate = nanny_worker.instantiate
    kill = nanny_worker.kill
    restart = nanny_worker.restart
    is_alive = nanny_worker.is_alive

    # --- settings of the worker ----------------------------------------------------------------------------------

    env = Attribute(nanny_settings.env)
    config = Attribute(nanny_settings.config)
    nthreads = Attribute(nanny_settings.nthreads)
    resources = Attribute(nanny_settings.resources)
    memory_limit = Attribute(nanny_settings.memory_limit)
    memory_manager = Attribute(nanny_settings.memory_manager)
    death_timeout = Attribute(nanny_settings.death_timeout)
    contact_address = Attribute(nanny_settings.contact_address)
    preload = Attribute(nanny_settings.preload)
    preload_argv = Attribute(nanny_settings.preload_argv)
    worker_kwargs = Attribute(nanny_settings.worker_kwargs)

    @property
    def silence_logs(self) -> Any:
        """Level from which on the worker logs."""
        return self._log_level

    @cached_property
    def local_directory(self) -> str:
        """The directory that contains the directories of its workers; the first use creates it."""
        from dagrpc_worker.shell.lifecycle.workspace import shared_directory

        return str(shared_directory(self._worker.get("local_directory") or ""))

    # --- identity ------------------------------------------------------------------------------------------------

    services = Attribute(process_facade.services)

    @property
    def id(self) -> str:
        """Unique among all nannies; empty before it has started."""
        return self._service.id if self._service is not None else ""

    @property
    def name(self) -> str | int:
        """The worker's name."""
        return as_given(self._service.name if self._service is not None else str(self._worker.get("name", "")))

    @property
    def thread_id(self) -> int:
        """The thread of the nanny's event loop; 0 before it has started."""
        return self._service.thread_id if self._service is not None else 0

    def identity(self) -> dict[str, Any]:
        """Return the nanny's description as a dict."""
        return {
            "type": "Nanny",
            "id": self.id,
            "name": self.name,
            "address": self.address,
            "worker_address": self.worker_address,
            "scheduler": self.scheduler_address,
            "pid": self.pid,
        }

    def __repr__(self) -> str:
        return f"<Nanny {self.address or self.status.name!r}, threads: {self.nthreads}, status: {self.status.name}>"

    # --- measurements of the nanny's process ---------------------------------------------------------------------

    @cached_property
    def monitor(self) -> ProcessMonitor:
        """Measurements of the nanny's own process: ``monitor.update()``."""
        from dagrpc_worker.shell.monitoring.process_monitor import ProcessMonitor

        return ProcessMonitor()

    get_monitor_info = process_facade.get_monitor_info
    get_logs = process_facade.get_logs
    versions = process_facade.versions
    run = process_facade.run

    # --- plugins and the scheduler -------------------------------------------------------------------------------

    @property
    def plugins(self) -> dict[str, Any]:
        """The nanny's plugins, by name."""
        return self._service.plugins if self._service is not None else {}

    plugin_add = nanny_worker.plugin_add
    plugin_remove = nanny_worker.plugin_remove

    @property
    def scheduler_address(self) -> str:
        """Address of the scheduler, ``host:port``; empty while the worker looks for the scheduler in a file."""
        return self._service.scheduler_address if self._service else str(self._worker.get("scheduler_address") or "")

    @property
    def scheduler_addr(self) -> str:
        """The same as `scheduler_address`."""
        return self.scheduler_address

    @property
    def scheduler(self) -> SchedulerCalls:
        """The scheduler, with the calls that plugins can make."""
        return self._scheduler.scheduler()

    def log_event(self, topic: str | Collection[str], msg: Any) -> None:
        """Log an event. From any thread; it is sent soon, and lost if the scheduler cannot be reached.

        Parameters
        ----------
        topic : str, or a list, tuple or set of str
            The topic, or several.
        msg : plain data
            None, booleans, numbers, text, bytes, and lists, tuples and dicts of those.

        Raises
        ------
        TypeError
            If the message is something else.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Nanny(scheduler.address, nthreads=1) as nanny:
        ...     nanny.log_event("nannies", {"pid": nanny.pid})
        """
        self._scheduler.log_event(topic, msg)

    async def _release(self) -> None:
        """Close the connection to the scheduler, if there is one. On the loop."""
        await self._scheduler.close()


def _reserved(who: str, host: str, first: int, last: int) -> ReservedPort:
    try:
        return ReservedPort(host, range(first, last + 1))
    except OSError as error:
        ports = str(first) if first == last else f"{first}:{last}"
        raise ValueError(f"Could not start {who} on host {host} with port {ports}: {error}") from None


def _unless_set(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables that are not set in this process: an environment variable overrides the configuration."""
    return {name: value for name, value in variables.items() if name not in os.environ}


if (_services := sys.modules.get("dagrpc_worker.nanny.nanny_server")) is not None:
    # `Nanny._instances` has every nanny of the process: create the objects that no code has asked for yet.
    for _service in list(_services.LIVE):
        _service.facade  # noqa: B018
