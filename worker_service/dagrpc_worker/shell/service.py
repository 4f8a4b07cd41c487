"""A worker: its core and everything around it, put together."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import cached_property, partial
from typing import Any

from dagrpc import _client_on_workers as client_parts
from dagrpc import config
from dagrpc._auth.credentials import credentials_of
from dagrpc._codec.shared_store import SharedStore
from dagrpc._common.addresses import parse_address
from dagrpc._common.keys import decode_key
from dagrpc._common.time_limits import RETIRE_LIMIT
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc._loop.ticks import Ticks
from dagrpc._peer.traffic import Traffic
from dagrpc._rpc import grpc_options
from dagrpc._rpc.call_statistics import CallStatistics
from dagrpc._rpc.channels import ChannelPool
from dagrpc.exceptions import CommClosedError, DagrpcError, LimitReachedError
from dagrpc.security import Security
from dagrpc.v1 import common_pb2
from dagrpc_worker.core.events import Event
from dagrpc_worker.core.machine import WorkerCore
from dagrpc_worker.core.views import WorkerView
from dagrpc_worker.data import memory_thresholds
from dagrpc_worker.data.result_store import DataStore
from dagrpc_worker.data.spilling_store import SpillingStore
from dagrpc_worker.execute import custom_executors
from dagrpc_worker.execute.runner import TaskRunner
from dagrpc_worker.execute.task_profile import WorkerProfile
from dagrpc_worker.http.serve import start_http
from dagrpc_worker.options import WorkerOptions
from dagrpc_worker.shell import user_hooks
from dagrpc_worker.shell.actor_host import ActorHost
from dagrpc_worker.shell.core_config import core_config
from dagrpc_worker.shell.dispatch import Dispatcher
from dagrpc_worker.shell.fetch.fetcher import Fetcher
from dagrpc_worker.shell.lifecycle.background_jobs import run_with_retry
from dagrpc_worker.shell.lifecycle.drain import drain
from dagrpc_worker.shell.lifecycle.end_state import End, EndKind
from dagrpc_worker.shell.lifecycle.nanny_pipe import NannyPipe
from dagrpc_worker.shell.lifecycle.scheduler_file import scheduler_address
from dagrpc_worker.shell.lifecycle.workspace import Workspace
from dagrpc_worker.shell.memory.memory_monitor import MemoryMonitor
from dagrpc_worker.shell.monitoring import task_traces, worker_counts
from dagrpc_worker.shell.monitoring.process_monitor import ProcessMonitor, keep_measuring
from dagrpc_worker.shell.monitoring.worker_metrics import Metrics
from dagrpc_worker.shell.plugins.worker_plugins import WorkerPlugins
from dagrpc_worker.shell.session.export_notices import ExportNotices
from dagrpc_worker.shell.session.heartbeat import Heartbeat
from dagrpc_worker.shell.session.inbox import Inbox
from dagrpc_worker.shell.session.reconnect import WorkerReconnect
from dagrpc_worker.shell.session.scheduler_session import SchedulerSession
from dagrpc_worker.shell.session.translate_in import CommandReader
from dagrpc_worker.shell.session.translate_out import GoodbyeReport
from dagrpc_worker.shell.shuffle.shuffle_runs import Shuffles
from dagrpc_worker.shell.task_services import TaskServices
from dagrpc_worker.shell.user_hooks import CustomMetrics
from dagrpc_worker.shell.worker_record import WorkerRecord
from dagrpc_worker.shell.worker_server import WorkerServer

logger = logging.getLogger("dagrpc.worker")

_FINISH_TIMEOUT = 2.0
"""Seconds to send the last reports when the worker closes."""
_draining: set[asyncio.Task[Any]] = set()
"""Kept apart from a worker's own tasks, which closing cancels."""


