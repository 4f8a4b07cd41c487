"""The options of a scheduler: the table behind `Scheduler`, `LocalCluster`, `dagrpc scheduler` and docs/options.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dagrpc._process.service_options import Flag, as_list, option, seconds, words


@dataclass(slots=True)
class SchedulerOptions:
    """The options of a scheduler."""

    host: str = option(
        "Host or address to listen on.",
        "127.0.0.1",
        flag=Flag("--host", "Address to listen on. [default: 127.0.0.1]"),
    )
    port: int = option(
        "Port to listen on; 0: a free one.",
        0,
        flag=Flag("--port", "Port; 0: a free one. [default: 8786]", bounds=(0, 65535)),
    )
    contact_address: str | None = option(
        "`host:port` under which others reach the scheduler; None: derived from host and port.",
        None,
        setting="scheduler.contact-address",
        flag=Flag("--contact-address", "host:port under which others reach the scheduler."),
    )
    scheduler_file: str | None = option(
        "JSON file to write the address to.",
        None,
        flag=Flag("--scheduler-file", "File to write the address to.", path="file"),
    )
    allow_code: bool = option(
        "Clients may run code on the scheduler.",
        False,
        flag=Flag("--allow-code/--no-allow-code", "Let clients run code on the scheduler.", default=False),
    )
    idle_timeout: float | None = option(
        "Seconds without work after which the scheduler stops; None: as configured.",
        None,
        setting="scheduler.idle-timeout",
        convert=seconds,
        flag=Flag("--idle-timeout", "Stop after so long without work, such as '10 minutes'."),
    )
    preload: Sequence[str] | None = option(
        "Modules, files, addresses or code to run before the scheduler starts; None: as configured.",
        None,
        setting="scheduler.preload",
        convert=as_list,
        flag=Flag("--preload", "Module, file, URL or code to run first; gets PRELOAD_ARGV.", multiple=True),
    )
    preload_argv: Sequence[str] | None = option(
        "Arguments for `preload`; None: as configured.", None, setting="scheduler.preload-argv"
    )
    worker_ttl: float | None = option(
        "Seconds of silence after which the scheduler drops a worker; None: as configured.",
        None,
        setting="scheduler.worker-ttl",
        convert=seconds,
    )
    allowed_failures: int | None = option(
        "Number of workers that may die of one task; None: as configured.", None, setting="scheduler.allowed-failures"
    )
    validate: bool = option(
        "Check all invariants after each event; slow.", False, setting="scheduler.validate", convert=bool
    )
    blocked_handlers: Sequence[str] | None = option(
        "Methods that the scheduler refuses, by dagrpc's names or distributed's; None: as configured.",
        None,
        setting="scheduler.blocked-handlers",
    )
    dashboard: bool | None = option(
        "The scheduler serves HTTP; None: as configured.",
        None,
        setting="http.enabled",
        flag=Flag("--dashboard/--no-dashboard", "Serve pages and metrics over HTTP. [default: serve]"),
    )
    dashboard_address: str | int | None = option(
        "Address of the HTTP port: `host:port`, `:port` or `port`; None: as configured.",
        None,
        setting="scheduler.dashboard.address",
        flag=Flag("--dashboard-address", "host:port, :port or port of the pages. [default: :8787]"),
    )
    http_prefix: str = option(
        "Path in front of all pages, for a proxy.",
        "",
        flag=Flag("--dashboard-prefix", "Path in front of all pages, for a proxy."),
    )
    security: Any = option("`Security`, or its fields; None: as configured.", None, secret=True)


IGNORED = words(
    """loop services service_kwargs silence_logs protocol
    transition_counter_max scheduler_sni connection_limit deserialize reconnect quiet jupyter interface"""
)
"""Arguments of distributed's scheduler that have no effect on a scheduler in a process of its own."""
