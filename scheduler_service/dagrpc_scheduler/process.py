"""A scheduler as a child process of a program: `LocalCluster` runs ``python -m dagrpc_scheduler.process``."""

from __future__ import annotations

import asyncio
import gc
import os

from dagrpc import config
from dagrpc._process.child import Parent, adopt_sys_path
from dagrpc._process.service_process import apply_settings, prepare


def main() -> None:
    """Serve until the parent process is gone."""
    parent = Parent.connect()
    settings = parent.settings
    adopt_sys_path(settings["sys_path"])
    prepare(settings["log_level"])

    config.hand_over(settings["config"])
    apply_settings()

    # Imported modules are not garbage: collections skip them, which saves 10 ms in the first one.
    gc.disable()
    from dagrpc_scheduler.options import SchedulerOptions
    from dagrpc_scheduler.run import serve
    from dagrpc_scheduler.shell.service import SchedulerService

    gc.freeze()
    gc.enable()

    def on_start(service: SchedulerService) -> None:
        loop = asyncio.get_running_loop()
        parent.watch(lambda: loop.call_soon_threadsafe(service.shutdown.soon, "its parent process is gone"))
        parent.report({"status": "running", "address": service.identity.address, "pid": os.getpid()})

    try:
        serve(SchedulerOptions(**settings["options"]), on_start)
    except (OSError, ValueError, TypeError) as error:
        setting = not isinstance(error, OSError)
        parent.report({"status": "failed", "error": str(error), "setting": setting})
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
