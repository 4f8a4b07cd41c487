"""SpecCluster: a cluster of whatever classes a specification names."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Hashable, Mapping
from typing import Any

from dagrpc import config
from dagrpc._io.loop import spawn
from dagrpc._util.classes import load_class
from dagrpc._util.server_status import Status
from dagrpc.exceptions import DagrpcError, NoWorkersError
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_deploy import at_exit
from dagrpc_deploy.cluster import Cluster

logger = logging.getLogger("dagrpc.deploy")

_RETIRE_LIMIT = 600.0
_OVER = (Status.closing, Status.closed, Status.failed, Status.stopped)


class SpecCluster(Cluster):
    """A cluster of whatever classes a specification names: workers of several kinds, or on several machines.

    Base of cluster managers. Objects of the classes are awaitable, have a ``close`` coroutine function and a
    ``status``; those of schedulers an ``address``. `Scheduler`, `Worker`, `Nanny` and subclasses of `ProcessInterface`
    are such classes.

    Parameters
    ----------
    workers : mapping, optional
        What there is at first, by name: ``{"cls": Worker, "options": {...}}``. With ``"group": ["-0", "-1"]`` one
        object stands for several workers, whose names end like that. A class may be given by name, too.
    scheduler : mapping, optional
        ``{"cls": Scheduler, "options": {...}}``; `Scheduler` in this process by default.
    worker : mapping, optional
        What further workers are, when the cluster is scaled.
    asynchronous : bool
        Whether to be used with ``await``.
    silence_logs : int or bool
        Accepted.
    name : str, optional
        What to call the cluster.
    shutdown_on_close : bool
        Whether to close it when the program ends.
    scheduler_sync_interval : number or str
        How often to ask the scheduler who is there.
    shutdown_scheduler : bool
        Whether closing the cluster closes the scheduler.
    loop, security
        As in distributed, as far as dagrpc has what they are about.

    Raises
    ------
    RuntimeError
        If the scheduler or a worker does not start.

    Examples
    --------
    >>> from dagrpc import Client, SpecCluster, Worker
    >>> workers = {
    ...     "large": {"cls": Worker, "options": {"nthreads": 2, "resources": {"GPU": 1}}},
    ...     "small": {"cls": Worker, "options": {"nthreads": 1}},
    ... }
    >>> with SpecCluster(workers=workers, worker=workers["small"]) as cluster, Client(cluster) as client:
    ...     cluster.scale(3)
    ...     sorted(client.nthreads().values())
    [1, 1, 2]
    """

    def __init__(
        self,
        workers: Mapping[Any, Mapping[str, Any]] | None = None,
        scheduler: Mapping[str, Any] | None = None,
        worker: Mapping[str, Any] | None = None,
        asynchronous: bool = False,
        loop: Any = None,
        security: Any = None,
        silence_logs: int | bool = False,
        name: str | None = None,
        shutdown_on_close: bool = True,
        scheduler_sync_interval: float | str = 1,
        shutdown_scheduler: bool = True,
    ) -> None:
        super().__init__(asynchronous=asynchronous, name=name, security=security)
        # What cluster managers built on this (dask-jobqueue) make the names of their workers of.
        self._name = self.name
        self.scheduler_spec = dict(scheduler) if scheduler is not None else None
        self.worker_spec: dict[Hashable, Mapping[str, Any]] = dict(workers or {})
        """What there is to be, by name."""
        self.new_spec = worker
        """What further workers are."""
        self.scheduler: Any = None
        """The object that is the scheduler."""
        self.workers: dict[Any, Any] = {}
        """The objects that are the workers, by name."""
        self.shutdown_on_close = shutdown_on_close
        self.shutdown_scheduler = shutdown_scheduler
        self._sync_interval = config.seconds(scheduler_sync_interval) or 1.0
        self._next = 0
        self._correcting = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        if not self.asynchronous:
            self._run(self._begin())

    # --- what there is ---

    def _planned(self) -> dict[Hashable, tuple[str, ...]]:
        return {
            name: tuple(f"{name}{suffix}" for suffix in spec["group"]) if "group" in spec else (str(name),)
            for name, spec in self.worker_spec.items()
        }

    def _requested(self) -> set[Hashable]:
        return {name for name in self.workers if name in self.worker_spec}

    def _worker_size(self) -> dict[str, float | None]:
        options = (self.new_spec or {}).get("options", {})
        memory = options.get("memory_limit")
        if isinstance(memory, str):
            from dask.utils import parse_bytes

            with contextlib.suppress(ValueError):
                memory = float(parse_bytes(memory))
        return {
            "cores": options.get("nthreads") or options.get("ncores") or options.get("threads"),
            "memory": memory if isinstance(memory, (int, float)) and memory > 1 else None,
        }

    def _default_options(self) -> dict[str, Any]:
        return {"security": self.security} if self.security.given else {}

    def _new_worker_name(self, worker_number: int) -> Hashable:
        """Return the name of a further worker. Subclasses may have their own."""
        return worker_number

    def new_worker_spec(self) -> dict[Any, Any]:
        """Return what one further worker is, by its name.

        Raises
        ------
        ValueError
            If the cluster was not told what further workers are.

        Examples
        --------
        >>> with SpecCluster(worker={"cls": Worker, "options": {"nthreads": 1}}) as cluster:
        ...     cluster.new_worker_spec()
        {0: {'cls': <class 'dagrpc_worker.shell.facade.Worker'>, 'options': {'nthreads': 1...}}}
        """
        if self.new_spec is None:
            raise ValueError(f"{self.name} does not know what a further worker is: give it worker={{'cls': ...}}")
        while self._new_worker_name(self._next) in self.worker_spec:
            self._next += 1
        return {self._new_worker_name(self._next): self.new_spec}

    # --- life ---

    async def _start(self) -> str:
        if self.shutdown_on_close:
            at_exit.track(self)
        spec = self.scheduler_spec or {"cls": "dagrpc.Scheduler", "options": self._default_options()}
        try:
            self.scheduler = await load_class(spec["cls"])(**spec.get("options", {}))
            address = getattr(self.scheduler, "external_address", None) or self.scheduler.address
            self.scheduler_address = address
            await self._correct_state()
        except OSError:
            raise
        except Exception as error:
            raise RuntimeError(f"Cluster failed to start: {error}") from error
        spawn(self._keep(), self._tasks)
        return str(address)

    async def _keep(self) -> None:
        """Ask the scheduler again and again who is there, and see to it that those are there who are to be."""
        while True:
            await asyncio.sleep(self._sync_interval)
            try:
                await self._refresh()
                if any(getattr(worker, "status", None) in _OVER for worker in list(self.workers.values())):
                    await self._correct_state()
            except (DagrpcError, OSError, RuntimeError) as error:
                logger.warning("%s: %s", self.name, error)

    async def _lost(self, names: set[Hashable]) -> None:
        """Close what stands for workers that are gone, and start others in their place."""
        logger.warning("%s has lost workers %s: others take their place", self.name, ", ".join(map(str, names)))
        gone = [self.workers.pop(name) for name in names if name in self.workers]
        await asyncio.gather(*(_close(worker) for worker in gone))
        await self._correct_state()

    async def _close(self, timeout: float) -> None:
        at_exit.untrack(self)
        for task in list(self._tasks):
            if task is not asyncio.current_task():
                task.cancel()
        self.worker_spec.clear()
        workers, self.workers = list(self.workers.values()), {}
        await asyncio.gather(*(_close(worker, timeout) for worker in workers))
        if self.scheduler is not None and self.shutdown_scheduler:
            await _close(self.scheduler, timeout)

    # --- from what is to be to what is ---

    async def _correct_state(self) -> None:
        """Start and stop workers until those are there that are to be.

        Raises
        ------
        RuntimeError
            If one does not start. It is not tried again.
        """
        async with self._correcting:
            for name, worker in list(self.workers.items()):
                if getattr(worker, "status", None) in _OVER:
                    del self.workers[name]
            extra = {name: worker for name, worker in self.workers.items() if name not in self.worker_spec}
            if extra:
                for name in extra:
                    del self.workers[name]
                await asyncio.gather(*(_close(worker) for worker in extra.values()))
            missing = {name: spec for name, spec in self.worker_spec.items() if name not in self.workers}
            if missing:
                await self._start_workers(missing)

    async def _start_workers(self, specs: Mapping[Hashable, Mapping[str, Any]]) -> None:
        started = {}
        for name, spec in specs.items():
            options = dict(spec.get("options", {}))
            options.setdefault("name", str(name))
            started[name] = load_class(spec["cls"])(self._address_for_workers(), **options)
        self.workers.update(started)
        outcomes = await asyncio.gather(*(_await(worker) for worker in started.values()), return_exceptions=True)
        failed = {}
        for (name, worker), outcome in zip(started.items(), outcomes, strict=True):
            if isinstance(outcome, BaseException):
                failed[name] = outcome
                self.workers.pop(name, None)
                self.worker_spec.pop(name, None)
                await _close(worker)
        if failed:
            why = "; ".join(f"worker {name}: {error}" for name, error in failed.items())
            raise RuntimeError(f"{len(failed)} of {len(started)} workers did not start: {why}")

    def _address_for_workers(self) -> str:
        return str(self.scheduler.address)

    async def _scale_up(self, n: int) -> None:
        while len(self.worker_spec) < n:
            self.worker_spec.update(self.new_worker_spec())
        await self._correct_state()

    async def _scale_down(self, names: set[Hashable], give_up: bool = False) -> None:
        await self._refresh()
        there = [text for name in names & self._observed() for text in self._planned()[name]]
        if there:
            request = pb.RetireWorkersRequest(workers=there)
            await self._scheduler().call("RetireWorkers", request, pb.RetireWorkersResponse, timeout=_RETIRE_LIMIT)
            await self._refresh()
            if staying := names & self._observed():
                if not give_up:
                    raise NoWorkersError(f"Workers {staying} stay: what they hold cannot be moved to another worker")
                logger.warning("%s closes its last workers, and what only they hold goes with them", self.name)
        for name in names:
            self.worker_spec.pop(name, None)
        await self._correct_state()


async def _await(thing: Any) -> Any:
    return await thing


async def _close(thing: Any, timeout: float = 10.0) -> None:
    """Close what stands for a worker or scheduler, whatever state it is in."""
    try:
        await asyncio.wait_for(thing.close(), timeout + 5.0)
    except (DagrpcError, OSError, RuntimeError, TimeoutError) as error:
        logger.warning("%r did not close cleanly: %s", thing, error)
