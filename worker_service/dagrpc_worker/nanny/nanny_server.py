"""The service of a nanny: connects its core, its worker process and its gRPC server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import uuid
import weakref
from collections.abc import Callable
from typing import Any

from dagrpc import config
from dagrpc._auth.credentials import credentials_of, warn_if_open
from dagrpc._common.addresses import is_wildcard, join_address, local_ip, parse_address
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc._process.preloading import Preloads
from dagrpc._rpc import log_service
from dagrpc._rpc.channels import ServiceClient, open_channel, wait_ready
from dagrpc._rpc.grpc_options import CONTROL_CHANNEL
from dagrpc._rpc.server import Server
from dagrpc.exceptions import InvalidRequestError, NotReadyError
from dagrpc.v1 import nanny_service_pb2, plugin_service_pb2, worker_session_pb2
from dagrpc_worker.nanny import memory_limit, restart_rules
from dagrpc_worker.nanny.exit_reasons import ProcessEnd
from dagrpc_worker.nanny.give_up_notice import tell_scheduler
from dagrpc_worker.nanny.nanny_service import NannyServicer
from dagrpc_worker.nanny.process_watch import ProcessWatch
from dagrpc_worker.nanny.restart_rules import NannyCore, Status
from dagrpc_worker.nanny.worker_process import WorkerProcess
from dagrpc_worker.options import NannyOptions
from dagrpc_worker.servicers.plugin_host_service import PluginHostServicer
from dagrpc_worker.shell.plugins.plugin_host import HOST_SERVICE, PLUGIN_SERVICE, PluginHost

logger = logging.getLogger("dagrpc.nanny")

NANNY_SERVICE = nanny_service_pb2.DESCRIPTOR.services_by_name["NannyService"]

LIVE: weakref.WeakSet[NannyService] = weakref.WeakSet()
"""The nannies of this process."""

GRACE = 5.0
"""Seconds that a worker process has to end before it is killed."""
_FAREWELL = 2.0
"""Seconds to report a given-up worker to the scheduler when the nanny closes."""


class _NannyPlugins(PluginHost):
    """The plugins of a nanny."""

    def __init__(self, nanny: NannyService) -> None:
        super().__init__(plugin_service_pb2.PLUGIN_KIND_NANNY, logger)
        self._nanny = nanny

    @property
    def owner(self) -> Any:
        """The `Nanny` that plugins are called with."""
        return self._nanny.facade


class NannyService:
    """Starts a worker process, watches it, and starts another when it dies.

    A nanny is created and used on the process's event loop, which several nannies can share. The only user code that it
    runs are plugins and functions that are sent to it.

    Parameters
    ----------
    process : WorkerProcess, optional
        A worker process that was spawned already.
    make_facade : callable
        Returns the `Nanny` that plugins and functions of users see for this service. Called in any thread.
    on_change : callable, optional
        Called with the nanny whenever its view of the worker changes.
    """

    def __init__(
        self,
        options: NannyOptions,
        process: WorkerProcess | None,
        make_facade: Callable[[NannyService], Any],
        on_change: Callable[[NannyService], None] = lambda nanny: None,
    ) -> None:
        self.options = options
        self.address = ""
        self.id = f"Nanny-{uuid.uuid4()}"
        self._make_facade = make_facade
        self._facade: Any = None
        self._facade_lock = threading.Lock()
        self.running_on = self._loop = asyncio.get_running_loop()
        self.thread_id = threading.get_ident()
        self._core = NannyCore(
            config.get_seconds("nanny.start-timeout") or 60.0,
            int(config.get("nanny.max-restarts")),
            config.get_seconds("nanny.restart-window") or 0.0,
        )
        self.env = dict(options.env)
        """Environment variables of the next worker process."""
        self.plugin_host = _NannyPlugins(self)
        """Sets plugins up and tears them down."""
        self._preloads = Preloads("nanny", options.preload_nanny, options.preload_nanny_argv)
        self._process: WorkerProcess | None = None
        self._watch = ProcessWatch(int(options.worker.get("memory_limit") or 0))
        self.scheduler_address = str(options.worker.get("scheduler_address") or "")
        """Address of the scheduler; empty while the worker looks for the scheduler in a file."""
        self.failure = b""
        """The pickled exception of the last failed start of the worker."""
        self.worker_directory = ""
        """The worker's directory for temporary files; empty while there is no worker."""
        self._spawned_already = process
        self._on_change = on_change
        self._changed = asyncio.Event()
        self._timers: set[asyncio.TimerHandle] = set()
        self._watches: set[asyncio.Task[Any]] = set()
        self._farewells: set[asyncio.Task[Any]] = set()
        """Reports to the scheduler that are being sent."""
        self.credentials = credentials_of(options.security, "worker")
        """For TLS, as the worker's; None: connections are not encrypted."""
        self._server = Server(credentials=self.credentials)
        self._servicer = NannyServicer(self)
        self._server.add_service(NANNY_SERVICE, self._servicer)
        self._server.add_service(log_service.SERVICE, log_service.LogServicer("nanny"))
        plugins = PluginHostServicer(
            self.plugin_host, lambda: self.worker_address, self.adopt_plugins, self.restart_if_wanted
        )
        self._server.add_service(HOST_SERVICE, plugins)
        self._closing: asyncio.Task[None] | None = None
        self._finished = asyncio.Event()
        LIVE.add(self)

    @property
    def facade(self) -> Any:
        """The `Nanny` that stands for this service; the first use makes it."""
        if self._facade is None:
            # Outside of the lock: making it may import a module that asks for the facade.
            made = self._make_facade(self)
            with self._facade_lock:
                if self._facade is None:
                    self._facade = made
        return self._facade

    def __repr__(self) -> str:
        return f"<NannyService at {self.address} of worker {self.name!r}: {self.status.value}>"

    # --- worker process ------------------------------------------------------------------------------------------

    @property
    def status(self) -> Status:
        """The status of the worker process."""
        return self._core.status

    @property
    def name(self) -> str:
        """The worker's name."""
        return self._core.name or self.options.worker.get("name") or ""

    @property
    def worker_address(self) -> str:
        """Where the worker serves; empty while it is not part of the cluster."""
        return self._core.address

    @property
    def process(self) -> WorkerProcess | None:
        """The worker's process; None if there is none."""
        return self._process

    @property
    def pid(self) -> int:
        """The worker's process id; 0 if there is no process."""
        return self._process.pid if self._process is not None else 0

    @property
    def restarts(self) -> int:
        """Number of times that the worker had to be started again."""
        return self._core.restarts

    @property
    def last_exit_code(self) -> int:
        """Exit code of the last process, or the negative number of the signal that ended it."""
        return self._core.last_exit_code

    @property
    def error(self) -> str:
        """The last error; empty if there was none."""
        return self._core.error

    def end_of(self, address: str) -> ProcessEnd | None:
        """Return the end of the worker at an address; None if it has not ended or there was none."""
        if address and address == self.worker_address:
            return None
        return next((end for end in reversed(self._core.ends) if end.address == address), None)

    async def await_end_of(self, address: str, timeout: float) -> ProcessEnd | None:
        """Return the end of the worker at an address, after waiting for it up to `timeout` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while address and address == self.worker_address:
                    self._changed.clear()
                    await self._changed.wait()
        return self.end_of(address)

    # --- plugins -------------------------------------------------------------------------------------------------

    @property
    def plugins(self) -> dict[str, Any]:
        """The nanny's plugins, by name."""
        return self.plugin_host.plugins

    async def adopt_plugins(self, scheduler: str) -> bool:
        """Set up the scheduler's plugins for nannies. Return whether the worker is restarted because of them.

        Raises
        ------
        NotReadyError
            If the scheduler cannot be reached.
        """
        try:
            address = parse_address(scheduler)
        except ValueError as error:
            raise InvalidRequestError(str(error)) from None
        channel = open_channel(address, CONTROL_CHANNEL, self.credentials)
        try:
            await wait_ready(channel, address, GRACE, self.credentials)
            self.scheduler_address = self.scheduler_address or address
            added = await self.plugin_host.sync(ServiceClient(channel, PLUGIN_SERVICE, f"scheduler {scheduler}"))
        except (OSError, TimeoutError) as error:
            raise NotReadyError(f"The scheduler at {scheduler!r} cannot be asked for plugins: {error}") from None
        finally:
            await channel.close()
        if not any(getattr(plugin, "restart", False) for plugin in added):
            return False
        self._handle(restart_rules.RestartWanted(GRACE, "a plugin of its nanny wants it"))
        return True

    async def restart_if_wanted(self, plugin: Any) -> None:
        """Restart the worker if a plugin that was set up asks for it."""
        if getattr(plugin, "restart", False):
            timeout = config.get_seconds("nanny.start-timeout") or 60.0
            await self.restart(timeout, "a plugin of its nanny wants it")

    # --- lifecycle -----------------------------------------------------------------------------------------------

    async def start(self) -> NannyService:
        """Serve, and start the worker process. Does not wait until the worker has joined the cluster.

        Raises
        ------
        OSError
            If the port is taken.
        ValueError
            If a preload fails.
        """
        options = self.options
        try:
            if self._preloads.wanted:
                await self._preloads.start(self.facade)
        except ValueError:
            if self._spawned_already is not None:
                self._spawned_already.kill()
            raise
        if self._spawned_already is None:
            await self._serve()
        self._handle(restart_rules.StartWanted())
        limit = int(options.worker.get("memory_limit") or 0)
        spawn(memory_limit.watch(limit, lambda: self.pid, self._memory_exceeded), self._watches)
        spawn(self._watch.run(), self._watches)
        if not self.address:
            try:
                await self._serve()
            except OSError:
                await self.close("its port cannot be had")
                raise
        logger.info("Nanny at %s looks after worker %s", self.address, options.worker.get("name") or "without a name")
        return self

    async def _serve(self) -> None:
        options = self.options
        port = await self._server.start(options.host, options.port)
        host = options.contact_host or (local_ip() if is_wildcard(options.host) else options.host)
        self.address = join_address(host, port)
        warn_if_open("Nanny", self.address, options.host, self.credentials)

    async def wait_joined(self, timeout: float, after: int = 0) -> None:
        """Wait until a worker of a generation later than `after` is part of the cluster.

        Raises
        ------
        TimeoutError
            If no such worker joins within `timeout` seconds.
        RuntimeError
            If the nanny has given up.
        """
        async with asyncio.timeout(timeout):
            while self.status is not Status.RUNNING or self._core.generation <= after:
                if self.status in (Status.FAILED, Status.STOPPED):
                    raise RuntimeError(self.error or "the worker was stopped")
                self._changed.clear()
                await self._changed.wait()

    async def start_worker(self) -> None:
        """Start the worker process unless there is one."""
        self._handle(restart_rules.StartWanted())

    async def stop_worker(self, grace: float = GRACE, reason: str = "", drain: bool = False) -> None:
        """Stop the worker process, and wait until it has ended.

        Parameters
        ----------
        drain : bool
            Whether the worker first finishes its running tasks and hands over its results.
        """
        self._handle(restart_rules.StopWanted(grace, reason, drain))
        # The process is killed after the grace period; the system needs a moment to take a large process down.
        async with asyncio.timeout(grace + 30.0):
            while self._process is not None:
                self._changed.clear()
                await self._changed.wait()

    async def restart(self, timeout: float = 30.0, reason: str = "restart") -> None:
        """Stop the worker process, start another, and wait until it has joined the cluster.

        Raises
        ------
        TimeoutError
            If the new worker does not join within `timeout` seconds.
        RuntimeError
            If the nanny has given up.
        """
        before = self._core.generation
        self._handle(restart_rules.RestartWanted(min(GRACE, timeout / 2), reason))
        await self.wait_joined(timeout, before)

    @property
    def over(self) -> bool:
        """Whether the nanny has closed."""
        return self._finished.is_set()

    @property
    def closed(self) -> bool:
        """Whether the nanny has closed or is about to."""
        return self._closing is not None

    async def close(self, reason: str = "closed") -> None:
        """Stop the worker process, then the nanny itself."""
        self.close_soon(reason)
        await self._finished.wait()

    def close_soon(self, reason: str = "closed", drain: bool = False) -> None:
        """Begin to close; with `drain`, once the worker has left the cluster gracefully. On the loop."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(reason, drain))
            self._on_change(self)
        elif not drain:
            # A second request, without a drain, takes precedence.
            self._handle(restart_rules.StopWanted(GRACE, reason))

    async def _close(self, reason: str, drain: bool) -> None:
        limit = config.get_seconds("worker.drain-timeout") or 0.0
        try:
            await self.stop_worker(limit + GRACE if drain else GRACE, reason, drain)
        except TimeoutError:
            logger.error("Nanny at %s: process %d cannot be ended", self.address, self.pid)
        for timer in self._timers:
            timer.cancel()
        if self._farewells:
            await asyncio.wait(self._farewells, timeout=_FAREWELL)
        await cancel_all(self._farewells | self._watches)
        await self.plugin_host.close()
        await self._preloads.close()
        if self._facade is not None:
            await self._facade._release()
        await self._servicer.close()
        await self._server.stop(0.5)
        logger.info("Nanny at %s closed: %s", self.address, reason)
        self._finished.set()

    async def finished(self) -> None:
        """Wait until the nanny has closed."""
        await self._finished.wait()

    # --- between core and process --------------------------------------------------------------------------------

    def _handle(self, event: restart_rules.Event) -> None:
        """Give the core an event and carry out its instructions."""
        if self.closed and isinstance(event, restart_rules.StartWanted | restart_rules.RestartWanted):
            # A process that starts while the nanny closes would keep it from closing.
            return
        for instruction in self._core.handle(event, self._loop.time()):
            match instruction:
                case restart_rules.Spawn(generation):
                    self._spawn(generation)
                case restart_rules.Terminate(drain) if self._process is not None:
                    self._process.terminate(drain)
                case restart_rules.Kill() if self._process is not None:
                    self._process.kill()
                case restart_rules.SetTimer(timer, generation, delay):
                    self._set_timer(restart_rules.TimerRang(timer, generation), delay)
                case restart_rules.Log(message, bad):
                    who = f"Nanny at {self.address} of worker {self.name or 'without a name'}"
                    logger.log(logging.WARNING if bad else logging.INFO, "%s: %s", who, message)
                case restart_rules.CloseNanny():
                    self.close_soon("its worker closed")
                case restart_rules.TellScheduler(reason):
                    spawn(self._tell_scheduler(reason), self._farewells)
        self._changed.set()
        self._on_change(self)

    async def _tell_scheduler(self, reason: str) -> None:
        request = worker_session_pb2.ReportGivenUpRequest(name=self.name, nanny=self.address, reason=reason)
        file = str(self.options.worker.get("scheduler_file") or "")
        await tell_scheduler(self.scheduler_address, file, self.credentials, request)

    def _memory_exceeded(self, used: int, limit: int) -> None:
        self._handle(restart_rules.MemoryExceeded(used, limit, float(config.get("worker.memory.terminate"))))

    def _spawn(self, generation: int) -> None:
        process, self._spawned_already = self._spawned_already, None
        if process is None:
            settings = {**self.options.process_settings(), "options": self._worker_options(generation)}
            try:
                process = WorkerProcess(settings, self.env)
            except OSError as error:
                self._loop.call_soon(self._handle, restart_rules.SpawnFailed(str(error)))
                return
        self._process = process
        self._watch.begin(process.pid)

        def hear(message: dict[str, Any]) -> None:
            self._loop.call_soon_threadsafe(self._heard, generation, message)

        process.listen(hear)

    def _worker_options(self, generation: int) -> dict[str, Any]:
        options = {**self.options.worker, "nanny": self.address}
        if generation > 1:
            # Its predecessor of the same name may not have been missed yet.
            options["duplicate_grace"] = 10.0
        return options

    def _heard(self, generation: int, message: dict[str, Any]) -> None:
        """Handle a report of the worker process. On the loop."""
        if generation != self._core.generation:
            return
        if "exit_code" in message:
            self._process, self.worker_directory = None, ""
            self._handle(self._watch.exited(message["exit_code"], message.get("log", ())))
            return
        self.failure = message.get("exception", self.failure)
        self.worker_directory = message.get("directory", self.worker_directory)
        self.scheduler_address = message.get("scheduler", self.scheduler_address)
        self._handle(
            restart_rules.Reported(
                message["status"], message.get("address", ""), message.get("name", ""), message.get("error", "")
            )
        )

    def _set_timer(self, event: restart_rules.TimerRang, delay: float) -> None:
        def ring() -> None:
            self._timers.discard(handle)
            self._handle(event)

        handle = self._loop.call_later(delay, ring)
        self._timers.add(handle)
