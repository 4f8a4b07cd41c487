"""The scheduler as a service: puts core, sessions, clock and gRPC server together."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
import uuid
from collections.abc import Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dagrpc import config
from dagrpc._auth.access import Access
from dagrpc._auth.credentials import credentials_of, shown_address, warn_if_open
from dagrpc._common.addresses import is_wildcard, join_address, local_ip
from dagrpc._common.keys import encode_key
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc._rpc import grpc_options, log_service
from dagrpc._rpc.channels import ChannelPool
from dagrpc._rpc.server import Server
from dagrpc.exceptions import UnknownWorkerError
from dagrpc.v1 import (
    event_service_pb2,
    inquiry_service_pb2,
    metadata_service_pb2,
    scheduler_service_pb2,
    shuffle_service_pb2,
    worker_session_pb2,
)
from dagrpc_scheduler.coordination.metadata_tree import Metadata
from dagrpc_scheduler.core import events, views
from dagrpc_scheduler.core.instructions import CloseWorker, Instruction
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.options import SchedulerOptions
from dagrpc_scheduler.shell.coordination.coordination_shell import Coordination
from dagrpc_scheduler.shell.coordination.shuffle_shell import ShuffleCoordination
from dagrpc_scheduler.shell.coordination.topic_shell import EventLog
from dagrpc_scheduler.shell.core_config import core_config
from dagrpc_scheduler.shell.diagnostics.loop_profile import LoopProfile
from dagrpc_scheduler.shell.diagnostics.measurement_history import Reports
from dagrpc_scheduler.shell.diagnostics.task_stream_buffer import Records
from dagrpc_scheduler.shell.fire_and_forget import FireAndForget
from dagrpc_scheduler.shell.liveness.no_workers import ShortageWatch
from dagrpc_scheduler.shell.liveness.timers import Timers
from dagrpc_scheduler.shell.liveness.worker_exits import Departures
from dagrpc_scheduler.shell.memory.active_memory_manager import ActiveMemoryManagerExtension
from dagrpc_scheduler.shell.plugins.plugin_registry import PluginRegistry
from dagrpc_scheduler.shell.plugins.scheduler_plugins import SchedulerPlugins
from dagrpc_scheduler.shell.sessions.connected_peers import Sessions
from dagrpc_scheduler.shell.workers.retire_workers import Retirement
from dagrpc_scheduler.shell.workers.steal_timer import Stealing

logger = logging.getLogger("dagrpc.scheduler")


class SchedulerService:
    """A scheduler that serves.

    Everything runs on the event loop that `start` is awaited on. The core is called from there only, one event at a
    time: that is the one order of things.

    Examples
    --------
    >>> service = SchedulerService(SchedulerOptions())
    >>> await service.start()
    >>> service.address
    '127.0.0.1:...'
    >>> await service.close()
    """

    def __init__(self, service_options: SchedulerOptions) -> None:
        self.options = service_options
        self.id = f"Scheduler-{uuid.uuid4()}"
        self.address = ""
        self.started = time.time()
        self.core = SchedulerCore(
            core_config(service_options.allowed_failures),
            validate=service_options.validate or bool(config.get("scheduler.validate")),
        )
        self.sessions = Sessions()
        self.credentials = credentials_of(service_options.security, "scheduler")
        """For TLS and tokens; None: without."""
        self.access = Access(self.credentials)
        """Who may call, and ship code."""
        self.control_channels = ChannelPool(grpc_options.CONTROL_CHANNEL, credentials=self.credentials)
        """To workers and nannies, for calls."""
        self.data_channels = ChannelPool(grpc_options.DATA_CHANNEL, credentials=self.credentials)
        """To workers, for relayed transfers."""
        self.user_threads = ThreadPoolExecutor(4, thread_name_prefix="dagrpc-user-code")
        """Where user code runs, if it is allowed at all."""
        self.tasks: set[asyncio.Task[Any]] = set()
        self._server: Server | None = None
        self._timers = Timers(self)
        self.coordination = Coordination(self)
        self.records = Records()
        """What workers have recorded, once somebody has asked."""
        self.reports = Reports(self)
        """What is measured for those who make reports."""
        self.plugin_registry = PluginRegistry(self)
        """The plugins of workers and nannies."""
        self.scheduler_plugins = SchedulerPlugins(self)
        """The scheduler's own."""
        self.loop_profile = LoopProfile()
        """What this scheduler spends its time on, once somebody has asked."""
        self.departures = Departures(self)
        self.events = EventLog(self)
        self.shortage = ShortageWatch(self)
        self.metadata = Metadata(self._is_task)
        self.shuffles = ShuffleCoordination(self)
        self._finished = asyncio.Event()
        self._closing = False
        self.stimuli = 0
        """How many causes have been named so far."""
        self.loop: asyncio.AbstractEventLoop | None = None
        """The event loop that it runs on; None before it has started."""
        self.memory_manager = ActiveMemoryManagerExtension(self)
        """Sees to it that there are as many copies of results as are needed."""
        self.retirement = Retirement(self)
        """Takes workers out."""
        self.facade: Any = None
        """The `Scheduler` that stands for it, once there is one."""

    def resolve_workers(self, workers: Iterable[str]) -> list[str]:
        """Return the addresses of workers given by address, name or host; all if none are given.

        Raises
        ------
        UnknownWorkerError
            If there is none of that address, name or host.
        """
        texts = list(workers)
        if not texts:
            return list(self.sessions.workers)
        try:
            return views.resolve_workers(self.core, texts)
        except views.UnknownWorkerError as error:
            raise UnknownWorkerError(str(error)) from None

    # --- events and effects ---

    def stimulus(self, word: str) -> str:
        """Return a name for a cause, for stories."""
        self.stimuli += 1
        return f"{word}-{self.stimuli}"

    def _is_task(self, key: Hashable) -> bool:
        """Tell whether there is a task of a key, as users write it."""
        return isinstance(key, (str, bytes, int, float, tuple)) and encode_key(key) in self.core.tasks

    def handle(self, event: events.Event) -> None:
        """Give the core an event and send off what it asks for."""
        self.sessions.dispatch(self.core.handle(event, time.time()))
        if self.shuffles.runs:
            self.shuffles.review()

    def handle_batch(self, batch: Iterable[events.Event]) -> None:
        """Give the core events in order and send off what it asks for."""
        self.sessions.dispatch(self.core.handle_batch(batch, time.time()))
        if self.shuffles.runs:
            self.shuffles.review()

    def remove_worker(self, address: str, reason: str) -> None:
        """Do without a worker from now on, whether it is away or not, because its process is known to be gone.

        Its tasks run elsewhere at once, and what only it held is computed again.
        """
        worker = self.sessions.workers.get(address)
        if worker is not None:
            worker.tenure.end(reason)

    def send(self, instruction: Instruction) -> None:
        """Send a worker or client something that the core did not ask for."""
        self.sessions.dispatch([instruction])

    @property
    def idle_since(self) -> float | None:
        """Since when there has been nothing to do, as far as anyone looked; None while there is something."""
        return self._timers.idle_since

    def check_idle(self, now: float) -> float | None:
        """Look whether there is something to do; return `idle_since`."""
        return self._timers.check_idle(now)

    # --- life ---

    async def start(self) -> None:
        """Listen.

        Raises
        ------
        OSError
            If the port cannot be had.
        """
        # Imported here: the servicers know the service.
        from dagrpc_scheduler.servicers import (
            actor_relay_service,
            cluster_log_service,
            diagnostics_service,
            scaling_service,
        )
        from dagrpc_scheduler.servicers.event_service import EventServicer
        from dagrpc_scheduler.servicers.inquiry_service import InquiryServicer
        from dagrpc_scheduler.servicers.introspection_service import SERVICE as INTROSPECTION_SERVICE
        from dagrpc_scheduler.servicers.introspection_service import IntrospectionServicer
        from dagrpc_scheduler.servicers.memory_service import SERVICE as MEMORY_SERVICE
        from dagrpc_scheduler.servicers.memory_service import MemoryServicer
        from dagrpc_scheduler.servicers.metadata_service import MetadataServicer
        from dagrpc_scheduler.servicers.plugin_service import SERVICE as PLUGIN_SERVICE
        from dagrpc_scheduler.servicers.plugin_service import PluginServicer
        from dagrpc_scheduler.servicers.scheduler_service import SchedulerServicer
        from dagrpc_scheduler.servicers.shuffle_coordination_service import ShuffleServicer
        from dagrpc_scheduler.servicers.worker_session_service import WorkerSessionServicer

        self.loop = asyncio.get_running_loop()
        server = Server(
            ("RelayData",),
            blocked_by="scheduler.blocked-handlers",
            credentials=self.credentials,
            blocked=self.options.blocked_handlers,
        )
        server.add_service(
            scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"], SchedulerServicer(self)
        )
        server.add_service(
            worker_session_pb2.DESCRIPTOR.services_by_name["WorkerSessionService"], WorkerSessionServicer(self)
        )
        server.add_service(inquiry_service_pb2.DESCRIPTOR.services_by_name["InquiryService"], InquiryServicer(self))
        server.add_service(diagnostics_service.SERVICE, diagnostics_service.DiagnosticsServicer(self))
        server.add_service(scaling_service.SERVICE, scaling_service.ScalingServicer(self))
        server.add_service(event_service_pb2.DESCRIPTOR.services_by_name["EventService"], EventServicer(self))
        server.add_service(PLUGIN_SERVICE, PluginServicer(self))
        server.add_service(MEMORY_SERVICE, MemoryServicer(self))
        server.add_service(INTROSPECTION_SERVICE, IntrospectionServicer(self))
        server.add_service(
            metadata_service_pb2.DESCRIPTOR.services_by_name["MetadataService"], MetadataServicer(self.metadata)
        )
        server.add_service(log_service.SERVICE, log_service.LogServicer("scheduler"))
        server.add_service(cluster_log_service.SERVICE, cluster_log_service.ClusterLogServicer(self))
        server.add_service(actor_relay_service.SERVICE, actor_relay_service.ActorRelayServicer(self))
        server.add_service(
            shuffle_service_pb2.DESCRIPTOR.services_by_name["ShuffleCoordinationService"], ShuffleServicer(self)
        )
        port = await server.start(self.options.host, self.options.port)
        self._server = server
        contact = config.get("scheduler.contact-address", self.options.contact_address)
        self.address = shown_address(contact or join_address(self._contact_host(), port), self.credentials)
        if self.options.scheduler_file:
            self._write_scheduler_file(Path(self.options.scheduler_file))
        try:
            await self.scheduler_plugins.preload()
        except BaseException:
            # Nobody closes what has not started; left to the garbage collection, gRPC would miss its event loop.
            await server.stop(0)
            raise
        FireAndForget(self).begin()
        spawn(self._timers.run(), self.tasks)
        spawn(Stealing(self).run(), self.tasks)
        self.memory_manager.begin()
        logger.info("Scheduler %s listens at %s", self.id, self.address)
        warn_if_open("Scheduler", self.address, self.options.host, self.credentials)

    def _contact_host(self) -> str:
        return local_ip() if is_wildcard(self.options.host) else self.options.host

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.port if self._server is not None else 0

    def _write_scheduler_file(self, path: Path) -> None:
        identity = {"type": "Scheduler", "id": self.id, "address": self.address, "services": {}, "workers": {}}
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text(json.dumps(identity, indent=2))
        # At once, so that nobody reads half of it.
        partial.replace(path)

    async def close(self, reason: str = "scheduler closes", may_return: bool = False) -> None:
        """Tell all workers to leave, end all sessions, stop serving; `may_return` if another one may take its place."""
        if self._closing:
            await self._finished.wait()
            return
        self._closing = True
        logger.info("Scheduler at %s closes: %s", self.address, reason)
        await self.scheduler_plugins.before_close()
        if self._server is not None:
            await self._server.set_not_serving()
        self.sessions.last_words(reason, may_return)
        for address in list(self.sessions.workers):
            self.send(CloseWorker(address, reason))
        sessions = [*(w.session for w in self.sessions.workers.values()), *self.sessions.clients.values()]
        await asyncio.gather(*(session.drain(2.0) for session in sessions))
        await self._await_workers(5.0)
        await cancel_all(self.tasks)
        self.coordination.close()
        self.loop_profile.stop()
        if self._server is not None:
            await self._server.stop(0.5)
        await self.scheduler_plugins.close()
        self.user_threads.shutdown(wait=False, cancel_futures=True)
        await self.control_channels.close()
        await self.data_channels.close()
        if self.options.scheduler_file:
            Path(self.options.scheduler_file).unlink(missing_ok=True)
        self._finished.set()

    async def _await_workers(self, timeout: float) -> None:
        """Wait until the workers have left."""
        deadline = time.monotonic() + timeout
        while self.sessions.workers and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    async def finished(self) -> None:
        """Wait until the scheduler has closed."""
        await self._finished.wait()

    @property
    def over(self) -> bool:
        """Whether it has closed."""
        return self._finished.is_set()

    @property
    def closing(self) -> bool:
        """Whether it is closing or closed."""
        return self._closing

    def close_soon(self, reason: str, may_return: bool = False) -> None:
        """Start closing, from within a handler."""
        self._close_task = asyncio.get_running_loop().create_task(self.close(reason, may_return))
