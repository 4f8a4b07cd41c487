"""Runs a scheduler in this process until it closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dagrpc._loop.io_loop import adopt_running_loop, run_service
from dagrpc._process.service_process import on_signals
from dagrpc_scheduler.assembly import make_service
from dagrpc_scheduler.options import SchedulerOptions
from dagrpc_scheduler.shell.service import SchedulerService


async def run_scheduler(options: SchedulerOptions, on_start: Callable[[SchedulerService], object]) -> None:
    """Serve until a signal, a client or an error ends the scheduler; `on_start` is called once it listens."""
    adopt_running_loop()
    service = make_service(options, scheduler_of)
    await service.start()
    on_signals(lambda reason: service.shutdown.soon(reason, may_return=True))
    on_start(service)
    await service.shutdown.finished.wait()


def serve(options: SchedulerOptions, on_start: Callable[[SchedulerService], object] = lambda service: None) -> None:
    """Run a scheduler on an event loop of its own."""
    run_service(run_scheduler(options, on_start))


def scheduler_of(service: SchedulerService) -> Any:
    """Return a `Scheduler` that stands for a service."""
    # Imported when user code first runs: most schedulers never run any.
    from dagrpc_scheduler.facade.scheduler import Scheduler

    return Scheduler.of(service)
