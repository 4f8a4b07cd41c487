"""Runs one worker in this process until it closes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

from dagrpc import config
from dagrpc._common import running_task
from dagrpc._loop.io_loop import adopt_running_loop
from dagrpc._process.as_distributed import install_if_asked
from dagrpc._process.service_process import apply_settings, prepare
from dagrpc._transfer import same_host
from dagrpc.exceptions import CommClosedError, DagrpcError
from dagrpc_worker.exits import ExitCode, exit_after
from dagrpc_worker.options import WorkerOptions
from dagrpc_worker.shell.facade.make_service import make_service
from dagrpc_worker.shell.lifecycle.end_state import EndKind
from dagrpc_worker.shell.lifecycle.start_failures import pickled
from dagrpc_worker.shell.service import WorkerService
from dagrpc_worker.signals import on_stop_signals

logger = logging.getLogger("dagrpc.worker")

SIGNALLED = 128 + 15
"""Exit code of `run_worker` after a signal."""

_EXIT_TIMEOUT = 5.0

_CODES = {
    EndKind.CLOSED: ExitCode.CLOSED,
    EndKind.RESTART: ExitCode.RESTART,
    EndKind.LOST: ExitCode.LOST_SCHEDULER,
    EndKind.CUT_OFF: ExitCode.CUT_OFF,
    EndKind.FAILED: ExitCode.BUG,
}


def prepare_process(log_level: int | str) -> None:
    """Set up the process: logging, garbage collection, and the interval at which threads switch."""
    prepare(log_level)
    apply_settings()
    install_if_asked()
    same_host.allow_readers()
    sys.setswitchinterval(config.get_seconds("worker.switch-interval") or sys.getswitchinterval())


async def run_to_exit(
    options: WorkerOptions,
    on_made: Callable[[WorkerService], None] = lambda worker: None,
    report: Callable[[dict[str, Any]], None] = lambda message: None,
) -> int:
    """Run a worker until it closes, return an exit code, and end the process soon after. See `run_worker`."""
    code = await run_worker(options, on_made, report)
    # Called here and not after the event loop, whose end waits for the threads that coroutines started.
    exit_after(_EXIT_TIMEOUT, code)
    return code


async def run_worker(
    options: WorkerOptions,
    on_made: Callable[[WorkerService], None] = lambda worker: None,
    report: Callable[[dict[str, Any]], None] = lambda message: None,
) -> int:
    """Run a worker until it closes, and return an exit code.

    Parameters
    ----------
    on_made : callable
        Called with the worker before it starts.
    report : callable
        Takes reports on the worker: ``{"status": "connecting" | "running" | "working" | "failed" | "closed", ...}``.
    """
    adopt_running_loop()
    signalled = False
    try:
        worker = make_service(options)
    except (ValueError, TypeError) as error:
        logger.error("Worker %s cannot be created: %s", options.name or "without a name", error)
        report({"status": "failed", "name": options.name, "error": str(error)})
        return ExitCode.BAD_SETTINGS
    running_task.own_process(worker.facade)
    worker.nanny_pipe.tell = report

    def stop(how: Callable[[str], None]) -> Callable[[str], None]:
        def begin(reason: str) -> None:
            nonlocal signalled
            signalled = True
            how(reason)

        return begin

    on_stop_signals(stop(worker.drain_soon), stop(worker.close_soon))
    on_made(worker)
    report({"status": "connecting", "name": options.name})
    try:
        await worker.start()
    except Exception as error:
        if signalled:
            return SIGNALLED
        logger.error("Worker %s cannot start: %s", worker.name or "without a name", error)
        report({"status": "failed", "name": worker.name, "error": str(error), "exception": pickled(error)})
        if isinstance(error, DagrpcError):
            return ExitCode.REFUSED
        # A worker that has an address listens already: it failed for lack of a scheduler.
        lonely = worker.address and isinstance(error, (CommClosedError, TimeoutError))
        return ExitCode.NO_SCHEDULER if lonely else ExitCode.BAD_SETTINGS
    end = await worker.finished()
    report({"status": "closed", "name": worker.name, "reason": end.reason})
    return SIGNALLED if signalled else _CODES[end.kind]
