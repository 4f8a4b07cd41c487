"""LocalCluster: a scheduler and workers on this machine."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol

from dagrpc._io.credentials import check_protocol
from dagrpc._util.addresses import interface_ip
from dagrpc._util.classes import load_class
from dagrpc._util.machine import cpu_count, parse_memory_limit, processes_and_threads
from dagrpc._util.process_options import words
from dagrpc.exceptions import NoWorkersError
from dagrpc.security import ROLES, Security
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_deploy import at_exit
from dagrpc_deploy.cluster import Cluster

logger = logging.getLogger("dagrpc.deploy")

_RETIRE_LIMIT = 600.0

_WORKER_OPTIONS = words(
    """resources local_directory death_timeout heartbeat_interval contact_address executor data lifetime
    lifetime_stagger lifetime_restart metrics startup_information validate extensions env config name preload
    preload_argv memory_target_fraction memory_spill_fraction memory_pause_fraction"""
)
"""What workers can be told beside their size."""
_OF_NANNY = words("env config")


class Backend(Protocol):
    """How a local cluster runs its services."""

    async def start(self, workers: list[dict[str, Any]]) -> str:
        """Start the scheduler and workers, and return the scheduler's address."""

    async def add_workers(self, workers: list[dict[str, Any]]) -> None:
        """Start more workers."""

    async def drop(self, workers: Sequence[pb.WorkerInfo]) -> None:
        """Close workers, whatever they hold."""

    async def close(self, timeout: float) -> None:
        """Stop everything."""