class WorkerService:
    """A worker: runs tasks, keeps their results and serves them.

    A worker is created and used on the process's event loop, which several workers can share.

    Parameters
    ----------
    make_facade : callable
        Returns the `Worker` that tasks and plugins see for this service. Called once.
    """

    def __init__(self, options: WorkerOptions, make_facade: Callable[[WorkerService], Any]) -> None:
        self.options = options
        self.security = Security.of(options.security)
        self.record = WorkerRecord(
            id=f"Worker-{uuid.uuid4()}",
            name=options.name,
            nthreads=options.nthreads,
            memory_limit=options.memory_limit,
            resources=dict(options.resources),
            nanny=options.nanny,
            credentials=credentials_of(self.security, "worker"),
        )
        self.ticks = Ticks(self.record, logger)
        self.data = DataStore()
        """The results that the worker holds, by key."""
        self.running_on: asyncio.AbstractEventLoop | None = None
        """The event loop that the worker runs on; None before it has started."""
        self.thread_id = 0
        """The thread of that event loop; 0 before the worker has started."""
        self.profile: WorkerProfile | None = None
        """Samples what tasks and the event loop spend their time on; None before the worker has started."""
        self.heartbeat: Heartbeat | None = None
        """Sends the worker's metrics; None before the first."""
        self.plugin_host = WorkerPlugins(self.record, options, lambda: self.facade, lambda: self._session.channel)
        """Sets plugins up and tears them down."""
        self.nanny_pipe = NannyPipe()
        self._make_facade = make_facade
        self._shared = SharedStore()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._end: End | None = None
        self._finished = asyncio.Event()
        self._starting: asyncio.Task[None] | None = None
        self._cleanup = AsyncExitStack()
        """Stops the worker's parts, the last started first."""

    def __repr__(self) -> str:
        record = self.record
        return (
            f"<WorkerService {record.name!r} at {record.address}, {record.nthreads} threads, {len(self.data)} results>"
        )

    @cached_property
    def facade(self) -> Any:
        """The `Worker` that stands for this service."""
        return self._make_facade(self)

    @property
    def address(self) -> str:
        """Where the worker serves, ``host:port``; empty before it has started."""
        return self.record.address

    @property
    def name(self) -> str:
        """The worker's name on the cluster."""
        return self.record.name

    # --- starting ------------------------------------------------------------------------------------------------

    async def start(self) -> WorkerService:
        """Serve, and join the cluster.

        Raises
        ------
        OSError
            If the port or the local directory cannot be had, or there is no scheduler in time.
        DagrpcError
            If the scheduler refuses the worker, for instance because its name is taken.
        """
        self._loop = self.running_on = asyncio.get_running_loop()
        self.thread_id = threading.get_ident()
        # A separate task, so that closing can cancel it.
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
        options, record = self.options, self.record
        begun = time.monotonic()
        deadline = None if options.death_timeout is None else begun + options.death_timeout
        try:
            scheduler = options.scheduler_address
            if not scheduler:
                scheduler = await scheduler_address(options.scheduler_file, deadline)
            record.scheduler_address = parse_address(scheduler)
            workspace = Workspace(options.local_directory)
            self._cleanup.push_async_callback(asyncio.to_thread, workspace.close)
            record.local_directory = str(workspace.path)
            self._create_store()
            await self._serve()
            self._create_parts()
            client_parts.begin_tasks()
            self._cleanup.callback(client_parts.end_tasks)
            self._cleanup.push_async_callback(self.task_services.close)
            self._cleanup.push_async_callback(self.plugin_host.close)
            await self.plugin_host.begin(self._core, self.runner.recorder)
            facts = await user_hooks.startup_facts(options.startup_information, self.facade, record)
            record.startup_information = user_hooks.encode_facts(facts)
            await self._join(deadline, begun + options.duplicate_grace)
        except BaseException:
            await self._cleanup.aclose()
            raise
        self._run_in_background(workspace.purge_later)
        self._run_in_background(partial(user_hooks.end_lifetime, options, self.close_gracefully))

    def _create_store(self) -> None:
        """Create the store for results: the user's mapping, or a store that writes to disk what exceeds memory."""
        data = user_hooks.make_data(self.options.data, self.record.local_directory)
        if data is not None:
            self.data.keep_in(data)
            return
        self.data = memory_thresholds.make_store(self.memory_limits, self.record.local_directory)
        if isinstance(self.data, SpillingStore):
            self._cleanup.push_async_callback(asyncio.to_thread, self.data.close)

    async def _serve(self) -> None:
        self.server = WorkerServer(self, self.options, self.plugin_host, self._take, lambda: self.shuffles)
        self._cleanup.push_async_callback(self.server.stop)
        await self.server.start()
        self.record.services = start_http(self, self._cleanup)

    def _create_parts(self) -> None:
        """Create the parts that need the worker's address."""
        options, record = self.options, self.record
        sizes = user_hooks.pool_sizes(options)
        self._core = WorkerCore(
            record.address,
            record.nthreads,
            record.resources,
            core_config(options, sizes),
            bool(config.get("worker.validate")),
        )
        self._session = SchedulerSession(record.scheduler_address, record.credentials)
        self.task_services = TaskServices(
            record, self.security, self._session.post, lambda: self._session.welcome.scheduler_id
        )
        self._inbox = Inbox(
            self._core,
            lambda batch: self._dispatcher(self.plugin_host.before(batch)),
            self._on_bug,
            lambda: self._core.view.seconds_ahead(self.runner.waiting),
        )
        self.runner = TaskRunner(
            record.nthreads,
            self.data,
            self._shared,
            self._inbox.post,
            self._run_on_loop,
            sizes,
            owner=self.facade,
            name=record.name,
        )
        self.runner.address = record.address
        custom_executors.install(self.runner, options.executor, record.name)
        self._start_profile()
        channels = ChannelPool(grpc_options.DATA_CHANNEL, credentials=record.credentials)
        fetcher = Fetcher(
            record.address, channels, self.data, lambda event: self._inbox.take((event,)), self.runner.recorder
        )
        self.server.data.received = fetcher.totals
        task_traces.begin(record, self.runner, fetcher, self.server.data, self._cleanup)
        self._dispatcher = Dispatcher(self.runner, fetcher, self.data, self._session.send, self._inbox.post)
        self.actor_host = ActorHost(self.runner, self._run_on_loop, channels, record.credentials)
        self.server.actors.host = self.actor_host
        self.shuffles = Shuffles(record, channels, self._session)
        self._commands = CommandReader(self._shared, self._on_close_command, self.shuffles.end)
        stops = (channels.close, self.actor_host.close, self._session.close, partial(cancel_all, self._tasks))
        for stop in (*stops, fetcher.close, self.shuffles.close):
            self._cleanup.push_async_callback(stop)
        for halt in (
            ExportNotices(self._session.send).close,
            self.runner.close,
            self._dispatcher.close,
            self._inbox.close,
        ):
            self._cleanup.callback(halt)

    def _start_profile(self) -> None:
        options = self.options
        profile = WorkerProfile(
            self.runner, threading.get_ident(), options.profile_cycle_interval, options.low_level_profiler
        )
        profile.start()
        self._cleanup.callback(profile.stop)
        self.server.diagnostics.runner = self.runner
        self.server.diagnostics.profile = self.profile = profile

    async def _join(self, deadline: float | None, duplicate_deadline: float) -> None:
        """Join the cluster and begin to take commands."""
        record = self.record
        welcome = await self._session.connect(self.plugin_host.introduce, deadline, duplicate_deadline)
        record.name = welcome.name or record.name
        self.runner.inline_limit = welcome.inline_limit
        self.runner.recorder.follow(welcome.recording, welcome.details)
        self.shuffles.registered(welcome.last_shuffle_run)
        record.joined = True
        self.nanny_pipe.joined(record)
        spawn(self._hold_session(), self._tasks)
        for job in (self._heartbeats, self._watch_memory, partial(keep_measuring, self), self.ticks.run):
            self._run_in_background(job, retry=True)
        logger.info("%s joined the scheduler at %s with %d threads", record, record.scheduler_address, record.nthreads)

    # --- running -------------------------------------------------------------------------------------------------

    async def _hold_session(self) -> None:
        """Take commands until the session ends; then close the worker."""
        try:
            reconnect = WorkerReconnect(
                self.record,
                self.options.death_timeout,
                self.plugin_host.introduce,
                self.state,
                self.shuffles,
                self._session,
                self._shared,
                self._inbox.take,
            )
            await self._session.run(lambda message: self._take(self._commands.read(message)), reconnect.come_back)
        except (CommClosedError, DagrpcError, TimeoutError) as error:
            # A new process may keep up where this one was cut off, but the nanny must not try that without end.
            kind = EndKind.CUT_OFF if isinstance(error, LimitReachedError) else EndKind.LOST
            self._begin_close(kind, str(error))
        except Exception as error:
            self._on_bug(error)

    def given_work(self) -> None:
        """Report to the nanny that the worker is given something to do."""
        self.nanny_pipe.at_work()

    def _take(self, events: Sequence[Event]) -> None:
        """Give the core the requests of the scheduler or of a peer."""
        if events:
            self.given_work()
        self._inbox.take(events)

    def metrics(self) -> Metrics:
        """Return what measures the process and counts tasks and results."""
        return Metrics(self.record.address, self.monitor, self.data, self.executing, self.counts)

    def custom_metrics(self) -> CustomMetrics:
        """Return the metrics that the user adds."""
        return CustomMetrics(self.options.metrics, self.facade, self.record)

    @cached_property
    def monitor(self) -> ProcessMonitor:
        """Measures the process."""
        return ProcessMonitor()

    async def _heartbeats(self) -> None:
        assert self._session.client is not None
        interval = self.options.heartbeat_interval
        # Imports that measuring needs must not delay the first task.
        await asyncio.sleep(interval / 2)
        sample, custom = self.metrics().sample, self.custom_metrics().sample
        self.heartbeat = Heartbeat(
            self.record.address, self._session.client, sample, interval, self.runner.recorder, custom
        )
        await self.heartbeat.run()

    @property
    def memory_limits(self) -> memory_thresholds.MemoryLimits:
        """The memory thresholds of the worker."""
        return memory_thresholds.MemoryLimits.of(self.record.memory_limit, self.options.memory_fractions())

    async def _watch_memory(self) -> None:
        limits = self.memory_limits
        if limits.spill or limits.pause or limits.target:
            await asyncio.sleep(config.get_seconds("worker.memory.monitor-interval") or 0.1)
            await MemoryMonitor(self.record, self.data, limits, self._inbox.take, self._session.send).run()

    def _run_in_background(self, job: Callable[[], Coroutine[Any, Any, None]], retry: bool = False) -> None:
        spawn(run_with_retry(self.record, job, retry), self._tasks)

    def _run_on_loop(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine on the event loop. From any thread."""
        self._loop.call_soon_threadsafe(spawn, coroutine, self._tasks)

    def _on_close_command(self, reason: str, restart: bool) -> None:
        restart = restart or self.record.restart_wanted
        kind = EndKind.RESTART if restart else EndKind.CLOSED
        self._begin_close(kind, reason or "the scheduler has told it to close")

    def _on_bug(self, error: Exception) -> None:
        """Close after an internal error: the worker's state cannot be trusted, and its tasks can run elsewhere."""
        logger.critical("%s closes after an internal error", self.record, exc_info=error)
        self._begin_close(EndKind.FAILED, f"internal error: {type(error).__name__}: {error}")

    # --- questions -----------------------------------------------------------------------------------------------

    @property
    def state(self) -> WorkerView:
        """The state of the worker's core."""
        return self._core.view

    @property
    def actors(self) -> dict[Any, Any]:
        """The actors of this worker, by key."""
        return {decode_key(key): instance for key, instance in self.actor_host.instances.items()}

    @property
    def executors(self) -> custom_executors.Executors:
        """The pools of threads that run tasks, by name. Plugins may add pools."""
        return custom_executors.Executors(self.runner, self.record.name, self._inbox.post)

    def set_resources(self, resources: Mapping[str, float]) -> None:
        """Change the amounts of some resources. On the loop."""
        user_hooks.set_resources(self.record, resources, self._inbox.take, self._session.send)

    def executing(self) -> dict[str, float]:
        """Return when each running task started, in seconds since the epoch, by key."""
        return self.runner.executing()

    @property
    def call_statistics(self) -> CallStatistics:
        """Counts of the gRPC calls that the worker has answered."""
        return self.server.call_statistics

    @property
    def traffic(self) -> Traffic:
        """Counts of the messages from and to the scheduler."""
        return self._session.peer.traffic

    def counts(self) -> dict[str, float]:
        """Return the numbers of tasks and transfers that heartbeats report."""
        return worker_counts.counts(self._core.view, self.server.data, self.shuffles, self.heartbeat, self.ticks)

    # --- ending --------------------------------------------------------------------------------------------------

    async def finished(self) -> End:
        """Wait until the worker has closed for any reason."""
        await self._finished.wait()
        assert self._end is not None
        return self._end

    @property
    def closed(self) -> bool:
        """Whether the worker has closed or is about to."""
        return self._end is not None

    @property
    def over(self) -> bool:
        """Whether the worker has closed."""
        return self._finished.is_set()

    async def close(self, reason: str = "closed") -> End:
        """Leave the cluster and stop. Running tasks are not stopped."""
        self.close_soon(reason)
        return await self.finished()

    def close_soon(self, reason: str = "closed") -> None:
        """Begin to close. On the loop."""
        self._begin_close(EndKind.RESTART if self.record.restart_wanted else EndKind.CLOSED, reason)

    async def close_gracefully(self, restart: bool, reason: str, limit: float = RETIRE_LIMIT) -> End:
        """Finish running tasks and hand over the results that only this worker holds, then close.

        Parameters
        ----------
        restart : bool
            Whether another worker is to take this one's place.
        limit : float
            Seconds after which the worker closes in any case.
        """
        if not self.closed:
            self.record.restart_wanted = self.record.restart_wanted or restart
            await drain(self.record, self._session, self._inbox, lambda: self.closed, reason, limit)
            self.close_soon(reason)
        return await self.finished()

    def drain_soon(self, reason: str) -> None:
        """Begin to close gracefully, within the setting `worker.drain-timeout`. On the loop."""
        limit = config.get_seconds("worker.drain-timeout") or 0.0
        if not self.record.joined or not limit:
            self.close_soon(reason)
        elif self.record.status == common_pb2.WORKER_STATUS_RETIRING:
            # The worker is already retiring, maybe with a longer limit.
            asyncio.get_running_loop().call_later(limit, self.close_soon, reason)
        else:
            spawn(self.close_gracefully(False, reason, limit), _draining)

    def _begin_close(self, kind: EndKind, reason: str) -> None:
        if self._end is not None:
            return
        self._end = End(kind, reason)
        self.record.status = common_pb2.WORKER_STATUS_CLOSING
        level = logging.INFO if kind in (EndKind.CLOSED, EndKind.RESTART) else logging.ERROR
        logger.log(level, "%s closes (%s): %s", self.record, kind.value, reason)
        # Not in `_tasks`, which closing cancels.
        self._closing = asyncio.get_running_loop().create_task(self._close(self._end))

    async def _close(self, end: End) -> None:
        try:
            if self._starting is not None:
                self._starting.cancel()
                await asyncio.wait([self._starting])
            # After an internal error, for which its tasks may be the cause, the worker sends no goodbye: the scheduler
            # suspects tasks only if the worker disappears as in a crash.
            if self.record.joined and end.kind in (EndKind.CLOSED, EndKind.RESTART):
                self._session.send([GoodbyeReport(end.reason)])
                await self._session.finish(_FINISH_TIMEOUT)
            await self._cleanup.aclose()
        except Exception:
            logger.exception("%s did not close cleanly", self.record)
        finally:
            self._finished.set()
