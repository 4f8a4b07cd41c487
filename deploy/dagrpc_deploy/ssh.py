"""SSHCluster: a scheduler and workers on machines that are reached by SSH."""

from __future__ import annotations

import importlib
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from dagrpc._common.addresses import is_loopback
from dagrpc_deploy.spec import SpecCluster
from dagrpc_deploy.spec_process import Running, SpecProcess, security_for


class SSHProcess(SpecProcess):
    """Servers on another machine, which end with the connection to it. `connect_options` go to ``asyncssh.connect``."""

    def __init__(
        self,
        host: str,
        connect_options: Mapping[str, Any],
        remote_python: str,
        specs: Mapping[str, Mapping[str, Any]],
        scheduler: str | None = None,
        name: Any = None,
        security: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(specs, scheduler, name, security)
        self._host = host
        self._connect_options = dict(connect_options)
        self._python = remote_python
        self._connection: Any = None

    async def _open(self, arguments: Sequence[str], environ: Mapping[str, str]) -> Running:
        asyncssh = _asyncssh()
        try:
            self._connection = await asyncssh.connect(self._host, **self._connect_options)
        except (OSError, asyncssh.Error) as error:
            raise RuntimeError(f"Cannot connect to {self._host} by SSH: {error}") from error
        variables = [f"{name}={value}" for name, value in environ.items()]
        command = shlex.join(["env", *variables, self._python, *arguments])
        process: Running = await self._connection.create_process(command, encoding=None)
        return process

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            await connection.wait_closed()

    def _where(self) -> str:
        return f"a process on {self._host}"


class SSHScheduler(SSHProcess):
    """A scheduler on another machine. `options` go to `Scheduler`."""

    def __init__(
        self,
        host: str,
        connect_options: Mapping[str, Any],
        remote_python: str,
        options: Mapping[str, Any],
        security: Mapping[str, Any] | None = None,
    ) -> None:
        spec = {"cls": "dagrpc.Scheduler", "opts": dict(options)}
        super().__init__(host, connect_options, remote_python, {"": spec}, security=security)


class SSHWorker(SSHProcess):
    """A worker, or several, on another machine. `options` go to the class; ``n_workers`` is the number of workers."""

    def __init__(
        self,
        scheduler: str,
        host: str,
        connect_options: Mapping[str, Any],
        remote_python: str,
        worker_class: str,
        options: Mapping[str, Any],
        name: Any = None,
        security: Mapping[str, Any] | None = None,
    ) -> None:
        given = dict(options)
        count = given.pop("n_workers", 1)
        names = [str(name)] if count == 1 else [f"{name}-{index}" for index in range(count)]
        specs = {each: {"cls": worker_class, "opts": given} for each in names}
        super().__init__(host, connect_options, remote_python, specs, scheduler, name, security)


def SSHCluster(
    hosts: Sequence[str] | None = None,
    connect_options: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    worker_options: Mapping[str, Any] | None = None,
    scheduler_options: Mapping[str, Any] | None = None,
    worker_class: str = "distributed.Nanny",
    remote_python: str | Sequence[str | None] | None = None,
    **kwargs: Any,
) -> SpecCluster:
    """Return a cluster on machines that are reached by SSH.

    The machines need the same version of dagrpc. The servers end with the connection. Needs asyncssh:
    ``pip install dagrpc[ssh]``.

    Parameters
    ----------
    hosts : list of str
        The first host runs the scheduler, each other host workers. A host may be named several times.
    connect_options : mapping or list of mappings, optional
        Arguments of ``asyncssh.connect``: ``username``, ``port``, ``client_keys``, ``known_hosts``, ...; for all hosts,
        or one mapping for each.
    worker_options : mapping, optional
        Options of the workers, which travel as JSON; ``n_workers`` is the number of workers on each host.
    scheduler_options : mapping, optional
        Options of `Scheduler`. It listens on all addresses of its host unless all hosts are this machine.
    worker_class : str
        Name of the workers' class.
    remote_python : str or list of str, optional
        Python on the hosts; by default the path of this Python.
    **kwargs
        Arguments of `SpecCluster`. ``security=True`` makes temporary certificates. Certificates and tokens travel over
        SSH.

    Raises
    ------
    ValueError
        If there are no hosts.
    RuntimeError
        If there are not as many options as hosts, or a server does not start.
    ImportError
        If asyncssh is not installed.

    Examples
    --------
    ::

        cluster = SSHCluster(
            ["node-1", "node-1", "node-2"],
            connect_options={"username": "dask"},
            worker_options={"nthreads": 4, "n_workers": 2},
        )
        client = Client(cluster)
    """
    if not hosts:
        raise ValueError("hosts must name a host for the scheduler and one for each worker; got none")
    if isinstance(hosts, str):
        raise ValueError(f"hosts must be a list of names; got the text {hosts!r}")
    _asyncssh()
    connect = _each(hosts, connect_options, "connect_options", Mapping)
    pythons = _each(hosts, remote_python, "remote_python", str)
    security = security_for(kwargs.pop("security", None))
    local = all(host == "localhost" or is_loopback(host) for host in hosts)
    scheduler = {
        "cls": SSHScheduler,
        "options": {
            "host": hosts[0],
            "connect_options": connect[0] or {},
            "remote_python": pythons[0] or sys.executable,
            **({} if security is None else {"security": security.fields_for("scheduler")}),
            "options": {"host": "127.0.0.1" if local else "0.0.0.0", **(scheduler_options or {})},
        },
    }
    count = (worker_options or {}).get("n_workers", 1)
    workers: dict[Any, dict[str, Any]] = {}
    for index, host in enumerate(hosts[1:]):
        workers[index] = {
            "cls": SSHWorker,
            "options": {
                "host": host,
                "connect_options": connect[index + 1] or {},
                "remote_python": pythons[index + 1] or sys.executable,
                "worker_class": worker_class,
                "options": dict(worker_options or {}),
                **({} if security is None else {"security": security.fields_for("worker")}),
            },
        }
        if count > 1:
            workers[index]["group"] = [f"-{number}" for number in range(count)]
    return SpecCluster(workers=workers, scheduler=scheduler, security=security, **{"name": "SSHCluster", **kwargs})


def _asyncssh() -> Any:
    """Return asyncssh; raise ImportError if it is not installed."""
    try:
        return importlib.import_module("asyncssh")
    except ImportError:
        raise ImportError("SSHCluster needs asyncssh: pip install dagrpc[ssh]") from None


def _each(hosts: Sequence[str], given: Any, what: str, single: type) -> list[Any]:
    """Return one value for each host; a value that is not a list holds for all hosts."""
    if given is None or isinstance(given, single):
        return [given] * len(hosts)
    found = list(given)
    if len(found) != len(hosts):
        raise RuntimeError(f"{what} has {len(found)} entries for {len(hosts)} hosts; give one for each, or one for all")
    return found