class LocalCluster(Cluster):
    """A scheduler and workers on this machine.

    Parameters
    ----------
    name : str, optional
        What to call the cluster.
    n_workers : int, optional
        How many workers; by default what suits the machine.
    threads_per_worker : int, optional
        How many threads each.
    processes : bool, optional
        Whether scheduler, nannies and workers are processes of their own (the default), or run in this one.
    host : str, optional
        Where to listen; the loopback address by default. ``ip`` is another name for it, ``interface`` another way.
    scheduler_port : int
        The scheduler's port; 0: a free one.
    silence_logs : int or bool
        Level of the services' logs; False for ``INFO``.
    asynchronous : bool
        Whether to be used with ``await``.
    worker_class : type or str, optional
        `Nanny` (workers in processes), `Worker` (in this process), or a subclass of one of them; then the scheduler
        runs in this process, too.
    scheduler_kwargs : mapping, optional
        For the scheduler: ``allowed_failures``, ``idle_timeout``, ``validate``, ``worker_ttl``, ...
    memory_limit : str, number or None
        Of each worker: ``"auto"``, ``"4 GiB"``, a fraction, bytes, or 0 for none.
    **worker_kwargs
        For each worker: ``resources``, ``local_directory``, ``death_timeout``, ``env``, ``config``, ...
    security : Security, dict or bool, optional
        Certificates for TLS between all of them, or the arguments of a `Security`; True: temporary ones. By default
        those that the configuration names.
    loop, start, dashboard_address, worker_dashboard_address, services, worker_services, service_kwargs, protocol, \
blocked_handlers, scheduler_sync_interval
        As in distributed, as far as dagrpc has what they are about.

    Raises
    ------
    ValueError
        If an argument has an impossible value.
    TypeError
        If there is an argument that is not known.
    OSError
        If the port cannot be had.
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
        silence_logs: int | bool = logging.WARNING,
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
        unknown = sorted(set(worker_kwargs) - _WORKER_OPTIONS)
        if unknown:
            raise TypeError(f"LocalCluster got unknown arguments: {', '.join(unknown)}")
        for what, value in (
            ("blocked_handlers", blocked_handlers),
            ("services", services),
            ("worker_services", worker_services),
        ):
            if value:
                raise NotImplementedError(f"{what}= has nothing to do here: the services of dagrpc are its protos")
        super().__init__(asynchronous=asynchronous, name=name, security=_security_of(security, protocol))
        kind = _class_of(worker_class)
        processes = kind is not None if processes is None and kind is not None else processes
        self.processes = processes if processes is not None else protocol not in ("inproc", "inproc://")
        n_workers, threads = _divide(n_workers, threads_per_worker, self.processes)
        self._worker_options = {
            **worker_kwargs,
            "nthreads": threads,
            "memory_limit": parse_memory_limit(memory_limit, threads, max(n_workers, 1)),
        }
        self._next = 0
        self._plan: dict[Hashable, tuple[str, ...]] = {}
        self._initial = n_workers
        log_level = logging.INFO if silence_logs is False else int(silence_logs)
        if interface and (host or ip):
            raise ValueError("host and interface both say where to listen; give one of them")
        listen = interface_ip(interface) if interface else (host or ip or "127.0.0.1").rpartition("://")[2]
        self._backend = self._make_backend(kind, listen, scheduler_port, log_level, dict(scheduler_kwargs or {}))
        if not self.asynchronous:
            self._run(self._begin())

    def _make_backend(
        self, worker_class: Any, host: str, port: int, log_level: int, scheduler_options: dict[str, Any]
    ) -> Backend:
        port = scheduler_options.pop("port", port)
        host = scheduler_options.pop("host", None) or host
        if self.processes and worker_class is None:
            from dagrpc_deploy.processes import ProcessBackend

            return ProcessBackend(host, port, log_level, scheduler_options, self.security)
        from dagrpc_deploy.in_process import InProcessBackend

        if worker_class is None:
            for option in _OF_NANNY & set(self._worker_options):
                raise ValueError(f"{option}= is for worker processes; it has no meaning with processes=False")
        return InProcessBackend(host, port, scheduler_options, worker_class, self.security)

    # --- its size ---

    def _planned(self) -> dict[Hashable, tuple[str, ...]]:
        return self._plan

    def _requested(self) -> set[Hashable]:
        return set(self._plan)

    def _worker_size(self) -> dict[str, float | None]:
        return {"cores": self._worker_options["nthreads"], "memory": self._worker_options["memory_limit"] or None}

    def _new_workers(self, count: int) -> tuple[list[Hashable], list[dict[str, Any]]]:
        """Plan more workers. Returns their names, and what they are told."""
        names: list[Hashable] = list(range(self._next, self._next + count))
        self._next += count
        self._plan.update({name: (str(name),) for name in names})
        return names, [{**self._worker_options, "name": str(name)} for name in names]

    async def _start(self) -> str:
        at_exit.track(self)
        return await self._backend.start(self._new_workers(self._initial)[1])

    async def _scale_up(self, n: int) -> None:
        if n <= len(self._plan):
            return
        names, specs = self._new_workers(n - len(self._plan))
        try:
            await self._backend.add_workers(specs)
        except BaseException:
            for name in names:
                self._plan.pop(name, None)
            raise

    async def _scale_down(self, names: set[Hashable], give_up: bool = False) -> None:
        await self._refresh()
        there = [text for name in names & self._observed() for text in self._plan[name]]
        if there:
            request = pb.RetireWorkersRequest(workers=there)
            await self._scheduler().call("RetireWorkers", request, pb.RetireWorkersResponse, timeout=_RETIRE_LIMIT)
            await self._refresh()
            if staying := names & self._observed():
                if not give_up:
                    raise NoWorkersError(f"Workers {staying} stay: what they hold cannot be moved to another worker")
                logger.warning("%s closes its last workers, and what only they hold goes with them", self.name)
                assert self._info is not None
                await self._backend.drop([worker for worker in self._info.workers if worker.name in there])
        for name in names:
            self._plan.pop(name, None)

    async def _lost(self, names: set[Hashable]) -> None:
        # Their nannies have given them up, or somebody retired them.
        for name in names:
            self._plan.pop(name, None)

    async def _close(self, timeout: float) -> None:
        at_exit.untrack(self)
        await self._backend.close(timeout)

    @property
    def scheduler(self) -> Any:
        """The scheduler, if it runs in this process (``processes=False``)."""
        return self._own("scheduler")

    @property
    def workers(self) -> dict[Any, Any]:
        """The workers by name, if they run in this process (``processes=False``)."""
        return {int(name): worker for name, worker in self._own("workers").items()}

    def _own(self, what: str) -> Any:
        found = getattr(self._backend, what, None)
        if found is None:
            raise AttributeError(
                f"The {what} of this cluster is in other processes: use a client, Client.run and run_on_scheduler, "
                "or LocalCluster(processes=False)"
            )
        return found

    def start_worker(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: workers are started by `scale`.

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError("Workers are started with cluster.scale(n)")


def _security_of(given: Any, protocol: str | None) -> Security:
    """Return the security of a cluster. True: temporary certificates."""
    security = Security.temporary() if given is True else Security.of(given or None)
    having = [role for role in ROLES if security.has_tls(role)]
    if having == ["client"]:
        # Those certificates are for a cluster elsewhere.
        security, having = security.without_tls(), []
    if having and len(having) < len(ROLES):
        raise ValueError(f"comm.tls has certificates of {' and '.join(having)} only; a local cluster has all roles")
    check_protocol(protocol, security, "scheduler")
    return security


def _class_of(worker_class: Any) -> Any:
    """Return a class of workers, None for those that a cluster of processes starts by itself."""
    if isinstance(worker_class, str):
        worker_class = load_class(worker_class)
    if worker_class is None:
        return None
    from dagrpc import Nanny

    return None if worker_class is Nanny else worker_class


def _divide(n_workers: int | None, threads: int | None, processes: bool) -> tuple[int, int]:
    """Return numbers of workers and threads each, where the user gave neither, one, or both."""
    for what, value in (("n_workers", n_workers), ("threads_per_worker", threads)):
        if value is not None and value < (0 if what == "n_workers" else 1):
            raise ValueError(f"{what} is {value}; it must be at least {0 if what == 'n_workers' else 1}")
    cores = cpu_count()
    if n_workers is None and threads is None:
        return processes_and_threads(cores) if processes else (1, cores)
    if n_workers is None:
        return (max(1, cores // (threads or 1)) if processes else 1), threads or 1
    if threads is None:
        return n_workers, max(1, cores // max(n_workers, 1))
    return n_workers, threads
