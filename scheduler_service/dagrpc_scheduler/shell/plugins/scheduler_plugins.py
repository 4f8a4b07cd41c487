"""Plugins that run in the scheduler: told of what happens, on its event loop, and never the reason that it fails."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dagrpc._codec import payload as payloads
from dagrpc._codec.calls import encode_exception
from dagrpc._common.keys import decode_key
from dagrpc._loop.io_loop import spawn
from dagrpc._process.preloading import Preloads
from dagrpc.exceptions import CodeNotAllowedError, UnknownPluginError
from dagrpc.plugins.base import SchedulerPlugin, overrides, plugin_name
from dagrpc.v1 import common_pb2, scheduler_service_pb2
from dagrpc_scheduler.core.events import Event, GraphSubmitted
from dagrpc_scheduler.core.model import FORGOTTEN, PROCESSING, TaskState
from dagrpc_scheduler.shell.plugins.annotations import annotations_by_name
from dagrpc_scheduler.shell.plugins.run_notes import RunNotes

if TYPE_CHECKING:
    from dagrpc.v1.worker_session_pb2 import RunDetails
    from dagrpc_scheduler.shell.service import SchedulerService

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
    """The scheduler's plugins. On the loop.

    For each of their methods it is known which plugins have one of their own; the others cost nothing.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service
        self.plugins: dict[str, Any] = {}
        """By name."""
        self._with: dict[str, list[Any]] = {hook: [] for hook in _HOOKS}
        options = service.options
        self._preloads = Preloads("scheduler", options.preload, options.preload_argv)
        self._held: list[tuple[Any, TaskState | None]] | None = None
        """Transitions that are to be told later; None: they are told at once."""
        self.notes = RunNotes(service)
        """What workers report beside the ends of runs."""

    @property
    def _scheduler(self) -> Any:
        """What plugins are handed: the same as `run_on_scheduler` hands to functions."""
        # It knows the service.
        from dagrpc_scheduler.shell.facade.scheduler import Scheduler

        return Scheduler.of(self._service)

    async def preload(self) -> None:
        """Run what the operator wants to be run before there is work.

        Raises
        ------
        ValueError
            If it fails.
        """
        if self._preloads.wanted:
            await self._preloads.start(self._scheduler)

    # --- coming and going ----------------------------------------------------------------------------------------

    async def register(
        self, name: str, payload: common_pb2.Payload, idempotent: bool
    ) -> list[scheduler_service_pb2.RunResult]:
        """Take a client's plugin. Returns what came of it, nothing if there is one that is to be kept.

        Raises
        ------
        CodeNotAllowedError
            If this scheduler runs no user code.
        """
        self._check_allowed()
        if idempotent and name in self.plugins:
            return []
        result = scheduler_service_pb2.RunResult()
        try:
            loop = asyncio.get_running_loop()
            plugin = await loop.run_in_executor(self._service.user_threads, payloads.from_payload, payload)
            await self.begin(plugin, name)
            await self.notes.settle()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            result.exception.CopyFrom(encode_exception(error))
        return [result]

    def _check_allowed(self) -> None:
        if not self._service.options.allow_code:
            raise CodeNotAllowedError(
                "This scheduler runs no plugins of clients; start it with `dagrpc scheduler --allow-code` to allow "
                "them, or give it the plugin with --preload"
            )

    async def begin(self, plugin: Any, name: str | None = None) -> None:
        """Start a plugin and keep it.

        Raises
        ------
        BaseException
            Whatever its `start` raises; it is not kept.
        """
        start = getattr(plugin, "start", None)
        if start is not None:
            outcome = start(self._scheduler)
            if inspect.isawaitable(outcome):
                await outcome
        self.add(plugin, name)

    def add(self, plugin: Any, name: str | None = None, idempotent: bool = False) -> None:
        """Keep a plugin, in place of one of the same name, without starting it.

        Raises
        ------
        TypeError
            If it is a class.
        """
        if isinstance(plugin, type):
            raise TypeError(f"Please provide an instance of a plugin, not a type: {plugin.__name__}()")
        name = name or plugin_name(plugin)
        if name in self.plugins:
            if idempotent:
                return
            logger.warning("Scheduler plugin %r is replaced", name)
        self.plugins[name] = plugin
        self._changed()

    def unregister(self, name: str) -> None:
        """Forget a client's plugin.

        Raises
        ------
        CodeNotAllowedError
            If this scheduler runs no user code.
        UnknownPluginError
            If there is none.
        """
        self._check_allowed()
        self.remove(name)

    def remove(self, name: str) -> None:
        """Forget a plugin.

        Raises
        ------
        UnknownPluginError
            If there is none.
        """
        if self.plugins.pop(name, None) is None:
            raise UnknownPluginError(f"Could not find plugin {name!r} among the current scheduler plugins")
        self._changed()

    def _changed(self) -> None:
        for hook in _HOOKS:
            self._with[hook] = [p for p in self.plugins.values() if overrides(p, SchedulerPlugin, hook)]
        self._watch()
        self.notes.want(bool(self._with["transition"]))
        listeners = self._service.events.listeners
        if self._with["log_event"]:
            if self._event not in listeners:
                listeners.append(self._event)
        elif self._event in listeners:
            listeners.remove(self._event)

    # --- telling them --------------------------------------------------------------------------------------------

    def _tell(self, hook: str, *args: Any, **kwargs: Any) -> None:
        """Call a method of all that have it; those that fail are logged."""
        for plugin in self._with[hook]:
            try:
                outcome = getattr(plugin, hook)(*args, **kwargs)
                if inspect.isawaitable(outcome):
                    spawn(self._awaited(plugin, hook, outcome), self._service.tasks)
            except (Exception, SystemExit):
                logger.exception("Scheduler plugin %r failed in %s", plugin, hook)

    async def _awaited(self, plugin: Any, hook: str, outcome: Any) -> None:
        try:
            await outcome
        except Exception:
            logger.exception("Scheduler plugin %r failed in %s", plugin, hook)

    def worker_added(self, address: str) -> None:
        """Tell of a worker that has joined."""
        if self._with["add_worker"]:
            self._tell("add_worker", self._scheduler, address)

    def worker_removed(self, address: str, stimulus: str, **details: Any) -> None:
        """Tell of a worker that has left."""
        if self._with["remove_worker"]:
            self._tell("remove_worker", self._scheduler, address, stimulus_id=stimulus, **details)

    def client_added(self, client: str) -> None:
        """Tell of a client that has connected."""
        if self._with["add_client"]:
            self._tell("add_client", self._scheduler, client)

    def client_removed(self, client: str) -> None:
        """Tell of a client that has left."""
        if self._with["remove_client"]:
            self._tell("remove_client", self._scheduler, client)

    def restarted(self) -> None:
        """Tell that all tasks are forgotten."""
        if self._with["restart"]:
            self._tell("restart", self._scheduler)

    def _event(self, topic: str, message: Any) -> None:
        self._tell("log_event", topic, message)

    def may_leave(self, addresses: list[str]) -> list[str]:
        """Return those of some workers that all plugins agree to let go when the cluster shrinks."""
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
        """Whether anybody wants to know of new tasks."""
        return bool(self._with["update_graph"])

    def submit(self, event: GraphSubmitted) -> None:
        """Give the core a graph, and tell of its tasks before their transitions."""
        self._held = []
        try:
            self._service.handle(event)
            self._tell("update_graph", self._scheduler, **self._described(event))
        finally:
            held, self._held = self._held, None
            for entry, gone in held:
                self._tell_transition(entry, gone)

    def _described(self, event: GraphSubmitted) -> dict[str, Any]:
        known = self._service.core.tasks
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
        """Take note of what a worker reports, to be told with the transitions that follow from it."""
        if self._with["transition"]:
            self.notes.reported(reports)

    def _watch(self) -> None:
        """Have the core tell of transitions, if there is somebody who wants to know."""
        wanted = bool(self._with["transition"] or self.notes.metadata)
        if wanted != self._service.core.state.story.watched:
            self._service.core.watch(self._note if wanted else None)

    def _note(self, entry: Any) -> None:
        """Tell of a transition, or keep it until the graph is known."""
        gone = self._service.core.state.story.forgotten if entry[3] == FORGOTTEN else None
        if self._held is not None:
            self._held.append((entry, gone))
        else:
            self._tell_transition(entry, gone)

    def _tell_transition(self, entry: Any, gone: TaskState | None) -> None:
        _, key, start, finish, worker, stimulus = entry
        details: dict[str, Any] = {"worker": worker} if worker else {}
        if start == PROCESSING:
            details |= self.notes.details(key, finish)
        tasks = self._service.core.state.tasks
        back = gone is not None and key not in tasks
        if gone is not None and back:
            # As it was, for those who look at it when they are told that it is gone.
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
        """Take what a worker tells of a run before its end."""
        self.notes.take(report)
        self._watch()

    def metadata_of(self, key: str) -> dict[str, Any] | None:
        """Return what was noted of a task; None if nothing was."""
        return self.notes.metadata.get(key)

    def set_metadata(self, key: str, metadata: dict[str, Any] | None) -> None:
        """Note something of a task, for as long as it is known."""
        if metadata is None:
            self.notes.metadata.pop(key, None)
        elif key in self._service.core.state.tasks:
            self.notes.metadata[key] = metadata
        self._watch()

    def forget_metadata(self, key: str) -> None:
        """Forget what was noted of a task that is forgotten."""
        if self.notes.metadata.pop(key, None) is not None and not self.notes.metadata:
            self._watch()

    # --- the end -------------------------------------------------------------------------------------------------

    async def before_close(self) -> None:
        """Tell that the scheduler is about to close, and wait for a few seconds for those who prepare."""
        await self._finish("before_close")

    async def close(self) -> None:
        """Tell that the scheduler has closed."""
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
