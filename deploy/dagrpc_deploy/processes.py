"""A local cluster's services as processes: the scheduler in one, the nannies in another, each worker in its own.

All are spawned at once and find each other through a scheduler file in a private directory. Each watches its parent:
however this process ends, they end too.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dask.config

from dagrpc import config
from dagrpc._io import options
from dagrpc._io.channels import ServiceClient, open_channel
from dagrpc._io.credentials import credentials_of
from dagrpc._util import own_malloc
from dagrpc._util.child import Child, inherited_sys_path
from dagrpc._util.dask_config import set_here
from dagrpc._util.process_options import scheduler_fields, worker_fields
from dagrpc.security import Security
from dagrpc.v1 import nanny_service_pb2
from dagrpc.v1 import scheduler_service_pb2 as pb

_NANNY_SERVICE = nanny_service_pb2.DESCRIPTOR.services_by_name["NannyService"]


class _Watched:
    """A child process whose reports arrive on the event loop."""

    def __init__(self, module: str, settings: dict[str, Any], environment: dict[str, str] | None = None) -> None:
        self.child = Child(module, settings, environment)
        self.reports: asyncio.Queue[Any] = asyncio.Queue()
        self.exited = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._watch, name=f"dagrpc-watch-{self.child.pid}", daemon=True).start()

    def _watch(self) -> None:
        while (report := self.child.read_report()) is not None:
            self._call(self.reports.put_nowait, report)
        self.child.process.wait()
        self._call(self.reports.put_nowait, None)
        self._call(self.exited.set)

    def _call(self, function: Any, *args: Any) -> None:
        # The loop may be gone when the program ends.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *args)

    async def stop(self, timeout: float) -> None:
        """Wait for the process to end by itself; ask it to, then make it."""
        for patience, action in (
            # Seeing its parent let go, a process closes as orderly as when it is told to; a nanny that is just starting
            # its worker anew is told in no other way.
            (min(timeout, 1.0), self.child.release),
            (timeout, self.child.process.terminate),
            (2.0, self.child.process.kill),
        ):
            with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
                await asyncio.wait_for(self.exited.wait(), patience)
            if self.exited.is_set():
                break
            action()
        with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
            await asyncio.wait_for(self.exited.wait(), 5.0)
        self.child.close_pipes()


class ProcessBackend:
    """Runs a local cluster's services as processes.

    Parameters
    ----------
    host : str
        Where all of them listen.
    port : int
        The scheduler's port; 0: a free one.
    log_level : int
        Level of their logs.
    scheduler_options : mapping, optional
        What else the scheduler is told: fields of its options.
    security : Security, optional
        Of all processes; they get it through their pipes.
    """

    def __init__(
        self,
        host: str,
        port: int,
        log_level: int,
        scheduler_options: Mapping[str, Any] | None = None,
        security: Security | None = None,
    ) -> None:
        self._security = security
        self._scheduler_options = scheduler_fields(scheduler_options or {})
        self._host = host
        self._port = port
        self._log_level = log_level
        self._directory: Path | None = None
        self._scheduler: _Watched | None = None
        self._hosts: list[_Watched] = []
        self._address = ""

    def _common(self) -> dict[str, Any]:
        """Return what every child is told."""
        return {"sys_path": inherited_sys_path(), "config": set_here(), "log_level": self._log_level}

    def _security_fields(self) -> dict[str, Any] | None:
        return None if self._security is None else self._security.fields()

    async def start(self, workers: list[dict[str, Any]]) -> str:
        """Start the scheduler and workers, and return the scheduler's address."""
        self._directory = Path(tempfile.mkdtemp(prefix="dagrpc-cluster-"))
        scheduler_file = str(self._directory / "scheduler.json")
        scheduler_options = {
            "host": self._host,
            "port": self._port,
            "scheduler_file": scheduler_file,
            # It belongs to the user who runs this process.
            "allow_code": True,
            "security": self._security_fields(),
            **self._scheduler_options,
        }
        settings = {**self._common(), "options": scheduler_options}
        self._scheduler = _Watched("dagrpc_scheduler.process", settings, own_malloc.environment())
        if workers:
            self._spawn_host(workers)
        self._address = await self._scheduler_address()
        for host in self._hosts:
            await self._await_workers(host, len(workers))
        return self._address

    def _spawn_host(self, workers: list[dict[str, Any]]) -> _Watched:
        assert self._directory is not None
        common = self._common()
        environ, settings = dict(workers[0].get("env") or {}), workers[0].get("config")
        if settings:
            common["config"] = dask.config.update(dask.config.merge(common["config"]), settings)
        settings = {
            **common,
            "host": self._host,
            "scheduler_file": str(self._directory / "scheduler.json"),
            "workers": [
                worker_fields({"security": self._security_fields(), **_without_process(worker)}) for worker in workers
            ],
            "environ": config.worker_environ(),
            "own_environ": {name: str(value) for name, value in environ.items()},
        }
        host = _Watched("dagrpc_worker.nanny.host", settings)
        self._hosts.append(host)
        return host

    async def _scheduler_address(self) -> str:
        assert self._scheduler is not None
        report = await self._next_report(self._scheduler, "The scheduler")
        if report["status"] != "running":
            raise OSError(f"The scheduler did not start: {report['error']}")
        address: str = report["address"]
        return address

    async def _await_workers(self, host: _Watched, count: int) -> None:
        """Wait until a process of nannies reports that its workers have joined."""
        joined = 0
        while joined < count:
            report = await self._next_report(host, "A nanny")
            if report["status"] == "running":
                joined += 1
            elif report["status"] == "failed":
                raise RuntimeError(f"Worker {report.get('name')} did not start: {report.get('error', 'see its log')}")

    async def _next_report(self, watched: _Watched, who: str) -> Any:
        timeout = config.get_seconds("nanny.start-timeout") or 60.0
        try:
            report = await asyncio.wait_for(watched.reports.get(), timeout)
        except TimeoutError:
            raise RuntimeError(f"{who} did not start within {timeout:g} s") from None
        if report is None:
            raise RuntimeError(f"{who} ended with exit code {watched.child.process.returncode} while it started")
        return report

    async def add_workers(self, workers: list[dict[str, Any]]) -> None:
        """Start more workers."""
        await self._await_workers(self._spawn_host(workers), len(workers))

    async def drop(self, workers: Sequence[pb.WorkerInfo]) -> None:
        """Close workers, whatever they hold, and their nannies."""
        await asyncio.gather(*(self._close_nanny(worker.nanny) for worker in workers if worker.nanny))

    async def _close_nanny(self, address: str) -> None:
        channel = open_channel(address, options.CONTROL_CHANNEL, credentials_of(self._security, "client"))
        try:
            client = ServiceClient(channel, _NANNY_SERVICE, f"nanny {address}")
            request = nanny_service_pb2.CloseNannyRequest(reason="its cluster needs it no more")
            await client.call("CloseNanny", request, nanny_service_pb2.CloseNannyResponse)
        finally:
            await channel.close()

    async def close(self, timeout: float) -> None:
        """Stop everything: ask the scheduler, which tells the workers; then see that all processes end."""
        deadline = time.monotonic() + timeout
        if self._address:
            await self._shutdown(timeout)
        children = [*self._hosts, *([self._scheduler] if self._scheduler is not None else [])]
        await asyncio.gather(*(child.stop(max(0.1, deadline - time.monotonic())) for child in children))
        self._hosts, self._scheduler, self._address = [], None, ""
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    async def _shutdown(self, timeout: float) -> None:
        channel = open_channel(self._address, options.CONTROL_CHANNEL, credentials_of(self._security, "client"))
        client = ServiceClient(channel, pb.DESCRIPTOR.services_by_name["SchedulerService"], self._address)
        # A scheduler that is gone already cannot be asked; its children see that too.
        with contextlib.suppress(OSError, TimeoutError):
            await client.call(
                "Shutdown", pb.ShutdownRequest(reason="its cluster closes"), pb.ShutdownResponse, timeout=timeout
            )
        await channel.close()


def _without_process(worker: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a worker is told, without what its process is."""
    return {name: value for name, value in worker.items() if name not in ("env", "config")}
