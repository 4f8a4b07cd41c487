"""The command `dagrpc scheduler`."""

from __future__ import annotations

import click

from dagrpc._cli.ignored_options import ignored, tell_of_ignored
from dagrpc._cli.preload_options import check_preload_argv
from dagrpc._cli.tls_options import security_from, tls_options
from dagrpc._common.addresses import interface_ip, listening_place
from dagrpc._common.versions import installed_version
from dagrpc._memory.python_malloc import restart_with_malloc
from dagrpc._process.service_process import apply_settings, keep_pid_file, prepare
from dagrpc.security import Security

DEFAULT_PORT = 8786
_NO_PAGES = "the scheduler has no pages yet"


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("preload_argv", nargs=-1, type=click.UNPROCESSED)
@click.option("--host", default=None, help="Address to listen on. [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="Port; 0: a free one. [default: 8786]")
@click.option("--interface", default=None, help="Network interface to listen on, such as eth0.")
@click.option("--contact-address", default=None, help="host:port under which others reach the scheduler.")
@click.option("--scheduler-file", default=None, type=click.Path(dir_okay=False), help="File to write the address to.")
@click.option("--protocol", default=None, help="Accepted: 'tcp', 'grpc' or 'tls'.")
@tls_options
@ignored("--dashboard/--no-dashboard", "--bokeh/--no-bokeh", why=_NO_PAGES)
@ignored("--dashboard-address", "--bokeh-port", "--dashboard-prefix", why=_NO_PAGES)
@ignored("--jupyter/--no-jupyter", why="start Jupyter by itself")
@ignored("--show/--no-show", "--use-xheaders", why="it has meant nothing for long")
@click.option("--allow-code/--no-allow-code", default=False, help="Let clients run code on the scheduler.")
@click.option("--idle-timeout", default=None, help="Stop after so long without work, such as '10 minutes'.")
@click.option("--preload", multiple=True, help="Module, file, URL or code to run first; gets PRELOAD_ARGV.")
@click.option("--pid-file", default=None, type=click.Path(dir_okay=False), help="File to write the process id to.")
@click.option("--log-level", default="INFO", show_default=True, help="Level of dagrpc's own log.")
@click.version_option(installed_version("dagrpc"), prog_name="dagrpc scheduler")
def scheduler(
    host: str | None,
    port: int | None,
    interface: str | None,
    contact_address: str | None,
    scheduler_file: str | None,
    protocol: str | None,
    tls_ca_file: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    token_file: str | None,
    allow_code: bool,
    idle_timeout: str | None,
    preload: tuple[str, ...],
    preload_argv: tuple[str, ...],
    pid_file: str | None,
    log_level: str,
) -> None:
    """Run a scheduler.

    It listens on the loopback address unless --host or --interface says otherwise.
    """
    if host and interface:
        raise click.UsageError("--host and --interface both say where to listen; give one of them")
    check_preload_argv(preload, preload_argv, "scheduler")
    if click.get_current_context().parent is not None:
        # Not if a program has called this.
        restart_with_malloc()
    tell_of_ignored()
    prepare(log_level.upper())
    apply_settings()

    from dagrpc import config
    from dagrpc._auth.credentials import check_protocol
    from dagrpc_scheduler.run import serve
    from dagrpc_scheduler.shell.service import SchedulerOptions

    try:
        security = security_from("scheduler", tls_ca_file, tls_cert, tls_key, token_file)
        check_protocol(protocol, Security(**security), "scheduler")
        listen, port = listening_place(interface_ip(interface) if interface else host or "127.0.0.1", port)
        idle = config.seconds(idle_timeout)
    except (ValueError, TypeError, RuntimeError) as error:
        raise click.UsageError(str(error)) from None
    options = SchedulerOptions(
        host=listen,
        port=DEFAULT_PORT if port is None else port,
        contact_address=contact_address,
        scheduler_file=scheduler_file,
        allow_code=allow_code,
        idle_timeout=idle,
        preload=preload or None,
        preload_argv=preload_argv or None,
        security=security,
    )
    with keep_pid_file(pid_file):
        try:
            serve(options)
        except (OSError, ValueError) as error:
            raise click.ClickException(str(error)) from None
