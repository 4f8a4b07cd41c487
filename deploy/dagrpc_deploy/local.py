"""LocalCluster: a scheduler and workers on this machine."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import Any

from dagrpc._auth.credentials import check_protocol
from dagrpc._common.addresses import interface_ip
from dagrpc._loop.io_loop import spawn
from dagrpc._process.logging_config import level_number
from dagrpc._process.machine import cpu_count, parse_memory_limit, processes_and_threads
from dagrpc._process.server_classes import load_class
from dagrpc._process.service_options import free_options, words
from dagrpc.security import ROLES, Security
from dagrpc_deploy.scheduler_process import SchedulerProcess
from dagrpc_deploy.spec import SpecCluster
from dagrpc_worker.options import NannyOptions, WorkerOptions

_DECIDED_HERE = words("scheduler_address scheduler_file host port nthreads memory_limit security worker_class")
_OF_NANNY = {*free_options(NannyOptions)} - _DECIDED_HERE
_WORKER_OPTIONS = ({*free_options(WorkerOptions)} - _DECIDED_HERE) | {"validate", "extensions"} | _OF_NANNY
"""Options of workers that a `LocalCluster` takes beside those it decides itself."""


class LocalCluster(SpecCluster):
    """A scheduler and workers on this machine.

    Parameters
    ----------
    name : str, optional
        Name of the cluster.
    n_workers : int, optional
        Number of workers; by default it suits the machine.
    threads_per_worker : int, optional
        Threads of each worker.
    processes : bool, optional
        Scheduler and workers are processes of their own (the default), with nannies in this process; or they run in
        this process.
    host : str, optional
        Address to listen on; the loopback address by default. ``ip`` is another name for it; ``interface`` names a
        network interface instead.
    scheduler_port : int
        The scheduler's port; 0: a free one.
    silence_logs : int, str or bool, optional
        Level from which on the services, and this process until the cluster closes, show lines of dagrpc's log, or its
        name; None or False for ``INFO``.
    asynchronous : bool
        The cluster is used with ``await``.
    worker_class : type or str, optional
        `Nanny` (workers in processes), `Worker` (in this process), or a subclass of one of them.
    scheduler_kwargs : mapping, optional
        Options of the scheduler: ``allowed_failures``, ``idle_timeout``, ``validate``, ``worker_ttl``, ...
    memory_limit : str, number or None
        Memory of each worker: ``"auto"``, ``"4 GiB"``, a fraction, bytes, or 0 for no limit.
    **worker_kwargs
        Options of each worker: ``resources``, ``local_directory``, ``death_timeout``, ``env``, ``config``, ...
    security : Security, dict or bool, optional
        Certificates for TLS between all processes, or the arguments of a `Security`; True: temporary certificates. By
        default the configured ones.
    blocked_handlers : list of str, optional
        Methods that the scheduler refuses, by dagrpc's names or distributed's: ``["run_function"]``.
    scheduler_sync_interval : number or str
        Time between two questions for the scheduler's workers.
    loop, start, dashboard_address, worker_dashboard_address, services, worker_services, service_kwargs, protocol
        As in distributed, where they apply to dagrpc.

    Raises
    ------
    ValueError
        If an argument has an impossible value.
    TypeError
        If an argument is unknown.
    OSError
        If the port is taken.
    RuntimeError
        If a service does not start.

    Examples
    --------
    >>> with LocalCluster(n_workers=2, processes=False) as cluster, Client(cluster) as client:
    ...     client.submit(sum, [1, 2, 3]).result()
    6

    On an event loop:

    >>> async with LocalCluster(n_workers=1, processes=False, asynchronous=True) as cluster:
    ...     async with Client(cluster, asynchronous=True) as client:
    ...         await client.submit(sum, [1, 2, 3])
    6
    """

    def __init__(
        self,
        name: str | None = None,
        n_workers: int | None = None,
        threads_per_worker: int | None = None,
        processes: bool | None = None,
        loop: Any = None,
        start: Any = None,
        host: str | None = None,
        ip: str | None = None,
        scheduler_port: int = 0,
        silence_logs: int | str | bool | None = logging.WARNING,
        dashboard_address: str | None = ":8787",
        worker_dashboard_address: str | None = None,
        services: Any = None,
        worker_services: Any = None,
        service_kwargs: Any = None,
        asynchronous: bool = False,
        security: Any = None,
        protocol: str | None = None,
        blocked_handlers: Any = None,
        interface: str | None = None,
        worker_class: Any = None,
        scheduler_kwargs: Mapping[str, Any] | None = None,
        scheduler_sync_interval: float | str = 1,
        memory_limit: str | float | int | None = "auto",
        **worker_kwargs: Any,
    ) -> None:
        for what, value in (("services", services), ("worker_services", worker_services)):
            if value:
                raise NotImplementedError(f"{what}= does not apply: the protos define the services of dagrpc")
        security = _security_of(security, protocol)
        kind = _class_of(worker_class)
        self.processes = _wants_processes(processes, kind, protocol)
        n_workers, threads = _divide(n_workers, threads_per_worker, self.processes)
        if interface and (host or ip):
            raise ValueError("host and interface both say where to listen; give one of them")
        listen = interface_ip(interface) if interface else (host or ip or "127.0.0.1").rpartition("://")[2]
        if kind is None:
            _check_options(worker_kwargs, self.processes)
        limit: Any = parse_memory_limit(memory_limit, threads, max(n_workers, 1))
        if isinstance(memory_limit, str) and memory_limit != "auto":
            # Nannies and reprs show the text.
            limit = memory_limit
        level = level_number(silence_logs)
        common = {"host": listen, "security": security, "protocol": protocol}
        worker = {
            "cls": kind or load_class("dagrpc.Nanny" if self.processes else "dagrpc.Worker"),
            "options": {
                **common,
                **({"dashboard_address": worker_dashboard_address} if worker_dashboard_address else {}),
                "silence_logs": level,
                "nthreads": threads,
                "memory_limit": limit,
                **worker_kwargs,
            },
        }
        scheduler = {
            "cls": SchedulerProcess if self.processes else load_class("dagrpc.Scheduler"),
            "options": {
                **common,
                **({"silence_logs": level} if self.processes else {}),
                "port": scheduler_port,
                # The scheduler belongs to the user who runs this process.
                "allow_code": True,
                "dashboard": dashboard_address is not None,
                "dashboard_address": dashboard_address,
                "blocked_handlers": blocked_handlers,
                "service_kwargs": service_kwargs,
                **(scheduler_kwargs or {}),
            },
        }
        super().__init__(
            name=name,
            workers=dict.fromkeys(range(n_workers), worker),
            worker=worker,
            scheduler=scheduler,
            security=security,
            asynchronous=asynchronous,
            silence_logs=silence_logs,
            scheduler_sync_interval=scheduler_sync_interval,
        )

    async def _start_servers(self) -> None:
        if not isinstance(self.scheduler, SchedulerProcess):
            await super()._start_servers()
            return
        # The address is known before the scheduler serves: the workers start meanwhile.
        self.scheduler.spawn()
        self.scheduler_address = str(self.scheduler.address)
        workers = spawn(self._members.align(), self._tasks)
        try:
            await self._start_scheduler()
        except BaseException:
            workers.cancel()
            raise
        await workers

    def start_worker(self, *args: Any, **kwargs: Any) -> None:
        """Raise NotImplementedError: `scale` starts workers."""
        raise NotImplementedError("Workers are started with cluster.scale(n)")


def _security_of(given: Any, protocol: str | None) -> Security:
    """Return the security of a cluster; True stands for temporary certificates."""
    security = Security.temporary() if given is True else Security.of(given or None)
    having = [role for role in ROLES if security.has_tls(role)]
    if having == ["client"]:
        # A client's certificates alone are for a cluster elsewhere.
        security, having = security.without_tls(), []
    if having and len(having) < len(ROLES):
        raise ValueError(f"comm.tls has certificates of {' and '.join(having)} only; a local cluster has all roles")
    check_protocol(protocol, security, "scheduler")
    return security


def _class_of(worker_class: Any) -> Any:
    """Return the class of the workers; None stands for the default."""
    if isinstance(worker_class, str):
        return load_class(worker_class)
    return worker_class


def _wants_processes(given: bool | None, kind: Any, protocol: str | None) -> bool:
    if given is not None:
        return given
    if kind is not None:
        from dagrpc import Nanny

        return isinstance(kind, type) and issubclass(kind, Nanny)
    return protocol not in ("inproc", "inproc://")


def _check_options(given: Mapping[str, Any], processes: bool) -> None:
    """Raise for arguments that workers do not take, before any worker starts."""
    unknown = sorted(set(given) - _WORKER_OPTIONS)
    if unknown:
        raise TypeError(f"LocalCluster got unknown arguments: {', '.join(unknown)}")
    for option in _OF_NANNY & set(given):
        if not processes:
            raise ValueError(f"{option}= applies to worker processes only, not with processes=False")


def _divide(n_workers: int | None, threads: int | None, processes: bool) -> tuple[int, int]:
    """Return the number of workers and the threads of each, where the user gave neither, one, or both."""
    for what, value in (("n_workers", n_workers), ("threads_per_worker", threads)):
        if value is not None and value < 0:
            raise ValueError(f"{what} is {value}; it must be at least 0")
    cores = cpu_count()
    if threads == 0:
        warnings.warn("threads_per_worker=0 gives each worker as many threads as there are processors", stacklevel=3)
        return (1 if n_workers is None else n_workers), cores
    if n_workers is None and threads is None:
        return processes_and_threads(cores) if processes else (1, cores)
    if n_workers is None:
        return (max(1, cores // (threads or 1)) if processes else 1), threads or 1
    if threads is None:
        return n_workers, max(1, cores // max(n_workers, 1))
    return n_workers, threads
