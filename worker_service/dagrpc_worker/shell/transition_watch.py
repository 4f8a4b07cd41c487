"""Tells plugins of the transitions of tasks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from dagrpc._util.keys import decode_key
from dagrpc.plugins.base import WorkerPlugin, overrides
from dagrpc_worker.core.machine import WorkerCore
from dagrpc_worker.core.story import Entry


class TransitionWatch:
    """Tells plugins of transitions, in order, once the core is done with the events that led to them.

    The core is watched only while there is a plugin that has a method for it. On the loop.

    Parameters
    ----------
    core : WorkerCore
        Of the worker.
    logger : logging.Logger
        Told of plugins that fail.
    """

    def __init__(self, core: WorkerCore, logger: logging.Logger) -> None:
        self._core = core
        self._logger = logger
        self._loop = asyncio.get_running_loop()
        self._watching: list[Any] = []
        self._untold: list[Entry] = []

    def choose(self, plugins: Iterable[Any]) -> None:
        """Take the plugins that there are now."""
        self._watching = [plugin for plugin in plugins if overrides(plugin, WorkerPlugin, "transition")]
        self._core.watch(self._note if self._watching else None)

    def _note(self, entry: Entry) -> None:
        if not self._untold:
            self._loop.call_soon(self._tell)
        self._untold.append(entry)

    def _tell(self) -> None:
        untold, self._untold = self._untold, []
        for entry in untold:
            key = decode_key(entry[0])
            for plugin in self._watching:
                try:
                    plugin.transition(key, entry[1], entry[2], stimulus_id=entry[3])
                except Exception:
                    self._logger.exception("Plugin %r failed at a transition of %r", plugin, key)
