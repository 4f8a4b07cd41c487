"""What a nanny tells code that runs in it, and does for it, by the names that distributed has for it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc._process.machine import cpu_count
from dagrpc._process.options import words
from dagrpc._rpc.embedded_server import ServiceHome
from dagrpc.plugins.base import plugin_name
from dagrpc.security import Security
from dagrpc_worker.shell.memory.memory_options import MemoryManager

if TYPE_CHECKING:
    from dagrpc._client.scheduler_calls import SchedulerCalls
    from dagrpc._client.worker_client import WorkerClientFactory
    from dagrpc.client import Client
    from dagrpc_worker.nanny.nanny_server import NannyService
    from dagrpc_worker.nanny.worker_process import WorkerProcess
    from dagrpc_worker.shell.monitoring.process_monitor import ProcessMonitor

logger = logging.getLogger("dagrpc.nanny")

_LOG_TIMEOUT = 30.0
_clients_lock = threading.Lock()
"""Events may be logged by several threads at once, of which one makes the client."""
# Of what the worker is told, what has a name of its own here.
_NAMED = words(
    """scheduler_address scheduler_file name nthreads memory_limit resources local_directory death_timeout
    contact_address preload preload_argv security nanny pickled"""
)


class Members:
    """The part of `Nanny` that tells of itself, and calls the scheduler."""

    security: Security
    _home: ServiceHome
    _service: NannyService | None
    _worker: dict[str, Any]
    _env: dict[str, str]
    _config: dict[str, Any]
    _log_level: Any
    _clients: WorkerClientFactory | None = None

    # --- what it was told ----------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Its own, unlike that of any other nanny; empty before it has started."""
        return self._service.id if self._service is not None else ""

    @property
    def env(self) -> dict[str, str]:
        """Variables of the worker's process; what is changed here holds for the next one."""
        return self._service.env if self._service is not None else self._env

    @property
    def config(self) -> dict[str, Any]:
        """Settings of dask in the worker's process: before the start those on top of the ones here, then all.

        What is changed here holds for the next process.
        """
        return self._service.options.settings.get("config", {}) if self._service is not None else self._config

    @property
    def nthreads(self) -> int:
        """How many tasks the worker runs at once."""
        return int(self._worker.get("nthreads") or cpu_count())

    @property
    def resources(self) -> Mapping[str, float] | None:
        """What the worker offers of abstract resources; None: as configured."""
        return self._worker.get("resources")

    @property
    def memory_limit(self) -> int | None:
        """Bytes of memory that the worker may use; None: any amount."""
        return int(self._worker.get("memory_limit") or 0) or None

    @property
    def memory_manager(self) -> MemoryManager:
        """When something is done about the worker's memory."""
        names = ("target", "spill", "pause")
        fractions = {name: self._worker.get(f"memory_{name}_fraction") for name in names}
        return MemoryManager.of(self.memory_limit or 0, fractions)

    @property
    def death_timeout(self) -> float | None:
        """Seconds that the worker looks for the scheduler before giving up; None: without end."""
        return self._worker.get("death_timeout")

    @property
    def contact_address(self) -> str | None:
        """Where others reach the worker; None: where it listens."""
        return self._worker.get("contact_address")

    @property
    def preload(self) -> list[str]:
        """What the worker loads before it works; empty: as configured."""
        return list(self._worker.get("preload") or ())

    @property
    def preload_argv(self) -> list[str]:
        """Arguments for that."""
        return list(self._worker.get("preload_argv") or ())

    @property
    def silence_logs(self) -> Any:
        """From which level on the worker logs."""
        return self._log_level

    @property
    def worker_kwargs(self) -> dict[str, Any]:
        """What else the worker is told."""
        return {name: value for name, value in self._worker.items() if name not in _NAMED}

    @cached_property
    def local_directory(self) -> str:
        """The directory in which its worker's lies, whichever process that is; made if it is not there."""
        # Hardly any nanny is ever asked.
        from dagrpc_worker.shell.lifecycle.workspace import shared_directory

        return str(shared_directory(self._worker.get("local_directory") or ""))

    # --- what it sees --------------------------------------------------------------------------------------------

    @property
    def process(self) -> WorkerProcess | None:
        """The worker's process; None if there is none."""
        return self._service.process if self._service is not None else None

    @property
    def thread_id(self) -> int:
        """The thread of its event loop; 0 before it has started."""
        return self._service.thread_id if self._service is not None else 0

    @cached_property
    def monitor(self) -> ProcessMonitor:
        """What the nanny's own process uses: ``monitor.update()``."""
        from dagrpc_worker.shell.monitoring.process_monitor import ProcessMonitor

        return ProcessMonitor()

    # --- plugins -------------------------------------------------------------------------------------------------

    @property
    def plugins(self) -> dict[str, Any]:
        """Its plugins, by name."""
        return self._service.plugins if self._service is not None else {}

    async def plugin_add(self, plugin: Any, name: str | None = None) -> dict[str, str]:
        """Set a plugin up on this nanny alone, in place of one of the same name.

        The worker is started anew if the plugin's attribute ``restart`` says so.

        Parameters
        ----------
        plugin : NannyPlugin
            The plugin.
        name : str, optional
            What to call it; its attribute ``name`` by default.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Nanny(scheduler.address, nthreads=1) as nanny:
        ...     await nanny.plugin_add(NannyPlugin(), name="mine")
        ...     list(nanny.plugins)
        ...     await nanny.plugin_remove("mine")
        {'status': 'OK'}
        ['mine']
        {'status': 'OK'}
        """
        service = self._running_service()
        await self._home.awaiting(service.plugin_host.add(name or plugin_name(plugin), plugin))
        await self._home.awaiting(service.restart_if_wanted(plugin))
        return {"status": "OK"}

    async def plugin_remove(self, name: str) -> dict[str, str]:
        """Tear a plugin down on this nanny alone.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Nanny(scheduler.address, nthreads=1) as nanny:
        ...     await nanny.plugin_remove("is not there")
        {'status': 'OK'}
        """
        await self._home.awaiting(self._running_service().plugin_host.remove(name))
        return {"status": "OK"}

    def _running_service(self) -> NannyService:
        if self._service is None:
            raise RuntimeError("The nanny has not started: await it first")
        return self._service

    # --- the scheduler -------------------------------------------------------------------------------------------

    @property
    def scheduler_address(self) -> str:
        """Where the scheduler is, ``host:port``; empty until the worker has found it, if it looks for it in a file."""
        return self._service.scheduler_address if self._service else str(self._worker.get("scheduler_address") or "")

    @property
    def scheduler_addr(self) -> str:
        """The same as `scheduler_address`."""
        return self.scheduler_address

    @property
    def scheduler(self) -> SchedulerCalls:
        """The scheduler, and what it can be called for."""
        from dagrpc._client.scheduler_calls import SchedulerCalls

        return SchedulerCalls(self.scheduler_address, "", self._get_client)

    def _get_client(self) -> Client:
        """Return the client that code of this nanny's shares; made when it is first asked for."""
        from dagrpc._client.worker_client import WorkerClientFactory

        if not self.scheduler_address:
            raise RuntimeError("The nanny does not know the scheduler yet: its worker looks for it")
        with _clients_lock:
            if self._clients is None:
                self._clients = WorkerClientFactory(self.scheduler_address, self.security)
        return self._clients.get()

    def log_event(self, topic: str | Collection[str], msg: Any) -> None:
        """Log an event. From any thread; it is sent soon, and lost if the scheduler cannot be reached.

        Parameters
        ----------
        topic : str, or a list, tuple or set of str
            The topic, or several.
        msg : plain data
            None, booleans, numbers, text, bytes, and lists, tuples and dicts of those.

        Raises
        ------
        TypeError
            If the message is something else.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Nanny(scheduler.address, nthreads=1) as nanny:
        ...     nanny.log_event("nannies", {"pid": nanny.pid})
        """
        from dagrpc._codec.plain import encode_plain, topic_names

        topic_names(topic), encode_plain(msg)

        async def send() -> None:
            try:
                async with asyncio.timeout(_LOG_TIMEOUT):
                    await self.scheduler.log_event(topic=topic, msg=msg)
            except Exception as error:
                logger.warning("%r could not log an event: %s: %s", self, type(error).__name__, error)

        self._home.loop.call_soon_threadsafe(lambda: spawn(send(), self._sending))

    @cached_property
    def _sending(self) -> set[asyncio.Task[Any]]:
        return set()

    async def _release(self) -> None:
        """Close the connection to the scheduler, if there is one. On the loop."""
        await cancel_all(self._sending)
        if self._clients is not None:
            await self._clients.close()
