"""One process with several nannies: ``python -m dagrpc_worker.nanny.nanny_process``.

`LocalCluster` and `dagrpc worker` start it.

The worker processes are spawned before modules that take long to import, since the user waits for the workers. A
nanny's port is therefore reserved before its server exists.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from dagrpc._common.addresses import join_address
from dagrpc._process.child import Parent, adopt_sys_path
from dagrpc_worker.nanny.worker_process import WorkerProcess
from dagrpc_worker.ports import ReservedPort


class EarlyWorker(NamedTuple):
    """A worker process whose nanny does not exist yet."""

    options: dict[str, Any]
    """The worker's options: fields of `WorkerOptions`."""
    settings: dict[str, Any]
    environ: dict[str, str]
    process: WorkerProcess
    port: ReservedPort
    """The nanny's port."""
    worker_port: ReservedPort | None
    """The worker's port if a range was given; reserved for later workers as well."""


def spawn_workers(settings: Mapping[str, Any]) -> list[EarlyWorker]:
    """Spawn the worker processes that the settings name.

    Parameters
    ----------
    settings : mapping
        ``workers``: for each worker, fields of `WorkerOptions`; a field that is None is left out.
        ``scheduler_address`` or ``scheduler_file``: where the scheduler is.
        ``host``: where nannies and workers listen. ``contact_host``: the name by which others reach it, if different.
        ``nanny_ports``, ``worker_ports``: the first and the last port to use; by default any port.
        ``environ``: variables for the workers, unless they are set here. ``own_environ``: variables in any case.
        ``sys_path``, ``config``, ``log_level``: as for all child processes.

    Raises
    ------
    OSError
        If a port cannot be had.
    """
    host = settings["host"]
    contact = settings.get("contact_host") or host
    environ = {name: str(value) for name, value in settings.get("environ", {}).items() if name not in os.environ}
    environ |= settings.get("own_environ", {})
    common = {name: settings[name] for name in ("sys_path", "config", "log_level")}
    where = {name: settings[name] for name in ("scheduler_address", "scheduler_file") if settings.get(name)}
    # All ports first: if one is taken, no process is started.
    nanny_ports = [_reserve(host, settings.get("nanny_ports")) for _ in settings["workers"]]
    worker_ports = [
        _reserve(host, settings["worker_ports"]) if settings.get("worker_ports") else None for _ in settings["workers"]
    ]
    early = []
    for given, port, worker_port in zip(settings["workers"], nanny_ports, worker_ports, strict=True):
        options = {"host": host, **where, **{name: value for name, value in given.items() if value is not None}}
        options["nanny"] = join_address(contact, port.port)
        if worker_port is not None:
            options["port"] = worker_port.port
        process = WorkerProcess({**common, "options": options}, environ)
        early.append(EarlyWorker(options, common, environ, process, port, worker_port))
    return early


def _reserve(host: str, ports: tuple[int, int] | None) -> ReservedPort:
    first, last = ports or (0, 0)
    return ReservedPort(host, range(first, last + 1))


def main() -> None:
    """Host nannies until all have closed or the parent is gone."""
    parent = Parent.connect()
    settings = parent.settings
    try:
        early = spawn_workers(settings)
    except OSError as error:
        parent.report({"status": "failed", "error": str(error)})
        raise SystemExit(1) from None
    adopt_sys_path(settings["sys_path"])

    # The workers are starting by now; further imports delay nothing.
    from dagrpc import config

    config.hand_over(settings["config"])
    from dagrpc._process.service_process import apply_settings, prepare
    from dagrpc_worker.nanny.nanny_pool import host_nannies

    prepare(settings["log_level"])
    apply_settings()
    sys.exit(host_nannies(early, settings, parent))


if __name__ == "__main__":
    main()
