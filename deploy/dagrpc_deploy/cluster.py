"""Cluster: the base of all cluster managers."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Generator, Hashable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from dagrpc import config
from dagrpc._client import current, lifecycle
from dagrpc._common.dashboard_link import dashboard_link
from dagrpc._common.server_status import Status
from dagrpc._loop.io_loop import get_loop
from dagrpc.security import Security
from dagrpc_deploy import panel
from dagrpc_deploy.adaptive import Adaptation, Adaptive
from dagrpc_deploy.cluster_text import Summary, cluster_html, cluster_text
from dagrpc_deploy.lifecycle import Lifecycle
from dagrpc_deploy.logs import Log, Logs
from dagrpc_deploy.roster import Names, Roster
from dagrpc_deploy.scheduler_connection import NOT_CONNECTED, SchedulerConnection
from dagrpc_deploy.worker_size import WorkerSize, bounds_of_workers, nbytes_of

if TYPE_CHECKING:
    from typing import Self

    from dagrpc.client import Client

logger = logging.getLogger("dagrpc.deploy")

T = TypeVar("T")


class Cluster:
    """A scheduler with its workers, started and stopped together. Base of all cluster managers.

    A subclass starts its scheduler in the coroutine function `_start`, or knows a running one, and sets
    `scheduler_address`; it stops the scheduler in `_close`. Both run on dagrpc's event loop, and call the methods of
    this class, too. `scale` and `scale_down` change the number of workers; `adapt` calls them. `SpecCluster` implements
    all of these for classes that a specification names.

    Parameters
    ----------
    asynchronous : bool
        The user awaits: methods return awaitables.
    name : str, optional
        Name of the cluster.
    security : Security, mapping, optional
        Certificates with which the cluster and its clients call the scheduler; by default the configured ones.

    Examples
    --------
    >>> isinstance(cluster, Cluster)  # a LocalCluster, for instance
    True

    A cluster whose scheduler runs elsewhere:

    >>> class Machines(Cluster):
    ...     wanted = 0
    ...
    ...     def __init__(self, address):
    ...         super().__init__()
    ...         self.scheduler_address = address
    ...
    ...     def scale(self, n):
    ...         self.wanted = n
    ...
    ...     def scale_down(self, workers):
    ...         self.wanted -= len(workers)
    >>> with Machines(cluster.scheduler_address) as machines:
    ...     machines.scale(5)
    ...     machines.wanted, sorted(machines.observed)
    (5, [0, 1])
    """

    def __init__(self, asynchronous: bool = False, name: str | None = None, security: Any = None) -> None:
        self.security = Security.of(security)
        """The certificates with which clients call the scheduler."""
        self.name = name or f"{type(self).__name__}-{uuid.uuid4().hex[:8]}"
        self.called_from_running_loop = asyncio._get_running_loop() is not None
        """Whether code on an event loop made the cluster."""
        self.scheduler_address = NOT_CONNECTED
        self._connection = SchedulerConnection(self.name, lambda: self.scheduler_address, self.security)
        self._roster = Roster(self._planned, self._requested)
        self._adaptation = Adaptation()
        self._asynchronous = asynchronous
        self._loop = get_loop()
        self._lifecycle = Lifecycle(self.name, self._start_once, self._close_once)
        self._log: deque[str] = deque(maxlen=1_000)
        """Events of the cluster as a whole."""

    # --- hooks for subclasses ------------------------------------------------------------------------------------

    async def _start(self) -> None:
        """Start scheduler and workers, and set `scheduler_address`."""

    async def _close(self) -> None:
        """Stop everything."""

    async def _settle(self) -> None:
        """Wait until the planned workers run."""

    def _has_lost_all(self) -> bool:
        """Return whether all workers have been given up, so that none comes unless the cluster is scaled."""
        return False

    def _planned(self) -> Names:
        """Return the planned workers. Here, these are the workers that the scheduler knows."""
        return self._roster.on_scheduler()

    def _requested(self) -> set[Hashable]:
        """Return the names of the workers that were started."""
        return set(self._planned())

    async def _lost(self, names: set[Hashable]) -> None:
        """Handle workers that are gone and do not come back by themselves."""

    def _worker_size(self) -> WorkerSize:
        """Return the size of one worker."""
        return WorkerSize()

    # --- synchronous and asynchronous use ------------------------------------------------------------------------

    @property
    def asynchronous(self) -> bool:
        """Whether methods return awaitables.

        Examples
        --------
        >>> cluster.asynchronous
        False
        """
        return self._asynchronous or self._loop.inside

    def _run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> Any:
        """Run a coroutine on dagrpc's loop: wait for it, or return an awaitable."""
        if not self.asynchronous:
            return self._loop.run(coroutine, timeout)
        if self._loop.inside:
            return asyncio.ensure_future(coroutine)
        return asyncio.wrap_future(self._loop.submit(coroutine))

    def sync(
        self,
        func: Callable[..., Coroutine[Any, Any, T]],
        *args: Any,
        asynchronous: bool | None = None,
        callback_timeout: float | str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Call a coroutine function on dagrpc's loop: wait for its result, or return an awaitable.

        Examples
        --------
        >>> import asyncio
        >>> cluster.sync(asyncio.sleep, 0, result="slept")
        'slept'
        """

        async def call() -> T:
            # Called on the loop, as is the first part of the coroutine.
            return await func(*args, **kwargs)

        if asynchronous and not self.asynchronous:
            return asyncio.wrap_future(self._loop.submit(call()))
        return self._run(call(), config.seconds(callback_timeout))

    # --- lifecycle -----------------------------------------------------------------------------------------------

    async def _begin(self) -> Self:
        """Start the cluster, or wait until the workers follow the present plan."""
        await self._lifecycle.begin()
        if self._lifecycle.runs:
            await self._settle()
        return self

    async def _start_once(self) -> None:
        await self._start()
        self._note(f"Started, with its scheduler at {self.scheduler_address}")

    async def _close_once(self) -> None:
        self._adaptation.stop("the cluster closes")
        await self._close()
        await self._connection.close()
        self._roster.info = None

    def close(self, timeout: float | None = None) -> Any:
        """Stop scheduler and workers.

        Within `timeout` seconds, 10 by default, scheduler and workers may finish; then they are killed.

        Examples
        --------
        >>> cluster = LocalCluster(n_workers=1, processes=False)
        >>> cluster.close()
        >>> cluster.status
        <Status.closed: 'closed'>
        """
        if self._loop.forked:
            # A forked child leaves its parent's `with` block: the parent's cluster goes on.
            return None
        if self.status == "closed" and not self.asynchronous:
            return None
        return self._run(self._lifecycle.end(timeout))

    def __enter__(self) -> Self:
        if self._asynchronous:
            raise TypeError("This cluster is asynchronous: use `async with` instead of `with`")
        self._run(self._begin())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __await__(self) -> Generator[Any, None, Self]:
        return self._awaited().__await__()

    async def _awaited(self) -> Self:
        if self._loop.inside:
            return await self._begin()
        return await asyncio.wrap_future(self._loop.submit(self._begin()))

    async def __aenter__(self) -> Self:
        return await self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- state ---------------------------------------------------------------------------------------------------

    @property
    def status(self) -> Status:
        """The state of the cluster; `Status.failed` also while all its workers have been given up.

        Examples
        --------
        >>> cluster.status
        <Status.running: 'running'>
        """
        return Status.failed if self._lifecycle.runs and self._has_lost_all() else self._lifecycle.status

    @status.setter
    def status(self, status: Status) -> None:
        self._lifecycle.status = status

    @property
    def plan(self) -> set[Any]:
        """Names of the workers that the cluster should have.

        Examples
        --------
        >>> sorted(cluster.plan)
        [0, 1]
        """
        return set(self._planned())

    @property
    def requested(self) -> set[Any]:
        """Names of the workers that were started, whether they have joined or not.

        Examples
        --------
        >>> sorted(cluster.requested)
        [0, 1]
        """
        return set(self._requested())

    @property
    def observed(self) -> set[Any]:
        """Names of the workers that the scheduler knows, as of a moment ago.

        Examples
        --------
        >>> sorted(cluster.observed)
        [0, 1]
        """
        self._look()
        return self._roster.observed()

    @property
    def scheduler_info(self) -> dict[str, Any]:
        """The scheduler's description of itself and its workers, as of a moment ago."""
        self._look()
        return self._roster.describe(self.scheduler_address)

    def _look(self) -> None:
        """Refresh the roster, unless this runs on dagrpc's loop, which must not wait."""
        if self._lifecycle.runs and not self._loop.inside:
            try:
                self._loop.run(self._refresh(), 5.0)
            except (OSError, TimeoutError):
                # The latest answer still stands.
                return

    async def _refresh(self) -> None:
        """Ask the scheduler for its workers, and handle those that are lost."""
        info = await self._connection.info()
        lost = self._roster.update(info, config.get_seconds("deploy.lost-worker-timeout") or 0.0)
        if lost:
            await self._lost(lost)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the cluster: dagrpc's own."""
        return self._loop.loop

    @property
    def dashboard_link(self) -> str:
        """Link to the scheduler's pages; empty: none.

        Examples
        --------
        >>> cluster.dashboard_link
        'http://127.0.0.1:.../status'
        """
        summary = self._summary()
        return dashboard_link(self.scheduler_address, summary.dashboard, summary.http_prefix) or ""

    # --- clients, workers, logs ----------------------------------------------------------------------------------

    @classmethod
    def from_name(cls, name: str) -> Self:
        """Return a running cluster by its name; only subclasses can look one up.

        Examples
        --------
        >>> LocalCluster.from_name("mine")
        Traceback (most recent call last):
            ...
        NotImplementedError: No LocalCluster is found by its name: ...
        """
        raise NotImplementedError(f"No {cls.__name__} is found by its name: connect a Client to its address")

    def get_client(self) -> Client:
        """Return the current client if it belongs to this cluster, else a new client.

        Examples
        --------
        >>> with cluster.get_client() as client:
        ...     client.submit(inc, 1).result()
        2
        """
        from dagrpc.client import Client

        for found in (current.current_client(allow_global=False), lifecycle.default_client_for(self.scheduler_address)):
            if isinstance(found, Client) and found.cluster is self:
                return found
        return Client(self, asynchronous=self._asynchronous)

    def wait_for_workers(self, n_workers: int, timeout: float | str | None = None) -> Any:
        """Wait until the cluster has at least `n_workers` workers.

        Raises `WorkerStartTimeoutError` if fewer have joined within `timeout`: seconds, or a text such as
        ``"2 minutes"``; by default there is no limit.

        Examples
        --------
        >>> cluster.wait_for_workers(2, timeout="30 s")
        """
        return self._run(self._connection.wait_for_workers(n_workers, config.seconds(timeout)))

    def get_logs(self, cluster: bool = True, scheduler: bool = True, workers: bool | Collection[str] = True) -> Any:
        """Return the latest lines of the logs of the cluster's parts.

        Returns a dict of texts: ``Cluster`` (latest line first), ``Scheduler``, and workers by address. `workers` may
        list addresses, names or host names of some workers.

        Examples
        --------
        >>> print(cluster.get_logs(cluster=True, scheduler=False, workers=False)["Cluster"])
        20... - Started, with its scheduler at 127.0.0.1:...
        """
        return self._run(self._get_logs(cluster, scheduler, workers))

    async def _get_logs(self, cluster: bool, scheduler: bool, workers: bool | Collection[str]) -> Logs:
        own = {"Cluster": Log("\n".join(reversed(self._log)))} if cluster else {}
        return Logs({**own, **await self._connection.logs(scheduler, workers)})

    def _note(self, text: str) -> None:
        """Add a line to the log of this object."""
        self._log.append(f"{time.strftime('%Y-%m-%d %H:%M:%S')} - {self.name} - {text}")

    # --- scaling -------------------------------------------------------------------------------------------------

    def scale(self, n: int) -> Any:
        """Start or retire workers until there are `n`; subclasses implement it.

        Examples
        --------
        >>> cluster.scale(2)
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be scaled: it has no method scale")

    def scale_up(self, n: int) -> Any:
        """Scale to `n` workers, like `scale`.

        Examples
        --------
        >>> cluster.scale_up(2)
        """
        return self.scale(n)

    def scale_down(self, workers: Iterable[Hashable]) -> Any:
        """Retire workers by their names; subclasses implement it.

        Examples
        --------
        >>> with LocalCluster(n_workers=2, processes=False) as cluster:
        ...     cluster.scale_down([0])
        ...     sorted(cluster.plan)
        [1]
        """
        raise NotImplementedError(f"{type(self).__name__} cannot retire workers: it has no method scale_down")

    def adapt(
        self,
        Adaptive: type[Adaptive] = Adaptive,
        *,
        minimum: int | None = None,
        maximum: int | float | None = None,
        minimum_cores: int | None = None,
        maximum_cores: int | None = None,
        minimum_memory: float | str | None = None,
        maximum_memory: float | str | None = None,
        **kwargs: Any,
    ) -> Adaptive:
        """Scale the cluster by itself as its work grows and shrinks.

        The scheduler computes how many workers its tasks need; workers that stay idle are retired. A further call
        replaces the bounds and keeps other options. `scale` ends adaptive scaling.

        Parameters
        ----------
        Adaptive : type
            The class that decides.
        minimum, maximum, minimum_cores, maximum_cores, minimum_memory, maximum_memory : optional
            Bounds of the number of workers, and of the threads and the memory of all workers together.
        **kwargs
            For `Adaptive`: ``interval="1s"``, ``wait_count=3``, ``target_duration="5s"``, ``worker_key=None``, ...

        Raises
        ------
        ValueError
            If a bound is impossible, or the size of a worker is unknown.

        Examples
        --------
        >>> with LocalCluster(n_workers=0, processes=False) as cluster, Client(cluster) as client:
        ...     adaptive = cluster.adapt(minimum=0, maximum=2)
        ...     client.submit(inc, 1).result()  # a worker comes
        2
        """
        bounds = bounds_of_workers(
            minimum,
            maximum,
            self._worker_size(),
            cores=(minimum_cores, maximum_cores),
            memory=(nbytes_of(minimum_memory), nbytes_of(maximum_memory)),
        )
        return self._adaptation.replace(Adaptive, self, bounds, kwargs)

    @property
    def _adaptive(self) -> Adaptive | None:
        # Libraries read it by this name, which is distributed's.
        return self._adaptation.current

    def _summary(self) -> Summary:
        """Return the size of the cluster, asking the scheduler unless this runs on dagrpc's loop."""
        if not self._lifecycle.runs or self._loop.inside:
            return Summary.of(self._roster.info)
        return self._loop.run(self._ask_summary())

    async def _ask_summary(self) -> Summary:
        try:
            async with asyncio.timeout(2.0):
                self._roster.info = await self._connection.info()
        except Exception as error:  # a repr never raises
            logger.debug("%s cannot ask its scheduler: %s", self.name, error)
        return Summary.of(self._roster.info)

    def __repr__(self) -> str:
        return cluster_text(type(self).__name__, self.name, self.scheduler_address, self._summary())

    def _ipython_display_(self, **kwargs: Any) -> None:
        panel.show(self)

    def _repr_html_(self) -> str:
        return self._html(self._summary())

    def _html(self, summary: Summary) -> str:
        return cluster_html(type(self).__name__, self.name, self.scheduler_address, self.status, summary)
