"""What all cluster managers have in common."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from dagrpc import config
from dagrpc._auth.credentials import credentials_of
from dagrpc._client import current
from dagrpc._common.server_status import Status
from dagrpc._loop.io_loop import get_loop
from dagrpc._rpc import grpc_options
from dagrpc._rpc.channels import ServiceClient, open_channel
from dagrpc.exceptions import CommClosedError, WorkerStartTimeoutError
from dagrpc.security import Security
from dagrpc.v1 import log_service_pb2 as log_pb
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_deploy import panel
from dagrpc_deploy.logs import Log, Logs
from dagrpc_deploy.scaling import Scalable

if TYPE_CHECKING:
    from typing import Self

    from dagrpc.client import Client

logger = logging.getLogger("dagrpc.deploy")

T = TypeVar("T")

NOT_CONNECTED = "<Not Connected>"
"""The scheduler's address while there is none."""
_PATIENCE_AFTER_FAILURE = 5.0

_SCHEDULER_SERVICE = pb.DESCRIPTOR.services_by_name["SchedulerService"]
_LOG_SERVICE = log_pb.DESCRIPTOR.services_by_name["LogService"]
_CLUSTER_LOG_SERVICE = log_pb.DESCRIPTOR.services_by_name["ClusterLogService"]


class Cluster(Scalable):
    """A scheduler with its workers, started and stopped together. Base of all cluster managers.

    Subclasses start a scheduler in the coroutine function `_start`, or know one, and set `scheduler_address`; they stop
    it in `_close`. Both run on dagrpc's event loop, and call these here, too. `scale` and `scale_down` say how the
    number of workers changes; `adapt` calls them. `SpecCluster` does all of that for whatever classes one names.

    Parameters
    ----------
    asynchronous : bool
        Whether the user awaits: methods return awaitables.
    name : str, optional
        What to call the cluster.
    security : Security, mapping, optional
        The certificates by which it, and clients of it, talk to its scheduler; by default those of the configuration.

    Examples
    --------
    >>> isinstance(cluster, Cluster)  # a LocalCluster, for instance
    True

    One of which somebody else runs the scheduler:

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
        """The certificates by which clients talk to it."""
        self.name = name or f"{type(self).__name__}-{uuid.uuid4().hex[:8]}"
        super().__init__()
        self._life = Status.created
        self.called_from_running_loop = asyncio._get_running_loop() is not None
        """Whether it was made by code that runs on an event loop."""
        self.scheduler_address = NOT_CONNECTED
        self._asynchronous = asynchronous
        self._loop = get_loop()
        self._starting = asyncio.Lock()
        self._beginner: asyncio.Task[Any] | None = None
        """The one that starts it."""
        self._patience = 10.0
        """Seconds for what is closed to finish before it is ended."""
        self._control: ServiceClient | None = None
        self._log: deque[str] = deque(maxlen=1_000)
        """What happened to the cluster as a whole."""

    # --- what subclasses fill in ---

    async def _start(self) -> None:
        """Start scheduler and workers, and set `scheduler_address`."""

    async def _close(self) -> None:
        """Stop everything."""

    async def _settle(self) -> None:
        """Wait until there are the workers that there are to be."""

    def _has_lost_all(self) -> bool:
        """Return whether all workers have been given up, so that none comes unless the cluster is scaled."""
        return False

    @property
    def status(self) -> Status:
        """What it is doing; `Status.failed` also while all its workers have been given up, until others come.

        Examples
        --------
        >>> cluster.status
        <Status.running: 'running'>
        """
        return Status.failed if self._life is Status.running and self._has_lost_all() else self._life

    @status.setter
    def status(self, status: Status) -> None:
        self._life = status

    # --- sync and async ---

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
            # Not before: what it does first is done on the loop, too.
            return await func(*args, **kwargs)

        if asynchronous and not self.asynchronous:
            return asyncio.wrap_future(self._loop.submit(call()))
        return self._run(call(), config.seconds(callback_timeout))

    # --- life ---

    async def _begin(self) -> Self:
        """Start, or wait until what was planned since has come."""
        # One start, however many await it.
        async with self._starting:
            if self._life is Status.created:
                self._beginner = asyncio.current_task()
                await self._begin_once()
            elif self._life is Status.failed:
                raise RuntimeError(f"{self.name} has failed, and is not started again: make another one")
        if self._life is Status.running:
            await self._settle()
        return self

    async def _begin_once(self) -> None:
        self.status = Status.starting
        try:
            await self._start()
        except BaseException:
            self._patience = _PATIENCE_AFTER_FAILURE
            await self._close()
            self.status = Status.failed
            raise
        self.status = Status.running
        self._note(f"Started, with its scheduler at {self.scheduler_address}")

    async def _end(self, timeout: float) -> None:
        if self._beginner is not None and self.status is Status.starting:
            self._beginner.cancel()
        async with self._starting:
            if self.status in (Status.closing, Status.closed):
                return
            self.status, self._patience = Status.closing, timeout
        self._stop_adapting("the cluster closes")
        await self._close()
        if self._control is not None:
            await self._control.channel.close()
            self._control = None
        self._info = None
        self.status = Status.closed

    def close(self, timeout: float | None = None) -> Any:
        """Stop scheduler and workers.

        Parameters
        ----------
        timeout : float, optional
            Seconds to let them finish before they are killed; 10 by default.

        Examples
        --------
        >>> cluster = LocalCluster(n_workers=1, processes=False)
        >>> cluster.close()
        >>> cluster.status
        <Status.closed: 'closed'>
        """
        if self._loop.forked:
            # A child that leaves the parent's block: the cluster goes on.
            return None
        if self.status == "closed":
            return self._run(_nothing()) if self.asynchronous else None
        return self._run(self._end(timeout if timeout is not None else 10.0))

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

    # --- the cluster as a user sees it ---

    @classmethod
    def from_name(cls, name: str) -> Self:
        """Return a cluster that runs already, by its name.

        Raises
        ------
        NotImplementedError
            Unless a subclass knows where to look.

        Examples
        --------
        >>> LocalCluster.from_name("mine")
        Traceback (most recent call last):
            ...
        NotImplementedError: No LocalCluster is found by its name: ...
        """
        raise NotImplementedError(f"No {cls.__name__} is found by its name: connect a Client to its address")

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop on which all of it happens; dagrpc's own."""
        return self._loop.loop

    def get_client(self) -> Client:
        """Return a client of this cluster: the current one if it is that, else a new one.

        Examples
        --------
        >>> with cluster.get_client() as client:
        ...     client.submit(inc, 1).result()
        2
        """
        from dagrpc.client import Client

        for found in (current.current_client(allow_global=False), current.default_for(self.scheduler_address)):
            if isinstance(found, Client) and found.cluster is self:
                return found
        return Client(self, asynchronous=self._asynchronous)

    def wait_for_workers(self, n_workers: int, timeout: float | str | None = None) -> Any:
        """Wait until there are so many workers.

        Parameters
        ----------
        n_workers : int
            How many.
        timeout : number or str, optional
            How long to wait: seconds, or a text such as ``"2 minutes"``. By default until they are there.

        Raises
        ------
        WorkerStartTimeoutError
            If there are not within `timeout` seconds.

        Examples
        --------
        >>> cluster.wait_for_workers(2, timeout="30 s")
        """
        return self._run(self._wait_for_workers(n_workers, config.seconds(timeout)))

    async def _wait_for_workers(self, n_workers: int, timeout: float | None) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            available = len((await self._cluster_info()).workers)
            if available >= n_workers:
                return
            if deadline is not None and time.monotonic() > deadline:
                raise WorkerStartTimeoutError(available, n_workers, timeout or 0.0)
            await asyncio.sleep(0.02)

    async def _cluster_info(self) -> pb.GetClusterInfoResponse:
        if self.scheduler_address == NOT_CONNECTED:
            return pb.GetClusterInfoResponse(address=NOT_CONNECTED)
        return await self._scheduler().call("GetClusterInfo", pb.GetClusterInfoRequest(), pb.GetClusterInfoResponse)

    def _scheduler(self) -> ServiceClient:
        """Return a client of the scheduler's service. On the loop only.

        Raises
        ------
        CommClosedError
            If there is no scheduler yet.
        """
        if self.scheduler_address == NOT_CONNECTED:
            raise CommClosedError(f"{self.name} has no scheduler: its `scheduler_address` is not set")
        if self._control is None:
            channel = open_channel(
                self.scheduler_address, grpc_options.CONTROL_CHANNEL, credentials_of(self.security, "client")
            )
            self._control = ServiceClient(channel, _SCHEDULER_SERVICE, f"scheduler {self.scheduler_address}")
        return self._control

    def get_logs(self, cluster: bool = True, scheduler: bool = True, workers: bool | Collection[str] = True) -> Any:
        """Return what the parts of the cluster have logged lately.

        Parameters
        ----------
        cluster, scheduler : bool
            Whether to return the log of this object, and that of the scheduler.
        workers : bool or list of str
            Whether to return those of the workers; or the addresses, names or host names of some.

        Returns
        -------
        Logs
            A dict of texts, whose lines are the latest first: ``Cluster``, ``Scheduler``, and workers by address.

        Examples
        --------
        >>> print(cluster.get_logs(cluster=True, scheduler=False, workers=False)["Cluster"])
        20... - Started, with its scheduler at 127.0.0.1:...
        """
        return self._run(self._get_logs(cluster, scheduler, workers))

    async def _get_logs(self, cluster: bool, scheduler: bool, workers: bool | Collection[str]) -> Logs:
        found = Logs()
        if cluster:
            found["Cluster"] = Log("\n".join(reversed(self._log)))
        if self.scheduler_address == NOT_CONNECTED:
            return found
        channel, peer = self._scheduler().channel, f"scheduler {self.scheduler_address}"
        if scheduler:
            service = ServiceClient(channel, _LOG_SERVICE, peer)
            response = await service.call("GetLogs", log_pb.GetLogsRequest(), log_pb.GetLogsResponse)
            found["Scheduler"] = Log("\n".join(line.text for line in response.lines))
        if workers:
            names = [] if workers is True else [str(name) for name in workers]
            service = ServiceClient(channel, _CLUSTER_LOG_SERVICE, peer)
            request = log_pb.GetWorkerLogsRequest(workers=names)
            logs = await service.call("GetWorkerLogs", request, log_pb.GetWorkerLogsResponse, timeout=60.0)
            for log in logs.logs:
                found[log.worker] = Log("\n".join(line.text for line in log.lines))
        return found

    def _note(self, text: str) -> None:
        """Add a line to the log of this object."""
        self._log.append(f"{time.strftime('%Y-%m-%d %H:%M:%S')} - {self.name} - {text}")

    @property
    def dashboard_link(self) -> str:
        """Where the dashboard is; empty while there is none.

        Examples
        --------
        >>> cluster.dashboard_link
        ''
        """
        return ""

    def _summary(self) -> tuple[int, int, int]:
        """Return numbers of workers and threads and bytes of memory, as far as they can be had at once."""
        if self._life is not Status.running or self._loop.inside:
            return _sums(self._info)
        return self._loop.run(self._ask_summary())

    async def _ask_summary(self) -> tuple[int, int, int]:
        try:
            async with asyncio.timeout(2.0):
                self._info = await self._cluster_info()
        except Exception as error:  # a repr never raises
            logger.debug("%s cannot ask its scheduler: %s", self.name, error)
        return _sums(self._info)

    def __repr__(self) -> str:
        from dask.utils import format_bytes

        workers, threads, memory = self._summary()
        # Workers without a limit have no figure.
        limit = f", memory={format_bytes(memory)}" if memory or not workers else ""
        size = f"workers={workers}, threads={threads}{limit}"
        return f"{type(self).__name__}({self.name}, {self.scheduler_address!r}, {size})"

    def _ipython_display_(self, **kwargs: Any) -> None:
        panel.show(self)

    def _repr_html_(self) -> str:
        return self._html(self._summary())

    def _html(self, summary: tuple[int, int, int]) -> str:
        from html import escape

        from dask.utils import format_bytes

        workers, threads, memory = summary
        rows = [("Scheduler", self.scheduler_address), ("Status", self.status), ("Workers", str(workers))]
        rows.append(("Threads", str(threads)))
        # Workers without a memory limit have no memory to add up.
        rows += [("Memory", format_bytes(memory))] if memory else []
        body = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
        return f"<h4>{escape(type(self).__name__)} {escape(self.name)}</h4><table>{body}</table>"


def _sums(info: pb.GetClusterInfoResponse | None) -> tuple[int, int, int]:
    workers = info.workers if info is not None else ()
    return (
        len(workers),
        sum(worker.nthreads for worker in workers),
        sum(worker.memory_limit for worker in workers),
    )


async def _nothing() -> None:
    """Do nothing, awaitably."""
