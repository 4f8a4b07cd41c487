"""LocalCluster: a scheduler and workers on this machine."""

from __future__ import annotations

import atexit
import contextlib
import logging
import threading
import weakref
from collections.abc import Mapping
from typing import Any, Protocol

from dagrpc._client.connection import close_all
from dagrpc._util.machine import cpu_count, parse_memory_limit, processes_and_threads
from dagrpc_deploy.cluster import Cluster

_OPEN: weakref.WeakSet[LocalCluster] = weakref.WeakSet()
"""The clusters to close when the program ends."""


class Backend(Protocol):
    """How a local cluster runs its services."""

    async def start(self, workers: list[dict[str, Any]]) -> str:
        """Start the scheduler and workers, and return the scheduler's address."""

    async def add_workers(self, workers: list[dict[str, Any]]) -> None:
        """Start more workers."""

    async def close(self, timeout: float) -> None:
        """Stop everything."""


class LocalCluster(Cluster):
    """A scheduler and workers on this machine.

    Parameters
    ----------
    n_workers : int, optional
        How many workers; by default what suits the machine.
    threads_per_worker : int, optional
        How many threads each.
    processes : bool, optional
        Whether scheduler, nannies and workers are processes of their own (the default), or run in this one.
    name : str, optional
        What to call the cluster.
    host : str
        Where to listen; the loopback address by default. ``ip`` is another name for it.
    scheduler_port : int
        The scheduler's port; 0: a free one.
    silence_logs : int or bool
        Level of the services' logs; False for ``INFO``.
    memory_limit : str, number or None
        Of each worker: ``"auto"``, ``"4 GiB"``, a fraction, bytes, or 0 for none.
    resources : mapping, optional
        Abstract resources of each worker.
    local_directory : str, optional
        Where workers keep temporary files.
    asynchronous : bool
        Whether to be used with ``await``.

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
    >>> from dagrpc import Client, LocalCluster
    >>> with LocalCluster(n_workers=2) as cluster, Client(cluster) as client:
    ...     client.submit(sum, [1, 2, 3]).result()
    6
    """

    def __init__(
        self,
        n_workers: int | None = None,
        threads_per_worker: int | None = None,
        processes: bool | None = None,
        *,
        name: str | None = None,
        host: str | None = None,
        ip: str | None = None,
        scheduler_port: int = 0,
        silence_logs: int | bool = logging.WARNING,
        memory_limit: str | float | int | None = "auto",
        resources: Mapping[str, float] | None = None,
        local_directory: str | None = None,
        asynchronous: bool = False,
        dashboard_address: str | None = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise TypeError(f"LocalCluster got unknown arguments: {', '.join(sorted(unknown))}")
        super().__init__(asynchronous=asynchronous, name=name)
        self.processes = True if processes is None else processes
        n_workers, threads = _divide(n_workers, threads_per_worker, self.processes)
        self._worker_options = {
            "nthreads": threads,
            "memory_limit": parse_memory_limit(memory_limit, threads, max(n_workers, 1)),
            "resources": dict(resources or {}),
            "local_directory": local_directory,
        }
        self._count = 0
        self._initial = n_workers
        log_level = logging.INFO if silence_logs is False else int(silence_logs)
        self._backend = _backend(self.processes, host or ip or "127.0.0.1", scheduler_port, log_level)
        if not self.asynchronous:
            self._run(self._begin())

    def _new_workers(self, count: int) -> list[dict[str, Any]]:
        specs = [{**self._worker_options, "name": str(self._count + index)} for index in range(count)]
        self._count += count
        return specs

    async def _start(self) -> str:
        _OPEN.add(self)
        return await self._backend.start(self._new_workers(self._initial))

    async def _scale(self, n: int) -> None:
        workers = (await self._cluster_info()).workers
        if n > len(workers):
            await self._backend.add_workers(self._new_workers(n - len(workers)))
        elif n < len(workers):
            # Those with least to move go first.
            from dagrpc.v1 import scheduler_service_pb2 as pb

            ranked = sorted(workers, key=lambda worker: (worker.metrics.get("managed_bytes", 0.0), -int(worker.name)))
            leaving = [worker.address for worker in ranked[: len(workers) - n]]
            request = pb.RetireWorkersRequest(workers=leaving)
            await self._scheduler().call("RetireWorkers", request, pb.RetireWorkersResponse, timeout=600.0)

    async def _close(self, timeout: float) -> None:
        _OPEN.discard(self)
        await self._backend.close(timeout)


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


def _backend(processes: bool, host: str, port: int, log_level: int) -> Backend:
    if processes:
        from dagrpc_deploy.processes import ProcessBackend

        return ProcessBackend(host, port, log_level)
    from dagrpc_deploy.in_process import InProcessBackend

    return InProcessBackend(host, port)


def _close_all() -> None:
    # Clients first: one whose cluster is gone would complain.
    close_all()
    for cluster in list(_OPEN):
        # Whatever goes wrong now, the services notice that this process is gone.
        with contextlib.suppress(Exception):
            cluster._loop.run(cluster._end(2.0), 5.0)


# Before the interpreter shuts its pools of threads down, on which closing depends.
getattr(threading, "_register_atexit", atexit.register)(_close_all)
