"""Calls plugins at the transitions of tasks, and reports their notes about tasks to the scheduler."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dagrpc._common.keys import decode_key
from dagrpc.plugins.base import WorkerPlugin, overrides
from dagrpc_worker.core import instructions
from dagrpc_worker.core.instructions import Instruction
from dagrpc_worker.core.machine import WorkerCore
from dagrpc_worker.core.model import EXECUTING, FORGOTTEN
from dagrpc_worker.core.story import Entry
from dagrpc_worker.execute.task_recorder import Recorder
from dagrpc_worker.shell.session.translate_out import RunReport

_ENDS: Final = (instructions.ReportFinished, instructions.ReportErred, instructions.ReportTimedOut)


@dataclass(slots=True)
class Noted:
    """Notes about a task that the core does not have, kept while a plugin watches or has noted something."""

    description: dict[str, Any] | None = None
    """The core's latest description of the task."""
    metadata: dict[str, Any] = field(default_factory=dict)
    start_time: float | None = None
    """Start of its execution, in seconds since the epoch."""
    stop_time: float | None = None
    """End of its execution."""
    startstops: list[dict[str, Any]] = field(default_factory=list)
    """The activities of its execution."""
    end: Any = None
    """The report of its failure, if it has failed."""


class TransitionWatch:
    """Calls plugins at transitions, in order, after the core has handled the batch of events behind them.

    The instructions of the batch are carried out after that, so the notes of plugins about a task are complete when
    its end is reported. The core is watched only while there is a note, or a plugin with a method `transition`. On the
    loop.

    Parameters
    ----------
    recorder : Recorder
        Has the latest runs, while plugins of the scheduler want their details.
    """

    def __init__(self, core: WorkerCore, recorder: Recorder, logger: logging.Logger) -> None:
        self._core = core
        self._recorder = recorder
        self._logger = logger
        self._watching: list[Any] = []
        self._untold: list[Entry] = []
        self._noted: dict[str, Noted] = {}
        self.told: tuple[str, str] | None = None
        """Key and new state of the task whose transition plugins are being called with."""

    def choose(self, plugins: Iterable[Any]) -> None:
        """Set the present plugins."""
        self._watching = [plugin for plugin in plugins if overrides(plugin, WorkerPlugin, "transition")]
        if not self._watching:
            self._noted = {key: noted for key, noted in self._noted.items() if noted.metadata}
        self._watch()

    def _watch(self) -> None:
        self._core.watch(self._untold.append if self._watching or self._noted else None)

    def noted(self, key: str) -> Noted | None:
        """Return the notes about a task; None if there are none. From any thread."""
        return self._noted.get(key)

    def note(self, key: str) -> Noted:
        """Return the notes about a task, to add to them. From any thread."""
        found = self._noted.get(key)
        if found is None:
            found = Noted()
            if self._core.view.state_of(key) is not None or (self.told is not None and self.told[0] == key):
                found = self._noted.setdefault(key, found)
                self._watch()
        return found

    @property
    def busy(self) -> bool:
        """Whether there are transitions or notes to handle."""
        return bool(self._untold or self._noted or self._recorder.runs)

    def tell(self, orders: Sequence[Instruction]) -> list[Instruction | RunReport]:
        """Call plugins at the transitions of a batch. Return its instructions, with details before the ends of runs."""
        ends = {order.key: order for order in orders if isinstance(order, _ENDS)}
        untold = self._untold[:]
        # In place: the core appends to it.
        self._untold.clear()
        for entry in untold:
            if self._watching:
                self._note_transition(entry, ends.get(entry[0]))
                self._tell_plugins(entry)
        found = list(self._with_details(orders))
        for entry in untold:
            if entry[2] == FORGOTTEN and self._core.view.state_of(entry[0]) is None:
                self._noted.pop(entry[0], None)
        if not self._watching and not self._noted:
            self._watch()
        return found

    def _note_transition(self, entry: Entry, end: Any) -> None:
        key, before, after, _, when = entry
        noted = self._noted.get(key)
        if noted is None:
            noted = self._noted[key] = Noted()
        description = self._core.view.describe(key)
        if description is not None:
            noted.description = description
        if after == EXECUTING:
            noted.start_time = when
        elif before == EXECUTING and end is not None:
            run = self._recorder.runs.get(key)
            noted.stop_time = end.stop
            noted.startstops = (
                run.startstops() if run is not None else [{"action": "compute", "start": end.start, "stop": end.stop}]
            )
            noted.end = None if isinstance(end, instructions.ReportFinished) else end

    def _tell_plugins(self, entry: Entry) -> None:
        wire, before, after, stimulus, _ = entry
        key = decode_key(wire)
        self.told = wire, after
        for plugin in self._watching:
            try:
                plugin.transition(key, before, after, stimulus_id=stimulus)
            except Exception:
                self._logger.exception("Plugin %r failed at a transition of %r", plugin, key)
        self.told = None

    def _with_details(self, orders: Sequence[Instruction]) -> Iterable[Instruction | RunReport]:
        for order in orders:
            if isinstance(order, _ENDS):
                run, noted = self._recorder.runs.pop(order.key, None), self._noted.get(order.key)
                metadata = noted.metadata if noted is not None else {}
                if run is not None or metadata:
                    yield RunReport(order.key, order.run_id, run, metadata)
            yield order
