"""The scheduler as a service: makes its parts, starts them, and closes them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

from google.protobuf.descriptor import ServiceDescriptor

from dagrpc import config
from dagrpc._auth.access import Access
from dagrpc._auth.credentials import credentials_of, shown_address, warn_if_open
from dagrpc._common.addresses import is_wildcard, join_address, local_ip
from dagrpc._common.keys import encode_key
from dagrpc._http.port import HttpService
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc._loop.ticks import Ticks
from dagrpc._process.preloading import Preloads
from dagrpc._rpc import grpc_options
from dagrpc._rpc.call_statistics import CallStatistics
from dagrpc._rpc.channels import ChannelPool
from dagrpc._rpc.embedded_server import ServiceHome
from dagrpc._rpc.server import Server
from dagrpc._tracing import provider
from dagrpc_scheduler.coordination.metadata_tree import Metadata
from dagrpc_scheduler.core import events
from dagrpc_scheduler.core.instructions import CloseWorker
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.options import SchedulerOptions
from dagrpc_scheduler.shell.coordination.coordination_shell import CoordinationShell
from dagrpc_scheduler.shell.coordination.shuffle_shell import ShuffleShell
from dagrpc_scheduler.shell.coordination.topic_shell import EventLog
from dagrpc_scheduler.shell.core_config import core_config
from dagrpc_scheduler.shell.core_driver import CoreDriver
from dagrpc_scheduler.shell.diagnostics import task_traces
from dagrpc_scheduler.shell.diagnostics.loop_profile import LoopProfile
from dagrpc_scheduler.shell.diagnostics.measurement_history import Reports
from dagrpc_scheduler.shell.diagnostics.task_stream_buffer import TaskStreamBuffer
from dagrpc_scheduler.shell.fire_and_forget import FireAndForget
from dagrpc_scheduler.shell.identity import Identity
from dagrpc_scheduler.shell.leases.lease_shell import Leases
from dagrpc_scheduler.shell.liveness.missed_heartbeats import MissedHeartbeats
from dagrpc_scheduler.shell.liveness.no_workers import ShortageWatch
from dagrpc_scheduler.shell.liveness.timers import IdleWatch, PeriodicChecks
from dagrpc_scheduler.shell.liveness.worker_exits import WorkerExits
from dagrpc_scheduler.shell.memory.active_memory_manager import ActiveMemoryManagerExtension, MemoryManagerHost
from dagrpc_scheduler.shell.memory.replica_planner import ReplicaPlanner
from dagrpc_scheduler.shell.memory.replication import Replication
from dagrpc_scheduler.shell.memory.trim_memory import MemoryTrimmer
from dagrpc_scheduler.shell.plugins.plugin_registry import PluginRegistry
from dagrpc_scheduler.shell.plugins.run_notes import RunNotes
from dagrpc_scheduler.shell.plugins.scheduler_plugins import SchedulerPlugins
from dagrpc_scheduler.shell.plugins.user_code import UserCode
from dagrpc_scheduler.shell.sessions.backpressure import Backpressure
from dagrpc_scheduler.shell.sessions.client_membership import ClientMembership
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers
from dagrpc_scheduler.shell.sessions.worker_connections import WorkerMembership
from dagrpc_scheduler.shell.shutdown import Shutdown
from dagrpc_scheduler.shell.user_views.view import ViewSource
from dagrpc_scheduler.shell.workers.retire_workers import Retirement
from dagrpc_scheduler.shell.workers.scaling import Scaling
from dagrpc_scheduler.shell.workers.steal_timer import StealTimer
from dagrpc_scheduler.shell.workers.worker_restarts import WorkerRestarts
from dagrpc_scheduler.shell.workers.worker_runs import WorkerRuns

logger = logging.getLogger("dagrpc.scheduler")

Servicers: TypeAlias = Iterable[tuple[ServiceDescriptor, object]]
"""Services with the objects that serve them."""


class SchedulerService:
    """All parts of a scheduler; each part is given the others that it needs, and none is given the service.

    Everything runs on the event loop on which `start` is awaited. `dagrpc_scheduler.assembly.make_service` makes a
    service with its servicers.
    """

    def __init__(
        self,
        options: SchedulerOptions,
        servicers: Callable[[SchedulerService], Servicers],
        scheduler: Callable[[SchedulerService], Any],
        http: Callable[[SchedulerService], HttpService | None],
    ) -> None:
        self.options = options
        self._servicers = servicers
        self._make_scheduler = scheduler
        self._make_http = http
        self._http: HttpService | None = None
        self._scheduler: Any = None
        self._server: Server | None = None
        self.identity = Identity()
        self.ticks = Ticks("the scheduler", logger)
        self.home = ServiceHome()
        """The event loop of the service."""
        self.shutdown = Shutdown(self.close)
        self.background: set[asyncio.Task[Any]] = set()
        """Tasks that are cancelled when the service closes."""
        self._make_connections()
        self._make_core()
        self._make_user_code()
        self._make_memory_management()
        self._make_worker_control()
        self._make_memberships()
        self._make_checks()

    # --- the parts -----------------------------------------------------------------------------------------------

    def _make_connections(self) -> None:
        self.credentials = credentials_of(self.options.security, "scheduler")
        """For TLS and tokens; None: without."""
        self.access = Access(self.credentials)
        """Which callers may call, and ship code."""
        self.control_channels = ChannelPool(grpc_options.CONTROL_CHANNEL, credentials=self.credentials)
        """To workers and nannies, for calls."""
        self.data_channels = ChannelPool(grpc_options.DATA_CHANNEL, credentials=self.credentials)
        """To workers, for relayed transfers."""
        self.peers = ConnectedPeers()

    def _make_core(self) -> None:
        validate = self.options.validate or bool(config.get("scheduler.validate"))
        self.core = SchedulerCore(core_config(self.options.allowed_failures), validate=validate)
        self.driver = CoreDriver(self.core, self.peers)
        self.coordination = CoordinationShell(self.driver, self.peers)
        self.shuffles = ShuffleShell(self.driver)
        self.metadata = Metadata(self._is_task)
        self.event_log = EventLog(self.peers, self.home)
        self.task_stream = TaskStreamBuffer()
        self.loop_profile = LoopProfile()
        self.reports = Reports(self.peers, self.loop_profile, self.background)

    def _make_user_code(self) -> None:
        options = self.options
        self.user_code = UserCode(options.allow_code, lambda: self.scheduler)
        self.plugin_registry = PluginRegistry(self.peers, self.control_channels)
        notes = RunNotes(
            peers=self.peers,
            control_channels=self.control_channels,
            task_stream=self.task_stream,
            user_code=self.user_code,
            shutdown=self.shutdown,
            background=self.background,
        )
        self.plugins = SchedulerPlugins(
            driver=self.driver,
            event_log=self.event_log,
            notes=notes,
            user_code=self.user_code,
            preloads=Preloads("scheduler", options.preload, options.preload_argv),
            background=self.background,
        )
        task_traces.begin(self.core)
        self.views = ViewSource(self.core, self.peers, self.plugins)

    def _make_memory_management(self) -> None:
        planner = ReplicaPlanner(self.driver, self.peers)
        self.replication = Replication(self.driver, self.peers, planner)
        self.extensions: dict[str, Any] = {}
        """Objects that belong to the scheduler, by name."""
        self.memory_manager_host = MemoryManagerHost(
            planner, self.views, self.home, self.background, lambda: self.scheduler, self.extensions
        )
        ActiveMemoryManagerExtension(self.memory_manager_host)

    def _make_worker_control(self) -> None:
        self.worker_runs = WorkerRuns(self.peers, self.control_channels)
        self.worker_restarts = WorkerRestarts(
            driver=self.driver,
            peers=self.peers,
            control_channels=self.control_channels,
            credentials=self.credentials,
            metadata=self.metadata,
            event_log=self.event_log,
            plugins=self.plugins,
            background=self.background,
        )
        self.retirement = Retirement(self.driver, self.peers, self.event_log, self.memory_manager_host, self.background)
        self.scaling = Scaling(self.core, self.plugins)

    def _make_memberships(self) -> None:
        exits = WorkerExits(
            driver=self.driver,
            peers=self.peers,
            shuffles=self.shuffles,
            event_log=self.event_log,
            plugins=self.plugins,
            control_channels=self.control_channels,
            data_channels=self.data_channels,
            shutdown=self.shutdown,
            background=self.background,
        )
        self.shortage = ShortageWatch(self.core, self.peers, self.event_log)
        self.workers = WorkerMembership(
            driver=self.driver,
            peers=self.peers,
            event_log=self.event_log,
            plugins=self.plugins,
            shortage=self.shortage,
            exits=exits,
        )
        self.clients = ClientMembership(
            driver=self.driver,
            peers=self.peers,
            event_log=self.event_log,
            plugins=self.plugins,
            coordination=self.coordination,
            task_stream=self.task_stream,
            computations=self.reports.computations,
        )
        self.leases = Leases(self.driver, self.peers, self.plugins)

    def _make_checks(self) -> None:
        heartbeats = MissedHeartbeats(self.peers, self.control_channels, self.background, self.options.worker_ttl)
        trimmer = MemoryTrimmer(self.driver)
        backpressure = Backpressure(self.driver, self.peers)
        self.idle_watch = IdleWatch(self.core, self.shutdown, self.options.idle_timeout)
        self._checks = PeriodicChecks(
            (
                lambda now: self.driver.handle(events.TimePassed()),
                heartbeats.look,
                lambda now: trimmer.look(),
                lambda now: self.metadata.tidy(),
                lambda now: self.leases.look(),
                self.event_log.advance,
                lambda now: backpressure.look(),
                self.shortage.look,
                self.idle_watch.look,
            )
        )

    @property
    def call_statistics(self) -> CallStatistics:
        """Counts of the gRPC calls that have ended."""
        return self._server.statistics if self._server is not None else CallStatistics()

    @property
    def scheduler(self) -> Any:
        """The `Scheduler` that stands for the service in user code, made when it is first needed."""
        if self._scheduler is None:
            self._scheduler = self._make_scheduler(self)
        return self._scheduler

    def _is_task(self, key: Hashable) -> bool:
        """Tell whether there is a task with a user's key."""
        return isinstance(key, (str, bytes, int, float, tuple)) and encode_key(key) in self.core.tasks

    # --- start and close -----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen and start all parts; raises `OSError` if the port is not available."""
        self.home.bind(asyncio.get_running_loop())
        server = Server(
            ("RelayData",),
            blocked_by="scheduler.blocked-handlers",
            credentials=self.credentials,
            blocked=self.options.blocked_handlers,
        )
        for descriptor, servicer in self._servicers(self):
            server.add_service(descriptor, servicer)
        port = await server.start(self.options.host, self.options.port)
        self._server = server
        contact = config.get("scheduler.contact-address", self.options.contact_address)
        host = local_ip() if is_wildcard(self.options.host) else self.options.host
        self.identity.address = shown_address(contact or join_address(host, port), self.credentials)
        try:
            self._http = self._make_http(self)
            if self.options.scheduler_file:
                self._write_scheduler_file(Path(self.options.scheduler_file))
            await self.plugins.preload()
        except BaseException:
            # A service that has not started is never closed, and gRPC servers must not outlive their loop.
            await server.stop(0)
            if self._http is not None:
                await self._http.close()
            raise
        FireAndForget(self.driver, self.peers).begin()
        spawn(self._checks.run(), self.background)
        spawn(self.ticks.run(), self.background)
        spawn(StealTimer(self.driver, self.event_log).run(), self.background)
        self.memory_manager_host.registered().begin()
        logger.info("Scheduler %s listens at %s", self.identity.id, self.identity.address)
        if self._http is not None:
            logger.info("Scheduler %s serves HTTP at port %d", self.identity.id, self._http.number)
        warn_if_open("Scheduler", self.identity.address, self.options.host, self.credentials)

    def _write_scheduler_file(self, path: Path) -> None:
        facts = {
            "type": "Scheduler",
            "id": self.identity.id,
            "address": self.identity.address,
            "services": self.identity.services,
            "workers": {},
        }
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text(json.dumps(facts, indent=2))
        # Replaced in one step, so that no process reads half of it.
        partial.replace(path)

    async def close(self, reason: str = "scheduler closes", may_return: bool = False) -> None:
        """Close all workers, end all sessions and stop serving; `may_return` if another scheduler may follow."""
        if self.shutdown.begun:
            await self.shutdown.finished.wait()
            return
        self.shutdown.begun = True
        logger.info("Scheduler at %s closes: %s", self.identity.address, reason)
        await self.plugins.before_close()
        if self._server is not None:
            await self._server.set_not_serving()
        self.peers.say_goodbye(reason, may_return)
        for address in list(self.peers.workers):
            self.driver.send(CloseWorker(address, reason))
        sessions = [*(worker.session for worker in self.peers.workers.values()), *self.peers.clients.values()]
        await asyncio.gather(*(session.drain(2.0) for session in sessions))
        await self._await_workers(5.0)
        await cancel_all(self.background)
        self.coordination.close()
        self.loop_profile.stop()
        if self._http is not None:
            await self._http.close()
        if self._server is not None:
            await self._server.stop(0.5)
        await self.plugins.close()
        self.user_code.close()
        await provider.flush()
        await self.control_channels.close()
        await self.data_channels.close()
        if self.options.scheduler_file:
            Path(self.options.scheduler_file).unlink(missing_ok=True)
        self.shutdown.finished.set()

    async def _await_workers(self, timeout: float) -> None:
        """Wait until the workers have left, but not for long."""
        deadline = time.monotonic() + timeout
        while self.peers.workers and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
