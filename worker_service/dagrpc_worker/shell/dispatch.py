"""Carries out the instructions of the worker's core."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from dagrpc_worker.core import events, instructions
from dagrpc_worker.core.instructions import Instruction
from dagrpc_worker.data.result_store import DataStore
from dagrpc_worker.execute.runner import TaskRunner
from dagrpc_worker.shell.fetch.fetcher import Fetcher
from dagrpc_worker.shell.session.translate_out import REPORTS, Report, RunReport


class Dispatcher:
    """Hands each instruction to the part of the worker that carries it out. On the loop.

    Parameters
    ----------
    send : callable
        Sends the reports of a loop turn to the scheduler.
    post : callable
        Takes events for the core.
    """

    def __init__(
        self,
        runner: TaskRunner,
        fetcher: Fetcher,
        store: DataStore,
        send: Callable[[list[Report]], None],
        post: Callable[[events.Event], None],
    ) -> None:
        self._runner = runner
        self._store = store
        self._send = send
        self._post = post
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._actions: Mapping[type, Callable[[Any], object]] = {
            instructions.Execute: runner.submit,
            instructions.CancelExecution: lambda each: runner.cancel(each.key, each.run_id),
            instructions.Reclaim: lambda each: runner.reclaim(each.key, each.run_id),
            instructions.Interrupt: lambda each: runner.interrupt(each.key, each.run_id, each.limit),
            instructions.DetachThread: lambda each: runner.detach(each.key, each.run_id, each.replace),
            instructions.GatherData: fetcher.start,
            instructions.DropData: self._drop,
            instructions.WakeLater: self._wake_later,
            instructions.RetryPeerLater: self._retry_later,
        }

    def __call__(self, batch: Sequence[Instruction | RunReport]) -> None:
        """Carry out instructions in order, and send the reports among them together."""
        actions = self._actions
        reports: list[Report] = []
        for instruction in batch:
            kind = type(instruction)
            if kind in REPORTS:
                reports.append(cast(Report, instruction))
            else:
                actions[kind](instruction)
        if reports:
            self._send(reports)

    def _drop(self, instruction: instructions.DropData) -> None:
        self._store.drop(instruction.keys)
        actors = self._runner.actors
        if actors is not None and actors.instances:
            actors.drop(instruction.keys)

    def _retry_later(self, instruction: instructions.RetryPeerLater) -> None:
        def due() -> None:
            self._timers.pop(instruction.worker, None)
            self._post(events.PeerRetryDue(instruction.worker))

        if instruction.worker in self._timers:
            self._timers.pop(instruction.worker).cancel()
        self._timers[instruction.worker] = asyncio.get_running_loop().call_later(instruction.delay, due)

    def _wake_later(self, instruction: instructions.WakeLater) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_later(instruction.delay, self._post, events.DeadlineReached())

    def close(self) -> None:
        """Cancel the timers."""
        if self._alarm is not None:
            self._alarm.cancel()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
