"""The options of the commands `dagrpc spec` and `dagrpc ssh`: the tables behind both and docs/options.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagrpc._process.service_options import Flag, option


@dataclass(slots=True, kw_only=True)
class SpecOptions:
    """The options of `dagrpc spec`."""

    spec: str | None = option(
        'Specification as JSON or YAML: `{"cls": "dagrpc.Worker", "opts": {...}}`, or several by name.',
        None,
        flag=Flag("--spec"),
    )
    spec_file: str | None = option(
        "File with the specification.", None, flag=Flag("--spec-file", path="file", exists=True)
    )
    watch_stdin: bool = option("End at the end of standard input.", False, flag=Flag("--watch-stdin", switch=True))
    read_security: bool = option(
        "Read the fields of a `Security` from the first line of standard input, as JSON.",
        False,
        flag=Flag("--read-security", switch=True),
    )
    lease_file: str | None = option(
        "End when this file has not changed for `--lease`.", None, flag=Flag("--lease-file")
    )
    lease: int = option(
        "Seconds for which the file of `--lease-file` may stay as it is.", 300, flag=Flag("--lease", bounds=(1, None))
    )
    log_level: str = option("Level of dagrpc's own log.", "INFO", convert=str.upper, flag=Flag("--log-level"))


@dataclass(slots=True, kw_only=True)
class SSHOptions:
    """The options of `dagrpc ssh`."""

    scheduler: str | None = option(
        "Host of the scheduler; None: the first of the hosts.", None, flag=Flag("--scheduler")
    )
    scheduler_port: int = option(
        "Port of the scheduler; 0: a free one.", 8786, flag=Flag("--scheduler-port", bounds=(0, 65535))
    )
    nthreads: int | None = option(
        "Threads of each worker; None: the number of processors.", None, flag=Flag("--nthreads", bounds=(1, None))
    )
    nworkers: int = option("Workers on each host.", 1, flag=Flag("--nworkers", bounds=(1, None)))
    hostfile: str | None = option(
        "File with more hosts, one a line.", None, flag=Flag("--hostfile", path="file", exists=True)
    )
    ssh_username: str | None = option("User on the hosts.", None, flag=Flag("--ssh-username"))
    ssh_port: int = option("Port of the SSH servers.", 22, flag=Flag("--ssh-port", bounds=(1, 65535)))
    ssh_private_key: str | None = option("File with the private key.", None, flag=Flag("--ssh-private-key"))
    ssh_known_hosts: str | None = option(
        "File with the hosts' keys; `none` trusts every host.", None, flag=Flag("--ssh-known-hosts")
    )
    nohost: bool = option(
        "Accepted; workers choose the address that they listen on anyway.", False, flag=Flag("--nohost", switch=True)
    )
    log_directory: str | None = option(
        "Directory on this machine for the log.", None, flag=Flag("--log-directory", path="directory")
    )
    local_directory: str | None = option(
        "Directory of workers for temporary files.", None, flag=Flag("--local-directory")
    )
    remote_python: str | None = option(
        "Python on the hosts; None: the path of this one.", None, flag=Flag("--remote-python")
    )
    memory_limit: str = option(
        "Memory of each worker: bytes, `4 GiB`, `0.5`, `auto` or `0`.", "auto", flag=Flag("--memory-limit")
    )
    worker_port: str | None = option(
        "Port of the workers, or a range `first:last`; None: any free port.", None, flag=Flag("--worker-port")
    )
    nanny_port: str | None = option(
        "Port of the nannies, or a range `first:last`; None: any free port.", None, flag=Flag("--nanny-port")
    )
    remote_dask_worker: str = option("Class of the workers.", "dagrpc.Nanny", flag=Flag("--remote-dask-worker"))

    def hosts(self, named: tuple[str, ...]) -> list[str]:
        """Return the named hosts and those in `hostfile`."""
        lines = Path(self.hostfile).read_text(encoding="utf-8").splitlines() if self.hostfile else []
        return [*named, *(line.strip() for line in lines if line.strip())]

    def connect_options(self) -> dict[str, Any]:
        """Return the arguments of ``asyncssh.connect``."""
        found: dict[str, Any] = {"port": self.ssh_port}
        if self.ssh_username:
            found["username"] = self.ssh_username
        if self.ssh_private_key:
            found["client_keys"] = [self.ssh_private_key]
        if self.ssh_known_hosts:
            found["known_hosts"] = None if self.ssh_known_hosts == "none" else self.ssh_known_hosts
        return found

    def worker_options(self) -> dict[str, Any]:
        """Return the options of the workers."""
        found = {
            "nthreads": self.nthreads,
            "n_workers": self.nworkers,
            "local_directory": self.local_directory,
            "memory_limit": self.memory_limit,
            "worker_port": self.worker_port,
            "port": self.nanny_port,
        }
        return {name: value for name, value in found.items() if value is not None}
