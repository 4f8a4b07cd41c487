"""The command `dagrpc worker`."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any

import click

from dagrpc import config
from dagrpc._auth.credentials import check_address, check_protocol
from dagrpc._cli.ignored_options import ignored, tell_of_ignored
from dagrpc._cli.option_flags import flag_values, flags_of
from dagrpc._cli.preload_options import check_preload_argv
from dagrpc._cli.tls_options import security_from, tls_options
from dagrpc._common.addresses import (
    interface_ip,
    is_loopback,
    is_wildcard,
    listening_place,
    local_ip,
    parse_address,
    split_address,
)
from dagrpc._common.dask_config import set_here
from dagrpc._common.versions import installed_version
from dagrpc._process.child import inherited_sys_path
from dagrpc._process.machine import cpu_count, parse_memory_limit, processes_and_threads
from dagrpc._process.service_process import apply_settings, keep_pid_file, prepare, set_log_format
from dagrpc.security import Security
from dagrpc_worker.nanny.nanny_process import spawn_workers
from dagrpc_worker.options import NannyOptions, WorkerOptions
from dagrpc_worker.ports import ReservedPort, parse_ports

_PLACE = ("host", "contact_address", "scheduler_file")
"""Options of workers that `_where` handles."""


def _ports(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """Return the first and the last port of a range."""
    if value is None:
        return None
    try:
        return parse_ports(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _worker_count(_: click.Context, __: click.Parameter, value: str | None) -> int | str | None:
    """Return a number of workers, or ``auto``. A negative number counts from the number of processors: -1 is all."""
    if value is None or value == "auto":
        return value
    try:
        count = int(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither a number nor 'auto'") from None
    if count < 0:
        count += cpu_count() + 1
    if count < 1:
        raise click.BadParameter(f"{value} makes no workers on a machine with {cpu_count()} processors")
    return count


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("scheduler", required=False)
@click.argument("preload_argv", nargs=-1, type=click.UNPROCESSED)
@flags_of(WorkerOptions)
@flags_of(NannyOptions)
@click.option("--interface", help="Network interface to listen on, such as eth0.")
@click.option("--worker-port", callback=_ports, help="Port of the worker, or a range first:last. [default: any]")
@click.option("--nworkers", callback=_worker_count, default="1", show_default=True, help="How many, -N, or 'auto'.")
@click.option("--listen-address", help="host:port to listen on; stands for --host and --worker-port.")
@click.option("--protocol", help="Accepted: 'tcp', 'grpc' or 'tls'.")
@tls_options
@click.option("--allow-call", multiple=True, help="Function that callers may name, or a pattern: package.module:*.")
@click.option("--nprocs", hidden=True, callback=_worker_count, help="Older name of --nworkers.")
@ignored("--bokeh/--no-bokeh", "--bokeh-port", why="write --dashboard and --dashboard-address")
@ignored("--scheduler-sni", why="comm.tls.server-name says which name certificates have to have")
@ignored("--reconnect/--no-reconnect", why="a worker whose scheduler is gone closes; its nanny starts another")
@click.option("--nanny/--no-nanny", default=True, show_default=True, help="Start each worker in a watched process.")
@click.option("--pid-file", type=click.Path(dir_okay=False), help="File to write the process id to.")
@click.option("--log-level", default="INFO", show_default=True, help="Level of dagrpc's own log.")
@click.option(
    "--log-format", type=click.Choice(("text", "json")), help="Text or one JSON object a line. [default: text]"
)
@click.version_option(installed_version("dagrpc"), prog_name="dagrpc worker")
def worker(
    scheduler: str | None,
    nworkers: int | str,
    nprocs: int | str | None,
    nthreads: int | None,
    nanny: bool,
    pid_file: str | None,
    log_level: str,
    log_format: str | None,
    preload: tuple[str, ...],
    preload_nanny: tuple[str, ...],
    preload_argv: tuple[str, ...],
    allow_call: tuple[str, ...],
    **given: Any,
) -> None:
    """Run workers for the scheduler at the address SCHEDULER, or named in --scheduler-file.

    Where neither is given, the setting `scheduler-address` counts, also as DASK_SCHEDULER_ADDRESS.
    """
    tell_of_ignored()
    if scheduler and given["scheduler_file"] and (preload or preload_nanny):
        # --scheduler-file names the scheduler, so the positional argument belongs to the preloads.
        preload_argv = (scheduler, *preload_argv)
        scheduler = None
    if not scheduler and not given["scheduler_file"]:
        scheduler = config.look_up("scheduler-address")
    check_preload_argv(preload + preload_nanny, preload_argv, "worker")
    prepare(_checked_level(log_level))
    set_log_format(log_format)
    apply_settings()
    nworkers = nworkers if nprocs is None else nprocs
    if nworkers == "auto":
        count, threads = processes_and_threads(cpu_count())
        threads = nthreads or threads
    else:
        count = int(nworkers)
        threads = nthreads or max(1, cpu_count() // count)
    if count > 1 and not nanny:
        raise click.UsageError("--no-nanny runs one worker, in this process; it does not go with --nworkers above 1")
    settings = {**_where(scheduler, nanny_port=given.pop("port"), **given), "log_level": log_level.upper()}
    values = flag_values(WorkerOptions, {**given, "nthreads": threads, "preload": preload})
    settings["workers"] = _specs(count, threads, values)
    for spec in settings["workers"]:
        spec |= {"preload": preload or None, "preload_argv": preload_argv or None}
    settings |= {"preload_nanny": preload_nanny or None, "preload_nanny_argv": preload_argv or None}
    security = _security(scheduler, **given)
    for spec in settings["workers"]:
        spec["security"] = security or None
    if allow_call:
        os.environ["DAGRPC_ALLOWED_CALLS"] = json.dumps(allow_call)
    with keep_pid_file(pid_file):
        try:
            code = _run_nannies(settings) if nanny else _run_worker(settings)
        except OSError as error:
            raise click.ClickException(str(error)) from None
    sys.exit(code)


def _checked_level(name: str) -> str:
    if not isinstance(logging.getLevelName(name.upper()), int):
        raise click.BadParameter(f"{name!r} is not a level of logging", param_hint="--log-level")
    return name.upper()


def _security(
    scheduler: str | None,
    protocol: str | None,
    tls_ca_file: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    token_file: str | None,
    **_: Any,
) -> dict[str, Any]:
    """Return the fields of the worker's `Security`."""
    fields = security_from("worker", tls_ca_file, tls_cert, tls_key, token_file)
    try:
        check_protocol(protocol, Security(**fields), "worker")
        check_address(scheduler, Security(**fields), "worker")
    except (ValueError, TypeError, RuntimeError) as error:
        raise click.UsageError(str(error)) from None
    return fields


