"""The command `dagrpc scheduler`."""

from __future__ import annotations

from typing import Any

import click

from dagrpc._cli.ignored_options import ignored, tell_of_ignored
from dagrpc._cli.option_flags import flag_values, flags_of
from dagrpc._cli.preload_options import check_preload_argv
from dagrpc._cli.tls_options import security_from, tls_options
from dagrpc._common.addresses import interface_ip, listening_place
from dagrpc._common.versions import installed_version
from dagrpc._memory.python_malloc import restart_with_malloc
from dagrpc._process.service_process import apply_settings, keep_pid_file, prepare, set_log_format
from dagrpc.security import Security
from dagrpc_scheduler.options import SchedulerOptions

DEFAULT_PORT = 8786


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("preload_argv", nargs=-1, type=click.UNPROCESSED)
@flags_of(SchedulerOptions)
@click.option("--interface", default=None, help="Network interface to listen on, such as eth0.")
@click.option("--protocol", default=None, help="Accepted: 'tcp', 'grpc' or 'tls'.")
@tls_options
@ignored("--bokeh/--no-bokeh", "--bokeh-port", why="write --dashboard and --dashboard-address")
@ignored("--jupyter/--no-jupyter", why="start Jupyter by itself")
@ignored("--show/--no-show", "--use-xheaders", why="the option has no effect")
@click.option("--pid-file", default=None, type=click.Path(dir_okay=False), help="File to write the process id to.")
@click.option("--log-level", default="INFO", show_default=True, help="Level of dagrpc's own log.")
@click.option(
    "--log-format", type=click.Choice(("text", "json")), help="Text or one JSON object a line. [default: text]"
)
@click.version_option(installed_version("dagrpc"), prog_name="dagrpc scheduler")
def scheduler(
    interface: str | None,
    protocol: str | None,
    tls_ca_file: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    token_file: str | None,
    preload_argv: tuple[str, ...],
    pid_file: str | None,
    log_level: str,
    log_format: str | None,
    **given: Any,
) -> None:
    """Run a scheduler.

    The scheduler listens on the loopback address unless --host or --interface is given.
    """
    values = flag_values(SchedulerOptions, given)
    host, port = values["host"], values["port"]
    if host and interface:
        raise click.UsageError("--host and --interface both say where to listen; give one of them")
    check_preload_argv(values["preload"], preload_argv, "scheduler")
    if click.get_current_context().parent is not None:
        # Only as a command: a program that calls this function is not restarted.
        restart_with_malloc()
    tell_of_ignored()
    prepare(log_level.upper())
    set_log_format(log_format)
    apply_settings()

    from dagrpc._auth.credentials import check_protocol
    from dagrpc_scheduler.run import serve

    try:
        security = security_from("scheduler", tls_ca_file, tls_cert, tls_key, token_file)
        check_protocol(protocol, Security(**security), "scheduler")
        listen, port = listening_place(interface_ip(interface) if interface else host or "127.0.0.1", port)
    except (ValueError, TypeError, RuntimeError) as error:
        raise click.UsageError(str(error)) from None
    values |= {
        "host": listen,
        "port": DEFAULT_PORT if port is None else port,
        "preload": values["preload"] or None,
        "preload_argv": preload_argv or None,
        "security": security,
    }
    options = SchedulerOptions(**{name: value for name, value in values.items() if value is not None})
    with keep_pid_file(pid_file):
        try:
            serve(options)
        except (OSError, ValueError) as error:
            raise click.ClickException(str(error)) from None
