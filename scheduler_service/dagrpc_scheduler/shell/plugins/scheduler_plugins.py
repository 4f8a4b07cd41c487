"""Plugins that run in the scheduler, on its event loop; a plugin that fails is logged and harms nothing else."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Iterable
from typing import Any

from dagrpc._codec import payload as payloads
from dagrpc._codec.calls import encode_exception
from dagrpc._common.keys import decode_key
from dagrpc._loop.io_loop import spawn
from dagrpc._process.preloading import Preloads
from dagrpc.exceptions import UnknownPluginError
from dagrpc.plugins.base import SchedulerPlugin, overrides, plugin_name
from dagrpc.v1 import common_pb2, scheduler_service_pb2
from dagrpc.v1.worker_session_pb2 import RunDetails
from dagrpc_scheduler.core.events import Event, GraphSubmitted
from dagrpc_scheduler.core.model import FORGOTTEN, PROCESSING, TaskState
from dagrpc_scheduler.shell.coordination.topic_shell import EventLog
from dagrpc_scheduler.shell.core_driver import CoreDriver
from dagrpc_scheduler.shell.plugins.annotations import annotations_by_name
from dagrpc_scheduler.shell.plugins.run_notes import RunNotes
from dagrpc_scheduler.shell.plugins.user_code import UserCode

logger = logging.getLogger("dagrpc.scheduler")

_HOOKS = (
    "add_client",
    "add_worker",
    "before_close",
    "close",
    "log_event",
    "remove_client",
    "remove_worker",
    "restart",
    "transition",
    "update_graph",
    "valid_workers_downscaling",
)
_CLOSE_TIMEOUT = 5.0
"""Seconds that plugins have when the scheduler closes."""


class SchedulerPlugins:
    """The scheduler's plugins. For each hook it is known which plugins define it, so unused hooks cost nothing."""

    def __init__(
        self,
        *,
        driver: CoreDriver,
        event_log: EventLog,
        notes: RunNotes,
        user_code: UserCode,
        preloads: Preloads,
        background: set[asyncio.Task[Any]],
    ) -> None:
        self._driver = driver
        self._event_log = event_log
        self._user_code = user_code
        self._preloads = preloads
        self._background = background
        self.notes = notes
        """Details of runs, for the hook `transition`."""
        self.plugins: dict[str, Any] = {}
        """The plugins by name."""
        self._with: dict[str, list[Any]] = {hook: [] for hook in _HOOKS}
        self._held: list[tuple[Any, TaskState | None]] | None = None
        """Transitions to tell after `update_graph`; None: transitions are told at once."""

    @property
    def _scheduler(self) -> Any:
        """The `Scheduler` that hooks get."""
        return self._user_code.scheduler

    async def preload(self) -> None:
        """Run the operator's preload modules; raises `ValueError` if one fails."""
        if self._preloads.wanted:
            await self._preloads.start(self._scheduler)

    # --- registration --------------------------------------------------------------------------------------------

    async def register(
        self, name: str, payload: common_pb2.Payload, idempotent: bool
    ) -> list[scheduler_service_pb2.RunResult]:
        """Start a client's plugin and return the result; nothing if `idempotent` and the name is taken.

        Raises `CodeNotAllowedError` if clients may not run code here.
        """
        self._check_allowed()
        if idempotent and name in self.plugins:
            return []
        result = scheduler_service_pb2.RunResult()
        try:
            loop = asyncio.get_running_loop()
            plugin = await loop.run_in_executor(self._user_code.threads, payloads.from_payload, payload)
            await self.begin(plugin, name)
            await self.notes.settle()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            result.exception.CopyFrom(encode_exception(error))
        return [result]

    def _check_allowed(self) -> None:
        self._user_code.check_allowed("plugins of clients", ", or load the plugin with --preload")

    async def begin(self, plugin: Any, name: str | None = None) -> None:
        """Call a plugin's `start` and keep the plugin, unless `start` raises."""
        start = getattr(plugin, "start", None)
        if start is not None:
            outcome = start(self._scheduler)
            if inspect.isawaitable(outcome):
                await outcome
        self.add(plugin, name)

    def add(self, plugin: Any, name: str | None = None, idempotent: bool = False) -> None:
        """Keep a plugin without starting it, in place of a plugin of the same name unless `idempotent`.

        Raises `TypeError` if it is a class.
        """
        if isinstance(plugin, type):
            raise TypeError(f"Please provide an instance of a plugin, not a type: {plugin.__name__}()")
        name = name or plugin_name(plugin)
        if name in self.plugins:
            if idempotent:
                return
            logger.warning("Scheduler plugin %r is replaced by %r", name, plugin)
        self.plugins[name] = plugin
        self._changed()

    def unregister(self, name: str) -> None:
        """Remove a client's plugin; raises `CodeNotAllowedError` if clients may not run code here."""
        self._check_allowed()
        self.remove(name)

    def remove(self, name: str) -> None:
        """Remove a plugin; raises `UnknownPluginError` if there is none of this name."""
        if self.plugins.pop(name, None) is None:
            raise UnknownPluginError(f"Could not find plugin {name!r} among the current scheduler plugins")
        self._changed()

    def _changed(self) -> None:
        for hook in _HOOKS:
            self._with[hook] = [p for p in self.plugins.values() if overrides(p, SchedulerPlugin, hook)]
        self._watch()
        self.notes.want(bool(self._with["transition"]))
        listeners = self._event_log.listeners
        if self._with["log_event"]:
            if self._event not in listeners:
                listeners.append(self._event)
        elif self._event in listeners:
            listeners.remove(self._event)

    # --- hooks ---------------------------------------------------------------------------------------------------

    def _tell(self, hook: str, *args: Any, **kwargs: Any) -> None:
        """Call a hook of all plugins that define it, and log the ones that fail."""
        for plugin in self._with[hook]:
            try:
                outcome = getattr(plugin, hook)(*args, **kwargs)
                if inspect.isawaitable(outcome):
                    spawn(self._awaited(plugin, hook, outcome), self._background)
            except (Exception, SystemExit):
                logger.exception("Scheduler plugin %r failed in %s", plugin, hook)

    async def _awaited(self, plugin: Any, hook: str, outcome: Any) -> None:
        try:
            await outcome
        except Exception:
            logger.exception("Scheduler plugin %r failed in %s", plugin, hook)

    def worker_added(self, address: str) -> None:
        """Tell plugins that a worker has joined."""
        if self._with["add_worker"]:
            self._tell("add_worker", self._scheduler, address)

    def worker_removed(self, address: str, stimulus: str, **details: Any) -> None:
        """Tell plugins that a worker has left."""
        if self._with["remove_worker"]:
            self._tell("remove_worker", self._scheduler, address, stimulus_id=stimulus, **details)

    def client_added(self, client: str) -> None:
        """Tell plugins that a client has connected."""
        if self._with["add_client"]:
            self._tell("add_client", self._scheduler, client)

    def client_removed(self, client: str) -> None:
        """Tell plugins that a client has left."""
        if self._with["remove_client"]:
            self._tell("remove_client", self._scheduler, client)

    def restarted(self) -> None:
        """Tell plugins that all tasks were forgotten."""
        if self._with["restart"]:
            self._tell("restart", self._scheduler)

    def _event(self, topic: str, message: Any) -> None:
        self._tell("log_event", topic, message)

    def may_leave(self, addresses: list[str]) -> list[str]:
        """Return the workers that all plugins allow to be closed when the cluster shrinks."""
        plugins = self._with["valid_workers_downscaling"]
        if not plugins:
            return addresses
        scheduler = self._scheduler
        workers = [scheduler.workers[address] for address in addresses]
        for plugin in plugins:
            try:
                chosen = {worker.address for worker in plugin.valid_workers_downscaling(scheduler, list(workers))}
            except Exception:
                logger.exception("Scheduler plugin %r failed in valid_workers_downscaling", plugin)
            else:
                workers = [worker for worker in workers if worker.address in chosen]
        return [worker.address for worker in workers]

    # --- graphs and transitions ----------------------------------------------------------------------------------

    @property
    def watch_graphs(self) -> bool:
        """Whether a plugin defines `update_graph`."""
        return bool(self._with["update_graph"])

    def submit(self, event: GraphSubmitted) -> None:
        """Give the core a graph, and tell plugins of its tasks before their transitions."""
        self._held = []
        try:
            self._driver.handle(event)
            self._tell("update_graph", self._scheduler, **self._described(event))
        finally:
            held, self._held = self._held, None
            for entry, gone in held:
                self._tell_transition(entry, gone)

    def _described(self, event: GraphSubmitted) -> dict[str, Any]:
        known = self._driver.core.tasks
        keys = {task.key: decode_key(task.key) for task in event.tasks}
        return {
            "client": event.client,
            "keys": {keys[task.key] for task in event.tasks if task.wanted},
            "tasks": list(keys.values()),
            "annotations": annotations_by_name((keys[task.key], task.options) for task in event.tasks),
            "priority": {decoded: tuple(known[key].priority) for key, decoded in keys.items() if key in known},
            "stimulus_id": event.stimulus,
        }

    def reported(self, reports: Iterable[Event]) -> None:
        """Note a worker's reports, whose details plugins get with the transitions that follow."""
        if self._with["transition"]:
            self.notes.reported(reports)

    def _watch(self) -> None:
        """Watch the core's transitions if plugins or metadata need them."""
        wanted = bool(self._with["transition"] or self.notes.metadata)
        if wanted != self._driver.core.state.story.watched:
            self._driver.core.watch(self._note if wanted else None)

    def _note(self, entry: Any) -> None:
        """Tell plugins of a transition, or keep it until they know the graph."""
        gone = self._driver.core.state.story.forgotten if entry[3] == FORGOTTEN else None
        if self._held is not None:
            self._held.append((entry, gone))
        else:
            self._tell_transition(entry, gone)

    def _tell_transition(self, entry: Any, gone: TaskState | None) -> None:
        _, key, start, finish, worker, stimulus = entry
        details: dict[str, Any] = {"worker": worker} if worker else {}
        if start == PROCESSING:
            details |= self.notes.details(key, finish)
        tasks = self._driver.core.tasks
        back = gone is not None and key not in tasks
        if gone is not None and back:
            # Plugins that look at the forgotten task see it as it was.
            tasks[key] = gone
        try:
            self._tell("transition", decode_key(key), start, finish, stimulus_id=stimulus, **details)
        finally:
            if back:
                del tasks[key]
            if gone is not None:
                gone.dependencies = ()
                self.forget_metadata(key)

    # --- metadata of tasks ---------------------------------------------------------------------------------------

    def take_details(self, report: RunDetails) -> None:
        """Take the details of a run whose end the worker reports next."""
        self.notes.take(report)
        self._watch()

    def metadata_of(self, key: str) -> dict[str, Any] | None:
        """Return the metadata of a task; None if it has none."""
        return self.notes.metadata.get(key)

    def set_metadata(self, key: str, metadata: dict[str, Any] | None) -> None:
        """Set the metadata of a task; it is kept as long as the task is known."""
        if metadata is None:
            self.notes.metadata.pop(key, None)
        elif key in self._driver.core.tasks:
            self.notes.metadata[key] = metadata
        self._watch()

    def forget_metadata(self, key: str) -> None:
        """Drop the metadata of a forgotten task."""
        if self.notes.metadata.pop(key, None) is not None and not self.notes.metadata:
            self._watch()

    # --- close ---------------------------------------------------------------------------------------------------

    async def before_close(self) -> None:
        """Tell plugins that the scheduler is about to close, and wait a few seconds for them."""
        await self._finish("before_close")

    async def close(self) -> None:
        """Tell plugins that the scheduler has closed, and drop them."""
        await self._finish("close")
        await self._preloads.close()
        self.plugins.clear()
        self._changed()

    async def _finish(self, hook: str) -> None:
        for plugin in self._with[hook]:
            try:
                outcome = getattr(plugin, hook)()
                if inspect.isawaitable(outcome):
                    await asyncio.wait_for(outcome, _CLOSE_TIMEOUT)
            except (Exception, SystemExit):
                logger.exception("Scheduler plugin %r failed in %s", plugin, hook)