def _where(
    scheduler: str | None,
    host: str | None,
    interface: str | None,
    scheduler_file: str | None,
    contact_address: str | None,
    worker_port: tuple[int, int] | None,
    nanny_port: tuple[int, int] | None,
    listen_address: str | None,
    **_: Any,
) -> dict[str, Any]:
    """Return the settings for the scheduler's address and for the addresses to listen on."""
    if bool(scheduler) == bool(scheduler_file):
        raise click.UsageError(
            "Name the scheduler by its address or by --scheduler-file, one of the two; or by the setting "
            "scheduler-address, as in DASK_SCHEDULER_ADDRESS=host:8786"
        )
    if listen_address:
        if host or interface or worker_port:
            raise click.UsageError("--listen-address stands for --host and --worker-port; leave them out")
        host = listen_address
    if host and interface:
        raise click.UsageError("--host and --interface both say where to listen; give one of them")
    try:
        if host:
            host, port = listening_place(host)
            if port is not None and worker_port:
                raise ValueError(f"The worker's port is named twice: in --host, and as --worker-port {worker_port[0]}")
            worker_port = worker_port or (None if port is None else (port, port))
        address = parse_address(scheduler) if scheduler else ""
        listen = interface_ip(interface) if interface else host or _default_host(address, scheduler_file)
        contact_host = split_address(contact_address)[0] if contact_address else ""
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return {
        "scheduler_address": address,
        "scheduler_file": scheduler_file or "",
        "host": listen,
        "contact_host": contact_host,
        "contact_address": contact_address or "",
        "worker_ports": worker_port,
        "nanny_ports": nanny_port,
    }


def _default_host(scheduler: str, scheduler_file: str | None) -> str:
    """Return the loopback address if the scheduler is there, otherwise this host's address on the route to it."""
    if scheduler_file:
        try:
            scheduler = parse_address(json.loads(Path(scheduler_file).read_text())["address"])
        except (OSError, ValueError, KeyError, TypeError):
            # The file does not exist yet. A scheduler that writes a file readable here is most likely on this host.
            return "127.0.0.1"
    host = split_address(scheduler)[0]
    if is_loopback(scheduler):
        return "127.0.0.1"
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        # The scheduler's name may be registered later; until then, the default route is the best guess.
        return local_ip()
    return local_ip(host)


def _specs(count: int, nthreads: int, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the options of each worker that do not depend on addresses."""
    given = values["memory_limit"]
    try:
        values["memory_limit"] = parse_memory_limit(given, nthreads, count)
    except ValueError as error:
        raise click.BadParameter(f"{given!r}: {error}", param_hint="--memory-limit") from None
    common = {name: value for name, value in values.items() if name not in _PLACE}
    if count == 1:
        return [common]
    name = values["name"]
    return [{**common, "name": f"{name}-{index}" if name else None} for index in range(count)]


def _run_nannies(settings: dict[str, Any]) -> int:
    """Run each worker in a process of its own, and its nanny in this process."""
    if settings["contact_address"] and len(settings["workers"]) == 1:
        settings["workers"][0]["contact_address"] = settings["contact_address"]
    elif settings["contact_host"]:
        for spec in settings["workers"]:
            spec["contact_address"] = settings["contact_host"]
    if is_wildcard(settings["host"]) and not settings["contact_host"]:
        settings["contact_host"] = local_ip(split_address(settings["scheduler_address"])[0] or "8.8.8.8")
    settings["sys_path"] = inherited_sys_path()
    settings["config"] = set_here()
    settings["environ"] = config.worker_environ()
    early = spawn_workers(settings)

    from dagrpc_worker.nanny.nanny_pool import host_nannies

    return host_nannies(early, settings)


def _run_worker(settings: dict[str, Any]) -> int:
    """Run one worker in this process."""
    from dagrpc._loop.io_loop import run_service
    from dagrpc_worker.run import SIGNALLED, prepare_process, run_to_exit

    prepare_process(settings["log_level"])
    first, last = settings["worker_ports"] or (0, 0)
    reserved = ReservedPort(settings["host"], range(first, last + 1))
    spec = {name: value for name, value in settings["workers"][0].items() if value is not None}
    options = WorkerOptions(
        scheduler_address=settings["scheduler_address"],
        scheduler_file=settings["scheduler_file"],
        host=settings["host"],
        port=reserved.port,
        contact_address=settings["contact_address"],
        **spec,
    )
    code = run_service(run_to_exit(options))
    return 0 if code == SIGNALLED else code
