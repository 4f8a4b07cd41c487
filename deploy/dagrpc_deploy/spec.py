"""SpecCluster: a cluster of the classes that a specification names."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable, Mapping
from typing import Any

from dagrpc import config
from dagrpc._auth.credentials import credentials_of
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc._process.logging_config import level_number
from dagrpc._process.server_classes import load_class
from dagrpc._process.silenced_logs import silence_terminal
from dagrpc._rpc.connect_diagnosis import why_not
from dagrpc.exceptions import CommClosedError
from dagrpc_deploy import at_exit
from dagrpc_deploy.adaptive_core import acting
from dagrpc_deploy.cluster import Cluster
from dagrpc_deploy.members import OVER, Members, close_quietly, names_on_scheduler
from dagrpc_deploy.roster import Names
from dagrpc_deploy.scheduler_connection import NOT_CONNECTED
from dagrpc_deploy.worker_size import WorkerSize, nbytes_of

logger = logging.getLogger("dagrpc.deploy")


class SpecCluster(Cluster):
    """A cluster of the classes that a specification names: workers of several kinds, or on several machines.

    Base of cluster managers. `worker_spec` has the workers that the cluster should have, and `workers` the objects of
    those that exist. `workers` follows `worker_spec` when the cluster is awaited, and after `scale`, which changes
    `worker_spec`. A worker that is lost leaves `workers` only; a worker whose status is failed is replaced.

    Objects of the classes are awaitable, and have a ``close`` coroutine function and a ``status``; schedulers also have
    an ``address``. `Scheduler`, `Worker`, `Nanny` and subclasses of `ProcessInterface` are such classes.

    Parameters
    ----------
    workers : mapping, optional
        The first workers by name: ``{"cls": Worker, "options": {...}}``. With ``"group": ["-0", "-1"]`` one object
        stands for several workers, whose names have these endings. A class may be given by name, too.
    scheduler : mapping, optional
        ``{"cls": Scheduler, "options": {...}}``; `Scheduler` in this process by default.
    worker : mapping, optional
        The specification of further workers, for `scale`.
    asynchronous : bool
        The cluster is used with ``await``.
    silence_logs : int, str or bool
        Level from which on this process shows lines of dagrpc's log, or its name, until the cluster closes; None and
        False change nothing. Servers in other processes have options of their own.
    name : str, optional
        Name of the cluster.
    shutdown_on_close : bool
        Close the cluster when the program ends.
    scheduler_sync_interval : number or str
        Time between two questions for the scheduler's workers.
    shutdown_scheduler : bool
        Close the scheduler with the cluster.
    loop, security
        As in distributed, where they apply to dagrpc.

    Raises
    ------
    RuntimeError
        If the scheduler does not start.
    Exception
        The error of a worker that does not start.

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

    On an event loop:

    >>> async with SpecCluster(worker=workers["small"], asynchronous=True) as cluster:
    ...     following = cluster.scale(2)
    ...     list(cluster.worker_spec), list(cluster.workers)
    ...     cluster.worker_spec["large"] = workers["large"]
    ...     list((await cluster).workers)
    ([0, 1], [])
    [0, 1, 'large']
    """

    def __init__(
        self,
        workers: Mapping[Any, Mapping[str, Any]] | None = None,
        scheduler: Mapping[str, Any] | None = None,
        worker: Mapping[str, Any] | None = None,
        asynchronous: bool = False,
        loop: Any = None,
        security: Any = None,
        silence_logs: int | str | bool | None = False,
        name: str | None = None,
        shutdown_on_close: bool = True,
        scheduler_sync_interval: float | str = 1,
        shutdown_scheduler: bool = True,
    ) -> None:
        super().__init__(asynchronous=asynchronous, name=name, security=security)
        # dask-jobqueue makes the names of its workers from this attribute.
        self._name = self.name
        self.scheduler_spec = dict(scheduler) if scheduler is not None else None
        """The specification of the scheduler."""
        self.worker_spec: dict[Any, Mapping[str, Any]] = dict(workers or {})
        """The specifications of the workers that the cluster should have, by name."""
        self.new_spec = worker
        """The specification of further workers."""
        self.scheduler: Any = None
        """The object that stands for the scheduler."""
        self._members = Members(
            self.name,
            lambda: self.worker_spec,
            self._connection,
            self._roster,
            address=self._address_for_workers,
            refresh=self._refresh,
            note=self._note,
        )
        self._log_level = level_number(silence_logs)
        self._restore_logs: Callable[[], None] = lambda: None
        self.shutdown_on_close = shutdown_on_close
        self.shutdown_scheduler = shutdown_scheduler
        self._sync_interval = config.seconds(scheduler_sync_interval) or 1.0
        self._next = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        if not self.asynchronous:
            self._run(self._begin())

    # --- state ---------------------------------------------------------------------------------------------------

    @property
    def workers(self) -> dict[Any, Any]:
        """The objects that stand for the workers, by name."""
        return self._members.workers

    def _planned(self) -> Names:
        return {name: names_on_scheduler(name, spec) for name, spec in list(self.worker_spec.items())}

    def _requested(self) -> set[Hashable]:
        return {name for name in list(self.workers) if name in self.worker_spec}

    def _address_for_workers(self) -> str:
        """Return the scheduler's address for workers; empty while no workers can start."""
        if self.scheduler_address == NOT_CONNECTED or self._lifecycle.is_over:
            return ""
        return str(self.scheduler.address)

    def _worker_size(self) -> WorkerSize:
        options = (self.new_spec or {}).get("options", {})
        memory = options.get("memory_limit")
        if isinstance(memory, str):
            with contextlib.suppress(ValueError):
                memory = nbytes_of(memory)
        return WorkerSize(
            cores=options.get("nthreads") or options.get("ncores") or options.get("threads"),
            memory=memory if isinstance(memory, (int, float)) and memory > 1 else None,
        )

    def _new_worker_name(self, worker_number: int) -> Hashable:
        """Return the name of a further worker; subclasses may override it."""
        return worker_number

    def new_worker_spec(self) -> dict[Any, Any]:
        """Return the specification of one further worker, by its name.

        Raises
        ------
        ValueError
            If the cluster has no specification for further workers.

        Examples
        --------
        >>> with SpecCluster(worker={"cls": Worker, "options": {"nthreads": 1}}) as cluster:
        ...     cluster.new_worker_spec()
        {0: {'cls': <class 'dagrpc_worker.shell.facade.worker.Worker'>, 'options': {'nthreads': 1...}}}
        """
        if self.new_spec is None:
            raise ValueError(f"{self.name} has no specification for further workers: give it worker={{'cls': ...}}")
        while self._new_worker_name(self._next) in self.worker_spec:
            self._next += 1
        return {self._new_worker_name(self._next): self.new_spec}

    # --- lifecycle -----------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        self._restore_logs = silence_terminal(self._log_level)
        if self.shutdown_on_close:
            at_exit.track(self)
        spec = self.scheduler_spec or {
            "cls": "dagrpc.Scheduler",
            "options": {"security": self.security} if self.security.given else {},
        }
        try:
            self.scheduler = load_class(spec["cls"])(**spec.get("options", {}))
        except Exception as error:
            raise RuntimeError(f"Cluster failed to start: {error}") from error
        await self._start_servers()
        spawn(self._keep(), self._tasks)

    async def _start_servers(self) -> None:
        await self._start_scheduler()
        await self._members.align()

    async def _start_scheduler(self) -> None:
        try:
            await self.scheduler
        except OSError:
            raise
        except Exception as error:
            raise RuntimeError(f"Cluster failed to start: {error}") from error
        self.scheduler_address = str(getattr(self.scheduler, "external_address", None) or self.scheduler.address)
        await self._check_certificates()

    async def _check_certificates(self) -> None:
        """Raise if clients or workers cannot agree on TLS with the scheduler: they would retry without end."""
        for role in ("client", "worker"):
            if not self.security.has_tls(role):
                continue
            if reason := await why_not(self.scheduler_address, credentials_of(self.security, role)):
                raise CommClosedError(
                    f"Cluster failed to start: a {role} cannot connect to {self.scheduler_address}: {reason}"
                )

    async def _keep(self) -> None:
        """Update the roster regularly, and replace workers that have failed."""
        while True:
            await asyncio.sleep(self._sync_interval)
            if getattr(self.scheduler, "status", None) in OVER:
                logger.warning("The scheduler of %s is gone: the cluster closes", self.name)
                await self._lifecycle.end(self._lifecycle.patience)
                return
            try:
                await self._refresh()
                if await self._members.drop_those_over():
                    await self._members.align()
            except Exception as error:  # the next turn may succeed
                logger.warning("%s: %s", self.name, error)

    async def _lost(self, names: set[Hashable]) -> None:
        await self._members.drop(names)

    def _has_lost_all(self) -> bool:
        return self._members.failed and not self.workers

    async def _close(self) -> None:
        at_exit.untrack(self)
        await cancel_all(self._tasks)
        self.worker_spec.clear()
        closing = [self._members.close(self._lifecycle.patience)]
        if self.scheduler is not None and self.shutdown_scheduler:
            # First: a scheduler that closes drops the tasks of its workers and closes them.
            closing.insert(0, close_quietly(self.scheduler, self._lifecycle.patience))
        try:
            await asyncio.gather(*closing)
        finally:
            self._restore_logs()

    # --- the workers follow the specification --------------------------------------------------------------------

    async def _settle(self) -> None:
        await self._members.align()

    def _correct_state(self) -> Awaitable[None] | None:
        """Start and close workers until they follow `worker_spec`; raises the error of a worker that does not start."""
        outcome: Awaitable[None] | None = self._run(self._until_closed(self._members.align()))
        return outcome

    async def _until_closed(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Await a coroutine that is cancelled when the cluster closes."""
        await spawn(coroutine, self._tasks)

    def scale(self, n: int = 0, memory: float | str | None = None, cores: int | None = None) -> Any:
        """Start or retire workers until there are `n`; results of retired workers move to the others.

        `worker_spec` changes at once. Then a synchronous cluster waits for the workers, and an asynchronous one can be
        awaited. Ends adaptive scaling.

        Parameters
        ----------
        n : int
            Number of workers.
        memory : number or str, optional
            Memory of all workers together; the cluster gets as many workers as this takes.
        cores : int, optional
            Threads of all workers together.

        Raises
        ------
        ValueError
            If `n` is negative, or the memory or the threads of one worker are unknown.
        NoWorkersError
            If the results of some workers cannot be moved; these workers stay.
        Exception
            The error of a worker that does not start.

        Examples
        --------
        >>> with LocalCluster(n_workers=1, processes=False) as cluster:
        ...     cluster.scale(2)
        ...     cluster.wait_for_workers(2)
        ...     len(cluster.observed)
        2
        """
        if n < 0:
            raise ValueError(f"A cluster cannot have {n} workers")
        size = self._worker_size()
        count = max(n, size.workers_for("memory", nbytes_of(memory)), size.workers_for("cores", cores))
        if not acting.get():
            self._adaptation.stop("the cluster was scaled by hand")
        if not self._lifecycle.is_over:
            self._plan_for(count)
            self._note(f"Scales to {count} workers")
        return self._follow()

    def scale_up(self, n: int = 0, memory: float | str | None = None, cores: int | None = None) -> Any:
        """Scale to `n` workers, like `scale`.

        Examples
        --------
        >>> with LocalCluster(n_workers=0, processes=False) as cluster:
        ...     cluster.scale_up(1)
        ...     cluster.wait_for_workers(1)
        ...     len(cluster.workers)
        1
        """
        return self.scale(n, memory=memory, cores=cores)

    def scale_down(self, workers: Iterable[Hashable]) -> Any:
        """Retire workers by their names in `plan`; results that only they hold move to other workers.

        Adaptive scaling stays on.

        Raises
        ------
        NoWorkersError
            If the results of some workers cannot be moved; these workers stay.

        Examples
        --------
        >>> with LocalCluster(n_workers=2, processes=False) as cluster:
        ...     cluster.scale_down([0])
        ...     sorted(cluster.plan)
        [1]
        """

        async def retire() -> None:
            for name in set(workers):
                self.worker_spec.pop(name, None)
            await self._members.align()

        return self._run(self._until_closed(retire()))

    def _plan_for(self, count: int) -> None:
        """Change `worker_spec` until it has so many workers."""
        if len(self.worker_spec) > count:
            if not self.asynchronous:
                self._look()
            superfluous = self._roster.superfluous(len(self.worker_spec) - count)
            for name in superfluous:
                self.worker_spec.pop(name, None)
            if count == 0:
                # A user who wants no workers at all wants none of their results.
                self._members.given_up |= superfluous
        while len(self.worker_spec) < count:
            self.worker_spec.update(self.new_worker_spec())

    def _follow(self) -> Any:
        """Start and close workers as planned: wait for it, or return a future that need not be awaited."""

        async def follow() -> None:
            try:
                await self._members.align()
            except Exception as error:
                logger.warning("%s: %s", self.name, error)
                raise

        outcome = self._run(self._until_closed(follow()))
        if outcome is not None:
            outcome.add_done_callback(lambda future: future.cancelled() or future.exception())
        return outcome
