"""The commands `dagrpc spec` and `dagrpc ssh`."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import click

from dagrpc._cli.option_flags import flags_of, given_options
from dagrpc._common.versions import installed_version
from dagrpc._process.service_process import prepare
from dagrpc_deploy.options import SpecOptions, SSHOptions


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("args", nargs=-1)
@flags_of(SpecOptions)
@click.version_option(installed_version("dagrpc"), prog_name="dagrpc spec")
def spec(args: tuple[str, ...], **given: Any) -> None:
    """Run servers of any class in this process. ARGS go to each, such as the scheduler's address."""
    from dagrpc._loop.io_loop import run_service
    from dagrpc_deploy import run_spec as running

    options: SpecOptions = given_options(SpecOptions, given)
    prepare(options.log_level)
    try:
        specs = running.read_spec(options.spec, options.spec_file)
        security = running.read_security() if options.read_security else None
        lease = (options.lease_file, options.lease) if options.lease_file else None
        run_service(running.run_spec(lambda: running.make(specs, args, security), options.watch_stdin, lease))
    except (ValueError, TypeError, OSError, RuntimeError, NotImplementedError) as error:
        raise click.ClickException(str(error)) from None


@click.command()
@click.argument("hostnames", nargs=-1)
@flags_of(SSHOptions)
@click.version_option(installed_version("dagrpc"), prog_name="dagrpc ssh")
def ssh(hostnames: tuple[str, ...], **given: Any) -> None:
    """Run a cluster on HOSTNAMES over SSH until this command is interrupted. The first host also runs the scheduler."""
    options: SSHOptions = given_options(SSHOptions, given)
    hosts = options.hosts(hostnames)
    if not hosts:
        raise click.UsageError("Name the hosts, or a file with their names: --hostfile")
    prepare("INFO")
    if options.log_directory:
        _log_to(Path(options.log_directory))
    try:
        _run_ssh(hosts, options)
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        raise click.ClickException(str(error)) from None


def _run_ssh(hosts: list[str], options: SSHOptions) -> None:
    from dagrpc_deploy.ssh import SSHCluster

    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with SSHCluster(
        [options.scheduler or hosts[0], *hosts],
        connect_options=options.connect_options(),
        worker_options=options.worker_options(),
        scheduler_options={"port": options.scheduler_port},
        worker_class=options.remote_dask_worker,
        remote_python=options.remote_python,
    ) as cluster:
        click.echo(f"Scheduler at: {cluster.scheduler_address}")
        click.echo(f"Workers on: {', '.join(hosts)}. Interrupt this command to end the cluster.")
        sys.stdout.flush()
        stopped.wait()


def _log_to(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(directory / "dagrpc-ssh.log")
    handler.setFormatter(logging.Formatter("%(asctime)s - %(name)s - %(levelname)s - %(message)s"))
    logging.getLogger("dagrpc").addHandler(handler)
