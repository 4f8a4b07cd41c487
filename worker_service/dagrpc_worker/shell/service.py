"""A worker: its core and everything around it, put together."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from dagrpc import config
from dagrpc._auth.credentials import credentials_of, shown_address, warn_if_open
from dagrpc._client import current
from dagrpc._codec.shared_store import SharedStore
from dagrpc._common.addresses import is_wildcard, join_address, local_ip, parse_address, split_address
from dagrpc._common.keys import decode_key
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc._rpc import grpc_options, log_service
from dagrpc._rpc.channels import ChannelPool
from dagrpc._rpc.server import Server
from dagrpc._transfer.transfers import WORKER_SERVICE
from dagrpc.exceptions import CommClosedError, DagrpcError, LimitReachedError
from dagrpc.security import Security
from dagrpc.v1 import common_pb2
from dagrpc_worker.core.events import Event
from dagrpc_worker.core.machine import WorkerCore
from dagrpc_worker.core.views import WorkerView
from dagrpc_worker.data import memory_thresholds
from dagrpc_worker.data.result_store import DataStore
from dagrpc_worker.data.spilling_store import SpillingStore
from dagrpc_worker.execute import custom_executors, task_context
from dagrpc_worker.execute.runner import TaskRunner
from dagrpc_worker.execute.task_profile import WorkerProfile
from dagrpc_worker.options import WorkerOptions
from dagrpc_worker.servicers import actor_service as actors
from dagrpc_worker.servicers import worker_diagnostics_service
from dagrpc_worker.servicers.data_transfers import DataServicer
from dagrpc_worker.servicers.introspection_service import SERVICE as INTROSPECTION_SERVICE
from dagrpc_worker.servicers.introspection_service import IntrospectionServicer
from dagrpc_worker.servicers.process_control import ControlServicer
from dagrpc_worker.servicers.shuffle_service import ShuffleServicer
from dagrpc_worker.servicers.worker_service import RAW_REQUESTS, WorkerServicer
from dagrpc_worker.shell.actor_host import ActorHost
from dagrpc_worker.shell.core_config import core_config
from dagrpc_worker.shell.dispatch import Dispatcher
from dagrpc_worker.shell.facade import user_hooks
from dagrpc_worker.shell.facade.task_services import ForTasks
from dagrpc_worker.shell.fetch.fetcher import Fetcher
from dagrpc_worker.shell.lifecycle.background_jobs import carry_on
from dagrpc_worker.shell.lifecycle.drain import RETIRE_LIMIT, leave
from dagrpc_worker.shell.lifecycle.end_state import End, EndKind
from dagrpc_worker.shell.lifecycle.nanny_pipe import ToNanny
from dagrpc_worker.shell.lifecycle.scheduler_file import scheduler_address
from dagrpc_worker.shell.lifecycle.workspace import Workspace
from dagrpc_worker.shell.memory.memory_monitor import MemoryMonitor
from dagrpc_worker.shell.monitoring.worker_metrics import Metrics
from dagrpc_worker.shell.plugins.plugin_host import HOST_SERVICE
from dagrpc_worker.shell.plugins.worker_plugins import WorkerPlugins
from dagrpc_worker.shell.session.heartbeat import Heartbeat
from dagrpc_worker.shell.session.inbox import Inbox
from dagrpc_worker.shell.session.reconnect import WorkerReconnect
from dagrpc_worker.shell.session.scheduler_session import SchedulerSession
from dagrpc_worker.shell.session.translate_in import CommandReader
from dagrpc_worker.shell.session.translate_out import GoodbyeReport
from dagrpc_worker.shell.shuffle.shuffle_outbox import SHUFFLE_SERVICE
from dagrpc_worker.shell.shuffle.shuffle_runs import Shuffles

if TYPE_CHECKING:
    import grpc

    from dagrpc._client.scheduler_calls import SchedulerCalls

logger = logging.getLogger("dagrpc.worker")

_FINISH_TIMEOUT = 2.0
_GRACE = 0.5


class WorkerService(ForTasks):
    """A worker: runs tasks, keeps their results and serves them.

    To be made and used on the process's event loop, which several workers can share.

    Parameters
    ----------
    options : WorkerOptions
        Its settings.

    Attributes
    ----------
    address : str
        Where it serves, ``host:port``. Empty before `start`.
    name : str
        Its name on the cluster.
    id : str
        Its own, unlike that of any other worker.
    data : DataStore
        The results that it holds, by key.
    local_directory : str
        Its directory for temporary files. Empty before `start`.
    """

    def __init__(self, options: WorkerOptions) -> None:
        super().__init__()
        self.options = options
        self.security = Security.of(options.security)
        self.credentials = credentials_of(self.security, "worker")
        """For TLS; None: without."""
        self.address = ""
        self.name = options.name
        self.nthreads = options.nthreads
        self.memory_limit = options.memory_limit
        self.resources = dict(options.resources)
        self.nanny = options.nanny
        self.data = DataStore()
        self.status = common_pb2.WORKER_STATUS_RUNNING
        self.local_directory = ""
        self.id = f"Worker-{uuid.uuid4()}"
        self.scheduler_address = ""
        self.running_on: asyncio.AbstractEventLoop | None = None
        """The event loop that it runs on; None before it has started."""
        self.facade: Any = None
        """The `Worker` that stands for it, once there is one."""
        self.restart_wanted = False
        """Whether another is to take its place when it closes."""
        self.startup_information = b""
        """What its user wants the scheduler to be told of it."""
        self.plugin_host = WorkerPlugins(self)
        """Sets plugins up and tears them down."""
        self._shared = SharedStore()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._end: End | None = None
        self._finished = asyncio.Event()
        self.joined = False
        self.to_nanny = ToNanny()
        self._starting: asyncio.Task[None] | None = None
        self._cleanup = AsyncExitStack()
        """What is to be stopped, last started first."""

    def __repr__(self) -> str:
        return f"<WorkerService {self.name!r} at {self.address}, {self.nthreads} threads, {len(self.data)} results>"

    # --- starting ------------------------------------------------------------------------------------------------

    async def start(self) -> WorkerService:
        """Serve, and join the cluster.

        Raises
        ------
        OSError
            If the port cannot be had, the scratch directory cannot be made, or no scheduler is there in time.
        DagrpcError
            If the scheduler does not want the worker: its name is taken, for instance.
        """
        self._loop = self.running_on = asyncio.get_running_loop()
        self.thread_id = threading.get_ident()
        # A task of its own, so that closing can break it off.
        self._starting = self._loop.create_task(self._start())
        try:
            await self._starting
        except asyncio.CancelledError:
            if self._end is None:
                raise
            raise CommClosedError(f"The worker was closed while it started: {self._end.reason}") from None
        finally:
            self._starting = None
        return self

    async def _start(self) -> None:
        options = self.options
        begun = time.monotonic()
        deadline = None if options.death_timeout is None else begun + options.death_timeout
        try:
            scheduler = options.scheduler_address
            if not scheduler:
                scheduler = await scheduler_address(options.scheduler_file, deadline)
            self.scheduler_address = parse_address(scheduler)
            workspace = Workspace(options.local_directory)
            self._cleanup.push_async_callback(asyncio.to_thread, workspace.close)
            self.local_directory = str(workspace.path)
            self._hold_data()
            await self._serve()
            self._compose()
            current.begin_tasks()
            self._cleanup.callback(current.end_tasks)
            self._cleanup.push_async_callback(self._close_client)
            self._cleanup.push_async_callback(self.plugin_host.close)
            await self.plugin_host.begin(self._core, self._runner.recorder)
            self.startup_information = await user_hooks.startup_information(self)
            await self._join(deadline, begun + options.duplicate_grace)
        except BaseException:
            await self._cleanup.aclose()
            raise
        self._background(workspace.purge_later)
        self._background(partial(user_hooks.live_out, self))

    def _hold_data(self) -> None:
        """Make the place for results: a user's, or one that writes to disk what is too much for memory."""
        data = user_hooks.make_data(self.options.data, self.local_directory)
        if data is not None:
            self.data.keep_in(data)
            return
        self.data = memory_thresholds.make_store(self.memory_limits, self.local_directory)
        if isinstance(self.data, SpillingStore):
            self._cleanup.push_async_callback(asyncio.to_thread, self.data.close)

    @property
    def memory_limits(self) -> memory_thresholds.MemoryLimits:
        """When something is done about its memory."""
        return memory_thresholds.MemoryLimits.of(self.memory_limit, self.options.memory_fractions())

    async def _watch_memory(self) -> None:
        limits = self.memory_limits
        if limits.spill or limits.pause or limits.target:
            await asyncio.sleep(config.get_seconds("worker.memory.monitor-interval") or 0.1)
            await MemoryMonitor(self, limits, self._inbox.take, self._session.send).run()

    @property
    def plugins(self) -> dict[str, Any]:
        """The worker's plugins, by name."""
        return self.plugin_host.plugins

    async def _serve(self) -> None:
        """Start the server, whose port is part of the worker's address."""
        options = self.options
        self._data_servicer = DataServicer(self.data, self._take, options.transfer_limit() if self.memory_limit else 0)
        control = ControlServicer(self)
        self._cleanup.push_async_callback(control.close)
        server = Server(
            (*RAW_REQUESTS, *actors.RAW_REQUESTS), blocked_by="worker.blocked-handlers", credentials=self.credentials
        )
        server.add_service(WORKER_SERVICE, WorkerServicer(self._data_servicer, control))
        self._diagnostics = worker_diagnostics_service.DiagnosticsServicer()
        server.add_service(worker_diagnostics_service.SERVICE, self._diagnostics)
        server.add_service(INTROSPECTION_SERVICE, IntrospectionServicer(self))
        server.add_service(log_service.SERVICE, log_service.LogServicer("worker"))
        self._actor_servicer = actors.ActorServicer()
        server.add_service(actors.SERVICE, self._actor_servicer)
        server.add_service(HOST_SERVICE, self.plugin_host.servicer())
        server.add_service(SHUFFLE_SERVICE, ShuffleServicer(lambda: self.shuffles))
        port = await server.start(options.host, options.port)
        self._cleanup.push_async_callback(server.stop, _GRACE)
        host = options.host
        if options.contact_address:
            host, contact_port = split_address(options.contact_address)
            port = contact_port or port
        elif is_wildcard(host):
            host = local_ip(split_address(self.scheduler_address)[0])
        self.address = shown_address(join_address(host, port), self.credentials)
        warn_if_open("Worker", self.address, options.host, self.credentials)
        self.name = options.name or self.address

    def _compose(self) -> None:
        """Put together what needs the address."""
        # It knows the service.
        from dagrpc_worker.shell.facade.worker import Worker

        options = self.options
        sizes = user_hooks.pool_sizes(options)
        settings = core_config(options, sizes)
        self._core = WorkerCore(
            self.address, self.nthreads, self.resources, settings, bool(config.get("worker.validate"))
        )
        self._session = SchedulerSession(self.scheduler_address, self.credentials)
        self._inbox = Inbox(
            self._core,
            lambda orders: self._dispatcher(self.plugin_host.before(orders)),
            self._on_bug,
            lambda: self._core.view.seconds_ahead(self._runner.waiting),
        )
        self._runner = TaskRunner(
            self.nthreads,
            self.data,
            self._shared,
            self._inbox.post,
            self._run_on_loop,
            sizes,
            owner=Worker.of(self),
            name=self.name,
        )
        self._runner.address = self.address
        custom_executors.install(self._runner, options.executor, self.name)
        profile = WorkerProfile(
            self._runner, threading.get_ident(), options.profile_cycle_interval, options.low_level_profiler
        )
        profile.start()
        self._cleanup.callback(profile.stop)
        self._diagnostics.runner, self._diagnostics.profile = self._runner, profile
        channels = ChannelPool(grpc_options.DATA_CHANNEL, credentials=self.credentials)
        fetcher = Fetcher(
            self.address, channels, self.data, lambda event: self._inbox.take((event,)), self._runner.recorder
        )
        self._dispatcher = Dispatcher(self._runner, fetcher, self.data, self._session.send, self._inbox.post)
        self.actor_host = self._actor_servicer.host = ActorHost(
            self._runner, self._run_on_loop, channels, self.credentials
        )
        self.shuffles = Shuffles(self, channels, self._session)
        self._commands = CommandReader(self._shared, self._on_close_command, self.shuffles.end)
        stops = (channels.close, self.actor_host.close, self._session.close, partial(cancel_all, self._tasks))
        for stop in (*stops, fetcher.close, self.shuffles.close):
            self._cleanup.push_async_callback(stop)
        for halt in (self._runner.close, self._dispatcher.close, self._inbox.close):
            self._cleanup.callback(halt)

    async def _join(self, deadline: float | None, duplicate_deadline: float) -> None:
        """Join the cluster and begin to take commands."""
        welcome = await self._session.connect(self.plugin_host.introduce, deadline, duplicate_deadline)
        self.name = welcome.name or self.name
        self._runner.inline_limit = welcome.inline_limit
        self._runner.recorder.follow(welcome.recording, welcome.details)
        self.shuffles.registered(welcome.last_shuffle_run)
        self.joined = True
        self.to_nanny.joined(self)
        spawn(self._hold_session(), self._tasks)
        self._background(self._heartbeats, again=True)
        self._background(self._watch_memory, again=True)
        logger.info(
            "Worker %s at %s joined the scheduler at %s with %d threads",
            self.name,
            self.address,
            self.scheduler_address,
            self.nthreads,
        )

    # --- running -------------------------------------------------------------------------------------------------

    async def _hold_session(self) -> None:
        """Take commands until the session ends; without it, the worker is of no use."""
        try:
            reconnect = WorkerReconnect(self, self._session, self._shared, self._inbox.take)
            await self._session.run(lambda message: self._take(self._commands.read(message)), reconnect)
        except (CommClosedError, DagrpcError, TimeoutError) as error:
            # Another process in its place may do better, but that is not to go on for ever.
            kind = EndKind.CUT_OFF if isinstance(error, LimitReachedError) else EndKind.LOST
            self._begin_close(kind, str(error))
        except Exception as error:
            self._on_bug(error)

    def _take(self, events: Sequence[Event]) -> None:
        """Give the core what others want of the worker."""
        if events:
            self.to_nanny.at_work()
        self._inbox.take(events)

    async def _heartbeats(self) -> None:
        assert self._session.client is not None
        interval = self.options.heartbeat_interval
        # The first task need not wait for what measuring imports.
        await asyncio.sleep(interval / 2)
        own = user_hooks.OwnMetrics(self).sample
        sample = Metrics(self).sample
        self.heartbeat = Heartbeat(self.address, self._session.client, sample, interval, self._runner.recorder, own)
        await self.heartbeat.run()

    def _background(self, work: Callable[[], Coroutine[Any, Any, None]], again: bool = False) -> None:
        """Start what goes on beside the session."""
        spawn(carry_on(self, work, again), self._tasks)

    def _run_on_loop(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a task that is a coroutine. From any thread."""
        self._loop.call_soon_threadsafe(spawn, coroutine, self._tasks)

    def _on_close_command(self, reason: str, restart: bool) -> None:
        restart = restart or self.restart_wanted
        self._begin_close(EndKind.RESTART if restart else EndKind.CLOSED, reason or "the scheduler wants it")

    def _on_bug(self, error: Exception) -> None:
        """Close: the worker's state cannot be trusted any more, and its tasks are better off elsewhere."""
        logger.critical("Worker %s at %s has met a bug and closes", self.name, self.address, exc_info=error)
        self._begin_close(EndKind.FAILED, f"internal error: {type(error).__name__}: {error}")

    # --- for tasks -----------------------------------------------------------------------------------------------

    @property
    def actors(self) -> dict[Any, Any]:
        """The actors that live here, by key."""
        return {decode_key(key): instance for key, instance in self.actor_host.instances.items()}

    def get_current_task(self) -> Any:
        """Return the key of the task that the caller is part of.

        Raises
        ------
        ValueError
            If the caller is not part of a task.
        """
        return decode_key(task_context.get_context().key)

    @property
    def scheduler(self) -> SchedulerCalls:
        """The scheduler, and what it can be called for."""
        from dagrpc._client.scheduler_calls import SchedulerCalls

        address = shown_address(self.scheduler_address, self.credentials)
        return SchedulerCalls(address, self._session.welcome.scheduler_id, self.get_client)

    @property
    def scheduler_channel(self) -> grpc.aio.Channel | None:
        """The connection to the scheduler; None before there is one."""
        return self._session.channel

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the worker runs on."""
        return self._loop

    @property
    def state(self) -> WorkerView:
        """What the worker's core knows of its tasks."""
        return self._core.view

    @property
    def executors(self) -> custom_executors.Executors:
        """The pools of threads that run tasks, by name. Plugins may add theirs."""
        return custom_executors.Executors(self._runner, self.name, self._inbox.post)

    def set_resources(self, resources: Mapping[str, float]) -> None:
        """Offer other amounts of resources. On the loop."""
        user_hooks.set_resources(self, resources, self._inbox.take, self._session.send)

    # --- questions -----------------------------------------------------------------------------------------------

    def executing(self) -> dict[str, float]:
        """Return since when each task runs, in seconds since the epoch, by key."""
        return self._runner.executing()

    def task_counts(self) -> dict[str, int]:
        """Return how many tasks there are in each state."""
        return self._core.view.counts()

    def counts(self) -> dict[str, float]:
        """Return what the heartbeat tells of tasks and transfers."""
        view = self._core.view
        return {
            "ready": view.ready_count,
            "waiting": view.waiting_count,
            "long_running": view.long_running_count,
            "in_flight": view.in_flight_count,
            "transfers_incoming": view.gathers,
            "transfers_incoming_bytes": view.gathers_nbytes,
            "transfers_outgoing": self._data_servicer.slots.active,
            "transfers_outgoing_bytes": self._data_servicer.slots.budget.used,
        }

    # --- ending --------------------------------------------------------------------------------------------------

    async def finished(self) -> End:
        """Wait until the worker has closed, by whomever."""
        await self._finished.wait()
        assert self._end is not None
        return self._end

    @property
    def closed(self) -> bool:
        """Whether the worker has closed or is about to."""
        return self._end is not None

    async def close(self, reason: str = "closed") -> End:
        """Leave the cluster and stop. Tasks that run are left to themselves."""
        self.close_soon(reason)
        return await self.finished()

    def close_soon(self, reason: str = "closed") -> None:
        """Begin to close. On the loop."""
        self._begin_close(EndKind.RESTART if self.restart_wanted else EndKind.CLOSED, reason)

    async def close_gracefully(self, restart: bool, reason: str, limit: float = RETIRE_LIMIT) -> End:
        """Leave once what runs is done and what only this worker holds is elsewhere; see `leaving.leave`."""
        await leave(self, self._session, self._inbox, restart, reason, limit)
        return await self.finished()

    def _begin_close(self, kind: EndKind, reason: str) -> None:
        if self._end is not None:
            return
        self._end = End(kind, reason)
        self.status = common_pb2.WORKER_STATUS_CLOSING
        level = logging.INFO if kind in (EndKind.CLOSED, EndKind.RESTART) else logging.ERROR
        logger.log(level, "Worker %s at %s closes (%s): %s", self.name, self.address or "-", kind.value, reason)
        # Not among the tasks that closing cancels.
        self._closing = asyncio.get_running_loop().create_task(self._close(self._end))

    async def _close(self, end: End) -> None:
        try:
            if self._starting is not None:
                self._starting.cancel()
                await asyncio.wait([self._starting])
            # Of a bug, as of a crash, what it has to run may be the cause: that is suspected only if it says nothing.
            if self.joined and end.kind in (EndKind.CLOSED, EndKind.RESTART):
                self._session.send([GoodbyeReport(end.reason)])
                await self._session.finish(_FINISH_TIMEOUT)
            await self._cleanup.aclose()
        except Exception:
            logger.exception("Worker %s at %s did not close cleanly", self.name, self.address)
        finally:
            self._finished.set()
