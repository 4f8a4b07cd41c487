"""What all cluster managers have in common."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from dagrpc import config
from dagrpc._io import options
from dagrpc._io.channels import ServiceClient, open_channel
from dagrpc._io.credentials import credentials_of
from dagrpc._io.loop import get_loop
from dagrpc._util.server_status import Status
from dagrpc.exceptions import WorkerStartTimeoutError
from dagrpc.security import Security
from dagrpc.v1 import log_service_pb2 as log_pb
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_deploy import panel
from dagrpc_deploy.logs import Log, Logs
from dagrpc_deploy.scaling import Scalable

if TYPE_CHECKING:
    from typing import Self

    from dagrpc.client import Client

T = TypeVar("T")

_SCHEDULER_SERVICE = pb.DESCRIPTOR.services_by_name["SchedulerService"]
_LOG_SERVICE = log_pb.DESCRIPTOR.services_by_name["LogService"]
_CLUSTER_LOG_SERVICE = log_pb.DESCRIPTOR.services_by_name["ClusterLogService"]


class Cluster(Scalable):
    """A scheduler with its workers, started and stopped together.

    Subclasses say how in `_start`, `_close` and what `Scalable` names, which run on dagrpc's event loop.

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
    """

    def __init__(self, asynchronous: bool = False, name: str | None = None, security: Any = None) -> None:
        self.security = Security.of(security)
        """The certificates by which clients talk to it."""
        self.name = name or f"{type(self).__name__}-{uuid.uuid4().hex[:8]}"
        super().__init__()
        self.status = Status.created
        self.called_from_running_loop = asyncio._get_running_loop() is not None
        """Whether it was made by code that runs on an event loop."""
        self.scheduler_address = ""
        self._asynchronous = asynchronous
        self._loop = get_loop()
        self._control: ServiceClient | None = None
        self._log: deque[str] = deque(maxlen=1_000)
        """What happened to the cluster as a whole."""

    # --- what subclasses fill in ---

    async def _start(self) -> str:
        """Start scheduler and workers, and return the scheduler's address."""
        raise NotImplementedError

    async def _close(self, timeout: float) -> None:
        """Stop everything."""
        raise NotImplementedError

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
        if asynchronous and not self.asynchronous:
            return asyncio.wrap_future(self._loop.submit(func(*args, **kwargs)))
        return self._run(func(*args, **kwargs), config.seconds(callback_timeout))

    # --- life ---

    async def _begin(self) -> Any:
        if self.status == "created":
            self.status = Status.starting
            try:
                self.scheduler_address = await self._start()
            except BaseException:
                self.status = Status.failed
                await self._close(5.0)
                raise
            self.status = Status.running
            self._note(f"Started, with its scheduler at {self.scheduler_address}")
        return self

    async def _end(self, timeout: float) -> None:
        if self.status in ("closing", "closed"):
            return
        self.status = Status.closing
        if self._adaptive is not None:
            self._adaptive.stop("the cluster closes")
        if self._control is not None:
            await self._control.channel.close()
            self._control = None
        await self._close(timeout)
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
        if self.status == "closed":
            return self._run(_nothing()) if self.asynchronous else None
        return self._run(self._end(timeout if timeout is not None else 10.0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __await__(self) -> Generator[Any, None, Self]:
        awaitable: Awaitable[Self] = self._run(self._begin())
        return awaitable.__await__()

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
        """Return a client of this cluster.

        Examples
        --------
        >>> with cluster.get_client() as client:
        ...     client.submit(inc, 1).result()
        2
        """
        from dagrpc.client import Client

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
        return await self._scheduler().call("GetClusterInfo", pb.GetClusterInfoRequest(), pb.GetClusterInfoResponse)

    def _scheduler(self) -> ServiceClient:
        """Return a client of the scheduler's service. On the loop only."""
        if self._control is None:
            channel = open_channel(
                self.scheduler_address, options.CONTROL_CHANNEL, credentials_of(self.security, "client")
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

    def _summary(self) -> tuple[int, int, int] | None:
        """Return numbers of workers and threads and bytes of memory, or None if they cannot be had at once."""
        if self.status != "running" or self._loop.inside:
            return None
        return self._loop.run(self._ask_summary())

    async def _ask_summary(self) -> tuple[int, int, int] | None:
        try:
            async with asyncio.timeout(2.0):
                info = await self._cluster_info()
        except Exception:  # a repr never raises
            return None
        return (
            len(info.workers),
            sum(worker.nthreads for worker in info.workers),
            sum(worker.memory_limit for worker in info.workers),
        )

    def __repr__(self) -> str:
        from dask.utils import format_bytes

        summary = self._summary()
        text = f"{type(self).__name__}({self.name}, {self.scheduler_address or 'not started'!r}"
        if summary is None:
            return f"{text}, status={self.status})"
        workers, threads, memory = summary
        return f"{text}, workers={workers}, threads={threads}, memory={format_bytes(memory)})"

    def _ipython_display_(self, **kwargs: Any) -> None:
        panel.show(self)

    def _repr_html_(self) -> str:
        return self._html(self._summary())

    def _html(self, summary: tuple[int, int, int] | None) -> str:
        from html import escape

        from dask.utils import format_bytes

        rows = [("Scheduler", self.scheduler_address), ("Status", self.status)]
        if summary is not None:
            workers, threads, memory = summary
            rows += [("Workers", str(workers)), ("Threads", str(threads)), ("Memory", format_bytes(memory))]
        body = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
        return f"<h4>{escape(type(self).__name__)} {escape(self.name)}</h4><table>{body}</table>"


async def _nothing() -> None:
    """Do nothing, awaitably."""
