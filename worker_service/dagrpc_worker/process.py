"""The worker process that a nanny spawns: ``python -m dagrpc_worker.process``."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import signal
import sys

from dagrpc._process.child import Parent, adopt_sys_path
from dagrpc_worker.exits import ExitCode, end_at_once, exit_after

logger = logging.getLogger("dagrpc.worker")

_CLOSE_TIMEOUT = 5.0


def main() -> None:
    """Run a worker until it closes; end with an `ExitCode`."""
    parent = Parent.connect()
    settings = parent.settings
    adopt_sys_path(settings["sys_path"])
    # SIGINT ends the process at once while there is nothing to close yet.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # If a C library crashes, the last lines of the log show where.
    faulthandler.enable(all_threads=False)

    # Imports create no garbage; frozen, they are not scanned by later collections, of which the first would take 10 ms.
    gc.disable()
    # These imports read dask's configuration, which is therefore updated first.
    import dask.config

    dask.config.update(dask.config.config, settings["config"])
    from dagrpc._loop.io_loop import run_service
    from dagrpc._process.service_options import unpickled
    from dagrpc_worker.options import WorkerOptions
    from dagrpc_worker.run import prepare_process, run_to_exit
    from dagrpc_worker.shell.service import WorkerService

    gc.freeze()
    gc.enable()

    def on_made(worker: WorkerService) -> None:
        loop = asyncio.get_running_loop()

        def orphaned() -> None:
            exit_after(_CLOSE_TIMEOUT, 1)
            loop.call_soon_threadsafe(worker.close_soon, "its parent process is gone")

        parent.watch(orphaned)

    def on_exit(error: BaseException) -> None:
        logger.error("A coroutine on the event loop raised %r: the worker exits", error, exc_info=error)
        end_at_once(ExitCode.TASK)

    prepare_process(settings["log_level"])
    options = WorkerOptions(**unpickled(settings["options"]))
    sys.exit(run_service(run_to_exit(options, on_made, parent.report), on_exit))


if __name__ == "__main__":
    main()
