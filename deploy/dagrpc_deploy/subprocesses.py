"""SubprocessCluster: a scheduler and workers as processes of the command `dagrpc spec`."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from dagrpc._process.child import inherited_sys_path
from dagrpc._process.logging_config import level_number
from dagrpc._process.machine import cpu_count, processes_and_threads
from dagrpc_deploy.spec import SpecCluster
from dagrpc_deploy.spec_process import Running, SpecProcess, security_for


class Subprocess(SpecProcess):
    """Servers in a process of their own on this machine."""

    async def _open(self, arguments: Sequence[str], environ: Mapping[str, str]) -> Running:
        path = os.pathsep.join(entry for entry in inherited_sys_path() if entry)
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, **environ},
            # Ctrl-C in a terminal goes to the whole process group; only the cluster reacts to it.
            start_new_session=True,
        )


class SubprocessScheduler(Subprocess):
    """A scheduler in a process of its own. `options` go to `Scheduler`."""

    def __init__(self, security: Mapping[str, Any] | None = None, **options: Any) -> None:
        spec = {"cls": "dagrpc.Scheduler", "opts": {"allow_code": True, **options}}
        super().__init__({"scheduler": spec}, security=security)
        # A scheduler takes no name.
        self._specs = {"": self._specs["scheduler"]}


class SubprocessWorker(Subprocess):
    """A worker, or a nanny with its worker, in a process of its own. `worker_kwargs` go to the class."""

    def __init__(
        self,
        scheduler: str,
        name: Any = None,
        worker_class: str = "dagrpc.Nanny",
        worker_kwargs: Mapping[str, Any] | None = None,
        security: Mapping[str, Any] | None = None,
    ) -> None:
        spec = {"cls": worker_class, "opts": {"name": str(name), **(worker_kwargs or {})}}
        super().__init__({"": spec}, scheduler, name, security)


def SubprocessCluster(
    host: str | None = None,
    scheduler_port: int = 0,
    scheduler_kwargs: Mapping[str, Any] | None = None,
    dashboard_address: str = ":8787",
    worker_class: str = "distributed.Nanny",
    n_workers: int | None = None,
    threads_per_worker: int | None = None,
    worker_kwargs: Mapping[str, Any] | None = None,
    silence_logs: int | str | bool | None = logging.WARNING,
    **kwargs: Any,
) -> SpecCluster:
    """Return a cluster of processes on this machine, each started with ``dagrpc spec``.

    Parameters
    ----------
    host : str, optional
        Address on which all processes listen; the loopback address by default.
    scheduler_port : int
        The scheduler's port; 0: a free one.
    scheduler_kwargs, worker_kwargs : mapping, optional
        Options of `Scheduler` and of the workers, which travel as JSON.
    worker_class : str
        Name of the workers' class.
    n_workers, threads_per_worker : int, optional
        Number of workers, and threads of each; by default they suit the machine.
    silence_logs : int, str or bool
        Level from which on workers and this process show lines of dagrpc's log, or its name; None and False silence
        nothing.
    **kwargs
        Arguments of `SpecCluster`. ``security=True`` makes temporary certificates.

    Raises
    ------
    RuntimeError
        On Windows.

    Examples
    --------
    >>> from dagrpc import Client, SubprocessCluster
    >>> with SubprocessCluster(n_workers=1, threads_per_worker=1) as cluster, Client(cluster) as client:
    ...     client.submit(sum, [1, 2, 3]).result()
    6
    """
    if sys.platform == "win32":
        raise RuntimeError("SubprocessCluster does not work on Windows; use LocalCluster")
    if n_workers is None and threads_per_worker is None:
        n_workers, threads_per_worker = processes_and_threads(cpu_count())
    elif n_workers is None:
        n_workers = max(1, cpu_count() // (threads_per_worker or 1))
    threads = threads_per_worker or max(1, cpu_count() // max(n_workers, 1))
    level = level_number(silence_logs)
    where = {} if host is None else {"host": host}
    security = security_for(kwargs.pop("security", None))
    worker = {
        "cls": SubprocessWorker,
        "options": {
            **({} if security is None else {"security": security.fields_for("worker")}),
            "worker_class": worker_class,
            "worker_kwargs": {"nthreads": threads, "silence_logs": level, **where, **(worker_kwargs or {})},
        },
    }
    scheduler = {
        "cls": SubprocessScheduler,
        "options": {
            **({} if security is None else {"security": security.fields_for("scheduler")}),
            "port": scheduler_port,
            **where,
            **(scheduler_kwargs or {}),
        },
    }
    return SpecCluster(
        workers=dict.fromkeys(range(n_workers), worker),
        scheduler=scheduler,
        worker=worker,
        security=security,
        silence_logs=level,
        **_named(kwargs),
    )


def _named(options: dict[str, Any]) -> dict[str, Any]:
    return {"name": "SubprocessCluster", **options}
