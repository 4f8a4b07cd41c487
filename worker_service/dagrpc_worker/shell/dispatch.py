"""Carries out what the core asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

from dagrpc_worker.core import events, instructions
from dagrpc_worker.core.instructions import Instruction
from dagrpc_worker.data.result_store import DataStore
from dagrpc_worker.execute.runner import Job, TaskRunner
from dagrpc_worker.shell.fetch.fetcher import Fetcher
from dagrpc_worker.shell.session.translate_out import REPORTS, Report, RunReport


class Dispatcher:
    """Hands each instruction to the part of the worker that carries it out. On the loop.

    Parameters
    ----------
    runner, fetcher, store : TaskRunner, Fetcher, DataStore
        The parts.
    send : callable
        Takes the reports of a loop turn.
    post : callable
        Takes events.
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
        self._fetcher = fetcher
        self._store = store
        self._send = send
        self._post = post
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._alarm: asyncio.TimerHandle | None = None

    def __call__(self, orders: Sequence[Instruction | RunReport]) -> None:
        """Carry out instructions in order."""
        reports: list[Report] = []
        for order in orders:
            kind = type(order)
            if kind in REPORTS:
                reports.append(cast(Report, order))
            elif isinstance(order, instructions.Execute):
                self._runner.submit(
                    Job(
                        order.key,
                        order.run_id,
                        order.work,
                        order.dependencies,
                        order.actor,
                        order.executor,
                        order.annotations,
                        order.timeout,
                    )
                )
            elif isinstance(order, instructions.DropData):
                self._store.drop(order.keys)
                if self._runner.actors is not None and self._runner.actors.instances:
                    self._runner.actors.drop(order.keys)
            elif isinstance(order, instructions.GatherData):
                self._fetcher.start(order)
            elif isinstance(order, instructions.CancelExecution):
                self._runner.cancel(order.key, order.run_id)
            elif isinstance(order, instructions.Reclaim):
                self._runner.reclaim(order.key, order.run_id)
            elif isinstance(order, instructions.Interrupt):
                self._runner.interrupt(order.key, order.run_id, order.limit)
            elif isinstance(order, instructions.WakeLater):
                self._wake_later(order.delay)
            elif isinstance(order, instructions.DetachThread):
                self._runner.detach(order.key, order.run_id, order.replace)
            elif isinstance(order, instructions.RetryPeerLater):
                self._retry_later(order)
            else:
                raise TypeError(f"The worker's core asks for something unknown: {order!r}")
        if reports:
            self._send(reports)

    def _retry_later(self, order: instructions.RetryPeerLater) -> None:
        def due() -> None:
            self._timers.pop(order.worker, None)
            self._post(events.PeerRetryDue(order.worker))

        if order.worker in self._timers:
            self._timers.pop(order.worker).cancel()
        self._timers[order.worker] = asyncio.get_running_loop().call_later(order.delay, due)

    def _wake_later(self, delay: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_later(delay, self._post, events.DeadlineReached())

    def close(self) -> None:
        """Cancel the timers."""
        if self._alarm is not None:
            self._alarm.cancel()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
