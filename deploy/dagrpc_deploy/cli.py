"""The commands `dagrpc spec` and `dagrpc ssh`."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import click

from dagrpc._common.versions import installed_version
from dagrpc._process.service_process import prepare


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("args", nargs=-1)
@click.option("--spec", "text", default=None, help='JSON or YAML: {"cls": "dagrpc.Worker", "opts": {...}}, or by name.')
@click.option("--spec-file", default=None, type=click.Path(dir_okay=False, exists=True), help="A file with that.")
@click.option("--watch-stdin", is_flag=True, help="End at the end of standard input.")
@click.option("--read-security", is_flag=True, help="Read a Security from there first: a line of JSON.")
@click.option("--log-level", default="INFO", show_default=True, help="Level of dagrpc's own log.")
@click.version_option(installed_version("dagrpc"), prog_name="dagrpc spec")
def spec(
    args: tuple[str, ...],
    text: str | None,
    spec_file: str | None,
    watch_stdin: bool,
    read_security: bool,
    log_level: str,
) -> None:
    """Run servers of any class in this process. ARGS go to each, such as the scheduler's address."""
    from dagrpc._loop.io_loop import run_service
    from dagrpc_deploy import run_spec as running

    prepare(log_level.upper())
    try:
        specs = running.read_spec(text, spec_file)
        security = running.read_security() if read_security else None
        run_service(running.run_spec(lambda: running.make(specs, args, security), watch_stdin))
    except (ValueError, TypeError, OSError, RuntimeError, NotImplementedError) as error:
        raise click.ClickException(str(error)) from None


@click.command()
@click.argument("hostnames", nargs=-1)
@click.option("--scheduler", default=None, help="Host of the scheduler. [default: the first of HOSTNAMES]")
@click.option("--scheduler-port", default=8786, show_default=True, help="The scheduler's port.")
@click.option("--nthreads", default=None, type=click.IntRange(1), help="Threads of each worker. [default: all]")
@click.option("--nworkers", default=1, show_default=True, type=click.IntRange(1), help="Workers on each host.")
@click.option("--hostfile", default=None, type=click.Path(dir_okay=False, exists=True), help="File with a host a line.")
@click.option("--ssh-username", default=None, help="User on the hosts.")
@click.option("--ssh-port", default=22, show_default=True, help="Port of the SSH servers.")
@click.option("--ssh-private-key", default=None, help="File with the key.")
@click.option("--ssh-known-hosts", default=None, help="File with the hosts' keys; 'none' trusts every host.")
@click.option("--nohost", is_flag=True, help="Have workers choose the address that they listen on.")
@click.option("--log-directory", default=None, type=click.Path(file_okay=False), help="Directory here for the logs.")
@click.option("--local-directory", default=None, help="Where workers keep temporary files.")
@click.option("--remote-python", default=None, help="Python on the hosts. [default: the path of this one]")
@click.option("--memory-limit", default="auto", show_default=True, help="Of each worker.")
@click.option("--worker-port", default=None, help="Port of the workers, or a range first:last.")
@click.option("--nanny-port", default=None, help="Port of the nannies, or a range first:last.")
@click.option("--remote-dask-worker", default="dagrpc.Nanny", show_default=True, help="Class of the workers.")
@click.version_option(installed_version("dagrpc"), prog_name="dagrpc ssh")
def ssh(hostnames: tuple[str, ...], hostfile: str | None, scheduler: str | None, **given: Any) -> None:
    """Run a cluster on HOSTNAMES over SSH until this is interrupted. The first host runs the scheduler, too."""
    hosts = [*hostnames]
    if hostfile:
        hosts += [line.strip() for line in Path(hostfile).read_text().splitlines() if line.strip()]
    if not hosts:
        raise click.UsageError("Name the hosts, or a file with their names: --hostfile")
    prepare("INFO")
    if given["log_directory"]:
        _log_to(Path(given["log_directory"]))
    try:
        _run_ssh(scheduler or hosts[0], hosts, given)
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        raise click.ClickException(str(error)) from None


def _run_ssh(scheduler: str, hosts: list[str], given: dict[str, Any]) -> None:
    from dagrpc_deploy.ssh import SSHCluster

    connect: dict[str, Any] = {"port": given["ssh_port"]}
    if given["ssh_username"]:
        connect["username"] = given["ssh_username"]
    if given["ssh_private_key"]:
        connect["client_keys"] = [given["ssh_private_key"]]
    if given["ssh_known_hosts"]:
        connect["known_hosts"] = None if given["ssh_known_hosts"] == "none" else given["ssh_known_hosts"]
    options = {
        "nthreads": given["nthreads"],
        "n_workers": given["nworkers"],
        "local_directory": given["local_directory"],
        "memory_limit": given["memory_limit"],
        "worker_port": given["worker_port"],
        "port": given["nanny_port"],
    }
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with SSHCluster(
        [scheduler, *hosts],
        connect_options=connect,
        worker_options={name: value for name, value in options.items() if value is not None},
        scheduler_options={"port": given["scheduler_port"]},
        worker_class=given["remote_dask_worker"],
        remote_python=given["remote_python"],
    ) as cluster:
        click.echo(f"Scheduler at: {cluster.scheduler_address}")
        click.echo(f"Workers on: {', '.join(hosts)}. Interrupt this to end the cluster.")
        sys.stdout.flush()
        stopped.wait()


def _log_to(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(directory / "dagrpc-ssh.log")
    handler.setFormatter(logging.Formatter("%(asctime)s - %(name)s - %(levelname)s - %(message)s"))
    logging.getLogger("dagrpc").addHandler(handler)
