"""SpecCluster: a cluster of whatever classes a specification names."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Coroutine, Hashable, Iterable, Mapping
from typing import Any

from dagrpc import config
from dagrpc._auth.credentials import credentials_of
from dagrpc._common.server_status import Status
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc._process.server_classes import load_class
from dagrpc._rpc.connect_diagnosis import why_not
from dagrpc.exceptions import CommClosedError
from dagrpc_deploy import at_exit
from dagrpc_deploy.adaptive_core import acting
from dagrpc_deploy.cluster import Cluster
from dagrpc_deploy.members import OVER, Members, close_quietly, names_on_scheduler
from dagrpc_deploy.scaling import nbytes_of

logger = logging.getLogger("dagrpc.deploy")


class SpecCluster(Cluster):
    """A cluster of whatever classes a specification names: workers of several kinds, or on several machines.

    Base of cluster managers. `worker_spec` says what workers there are to be, `workers` has the objects that there are.
    Awaiting the cluster has the second follow the first; so does `scale`, after it has changed `worker_spec`. A worker
    that is lost leaves `workers` only; one whose object says that it has failed is replaced.

    Objects of the classes are awaitable, have a ``close`` coroutine function and a ``status``; those of schedulers an
    ``address``. `Scheduler`, `Worker`, `Nanny` and subclasses of `ProcessInterface` are such classes.

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
    silence_logs : int, str or bool
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
        If the scheduler does not start.
    Exception
        If a worker does not start: what it raised.

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
        # What cluster managers built on this (dask-jobqueue) make the names of their workers of.
        self._name = self.name
        self.scheduler_spec = dict(scheduler) if scheduler is not None else None
        """What the scheduler is."""
        self.worker_spec: dict[Any, Mapping[str, Any]] = dict(workers or {})
        """What workers there are to be, by name."""
        self.new_spec = worker
        """What further workers are."""
        self.scheduler: Any = None
        """The object that is the scheduler."""
        self._members = Members(self)
        self.shutdown_on_close = shutdown_on_close
        self.shutdown_scheduler = shutdown_scheduler
        self._sync_interval = config.seconds(scheduler_sync_interval) or 1.0
        self._next = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        if not self.asynchronous:
            self._run(self._begin())

    # --- what there is ---

    @property
    def workers(self) -> dict[Any, Any]:
        """The objects that are the workers, by name."""
        return self._members.workers

    def _planned(self) -> dict[Hashable, tuple[str, ...]]:
        return {name: names_on_scheduler(name, spec) for name, spec in list(self.worker_spec.items())}

    def _requested(self) -> set[Hashable]:
        return {name for name in list(self.workers) if name in self.worker_spec}

    def _worker_size(self) -> dict[str, float | None]:
        options = (self.new_spec or {}).get("options", {})
        memory = options.get("memory_limit")
        if isinstance(memory, str):
            with contextlib.suppress(ValueError):
                memory = nbytes_of(memory)
        return {
            "cores": options.get("nthreads") or options.get("ncores") or options.get("threads"),
            "memory": memory if isinstance(memory, (int, float)) and memory > 1 else None,
        }

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
        {0: {'cls': <class 'dagrpc_worker.shell.facade.worker.Worker'>, 'options': {'nthreads': 1...}}}
        """
        if self.new_spec is None:
            raise ValueError(f"{self.name} does not know what a further worker is: give it worker={{'cls': ...}}")
        while self._new_worker_name(self._next) in self.worker_spec:
            self._next += 1
        return {self._new_worker_name(self._next): self.new_spec}

    # --- life ---

    async def _start(self) -> None:
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
        """Raise if clients or workers cannot agree on TLS with the scheduler: they would try again and again."""
        for role in ("client", "worker"):
            if not self.security.has_tls(role):
                continue
            if reason := await why_not(self.scheduler_address, credentials_of(self.security, role)):
                raise CommClosedError(
                    f"Cluster failed to start: a {role} cannot connect to {self.scheduler_address}: {reason}"
                )

    async def _keep(self) -> None:
        """Ask the scheduler again and again who is there, and see to it that what has failed is replaced."""
        while True:
            await asyncio.sleep(self._sync_interval)
            if getattr(self.scheduler, "status", None) in OVER:
                logger.warning("The scheduler of %s is gone: the cluster closes", self.name)
                await self._end(self._patience)
                return
            try:
                await self._refresh()
                if await self._members.drop_those_over():
                    await self._members.align()
            except Exception as error:  # the next look may do better
                logger.warning("%s: %s", self.name, error)

    async def _lost(self, names: set[Hashable]) -> None:
        await self._members.drop(names)

    def _has_lost_all(self) -> bool:
        return self._members.failed and not self.workers

    async def _close(self) -> None:
        at_exit.untrack(self)
        await cancel_all(self._tasks)
        self.worker_spec.clear()
        closing = [self._members.close(self._patience)]
        if self.scheduler is not None and self.shutdown_scheduler:
            # First: a scheduler that closes has no use for what workers were to do, and tells them to close.
            closing.insert(0, close_quietly(self.scheduler, self._patience))
        await asyncio.gather(*closing)

    # --- from what is to be to what is ---

    async def _settle(self) -> None:
        await self._members.align()

    def _correct_state(self) -> Awaitable[None] | None:
        """Have `workers` follow `worker_spec`: wait for it, or return an awaitable.

        Raises
        ------
        Exception
            If a worker does not start: what it raised. It is not tried again.
        """
        outcome: Awaitable[None] | None = self._run(self._until_closed(self._members.align()))
        return outcome

    async def _until_closed(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Do something that ends when the cluster is closed."""
        await spawn(coroutine, self._tasks)

    def scale(self, n: int = 0, memory: float | str | None = None, cores: int | None = None) -> Any:
        """Have so many workers: start new ones, or retire some, whose results move to the others.

        `worker_spec` changes at once. Then the workers follow, for which a synchronous cluster waits, and an
        asynchronous one can be awaited. Ends adaptive scaling.

        Parameters
        ----------
        n : int
            How many.
        memory : number or str, optional
            How much memory all of them are to have together; as many workers as that takes.
        cores : int, optional
            How many threads all of them are to have together.

        Raises
        ------
        ValueError
            If `n` is negative, or it is not known how much memory or how many threads a worker has.
        NoWorkersError
            If what workers hold cannot be moved elsewhere; they stay.
        Exception
            If a worker does not start: what it raised.

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
        count = max(n, self._workers_for("memory", nbytes_of(memory)), self._workers_for("cores", cores))
        if not acting.get():
            self._stop_adapting("the cluster was scaled by hand")
        if self._life not in (Status.closing, Status.closed, Status.failed):
            self._plan_for(count)
            self._note(f"Scales to {count} workers")
        return self._follow()

    def scale_up(self, n: int = 0, memory: float | str | None = None, cores: int | None = None) -> Any:
        """Have so many workers; the same as `scale`.

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
        """Take workers out, by their names; what only they hold moves to the others. Adaptive scaling goes on.

        Parameters
        ----------
        workers : iterable
            Names, as in `plan`.

        Raises
        ------
        NoWorkersError
            If what they hold cannot be moved; they stay.

        Examples
        --------
        >>> with LocalCluster(n_workers=2, processes=False) as cluster:
        ...     cluster.scale_down([0])
        ...     sorted(cluster.plan)
        [1]
        """

        async def take_out() -> None:
            for name in set(workers):
                self.worker_spec.pop(name, None)
            await self._members.align()

        return self._run(self._until_closed(take_out()))

    def _workers_for(self, what: str, amount: float | None) -> int:
        if amount is None:
            return 0
        each = self._worker_size()[what]
        if not each:
            raise ValueError(f"How much {what} a worker has is not known: scale to a number of workers instead")
        return math.ceil(amount / each)

    def _plan_for(self, count: int) -> None:
        """Have `worker_spec` name so many workers."""
        if len(self.worker_spec) > count:
            if not self.asynchronous:
                self._look()
            superfluous = self._members.superfluous(len(self.worker_spec) - count)
            for name in superfluous:
                self.worker_spec.pop(name, None)
            if count == 0:
                # Whoever wants no workers at all wants no results of theirs.
                self._members.given_up |= superfluous
        while len(self.worker_spec) < count:
            self.worker_spec.update(self.new_worker_spec())

    def _follow(self) -> Any:
        """Have the workers follow the plan: wait for it, or return what may be awaited, but need not be."""

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
