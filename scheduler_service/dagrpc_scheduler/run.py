"""Runs a scheduler in this process until it closes."""

from __future__ import annotations

from collections.abc import Callable

from dagrpc._loop.io_loop import adopt_running_loop, run_service
from dagrpc._process.service_process import on_signals
from dagrpc_scheduler.options import SchedulerOptions
from dagrpc_scheduler.shell.service import SchedulerService


async def run_scheduler(options: SchedulerOptions, on_start: Callable[[SchedulerService], object]) -> None:
    """Serve until a signal, a client or an error ends it.

    Parameters
    ----------
    on_start : callable
        Called with the service once it listens.
    """
    adopt_running_loop()
    service = SchedulerService(options)
    await service.start()
    on_signals(lambda reason: service.close_soon(reason, may_return=True))
    on_start(service)
    await service.finished()


def serve(options: SchedulerOptions, on_start: Callable[[SchedulerService], object] = lambda service: None) -> None:
    """Run a scheduler on an event loop of its own."""
    run_service(run_scheduler(options, on_start))
