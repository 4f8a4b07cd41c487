"""The scheduler of a local cluster in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import Any, NoReturn

from dagrpc import config
from dagrpc._auth.credentials import credentials_of, shown_address
from dagrpc._client.cluster_description import describe_cluster
from dagrpc._common.addresses import is_wildcard, join_address, local_ip
from dagrpc._common.dask_config import set_here
from dagrpc._common.server_status import Status
from dagrpc._loop.io_loop import get_loop
from dagrpc._memory import python_malloc
from dagrpc._process.child import Child, inherited_sys_path
from dagrpc._process.logging_config import level_number
from dagrpc._process.service_options import process_fields
from dagrpc._rpc import grpc_options
from dagrpc._rpc.channels import ServiceClient, open_channel
from dagrpc.security import Security
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_deploy.process_interface import ProcessInterface
from dagrpc_deploy.worker_view import WorkerView
from dagrpc_scheduler.options import IGNORED, SchedulerOptions
from dagrpc_worker.ports import ReservedPort

_SERVICE = pb.DESCRIPTOR.services_by_name["SchedulerService"]
_ASK_LIMIT = 5.0
_CLOSE_LIMIT = 10.0


class SchedulerProcess(ProcessInterface):
    """The handle of a scheduler in a process of its own.

    The handle has `address`, `status`, `workers`, `identity` and `close`. All other attributes of `Scheduler` are in
    the other process, where `Client.run_on_scheduler` reads them. The process ends when its parent ends.

    Parameters
    ----------
    host : str
        Address to listen on.
    port : int
        Port to listen on; 0: a free one.
    security : Security, optional
        Security of the process, which gets it through a pipe.
    silence_logs : int, str or bool, optional
        Level of the scheduler's log.
    **scheduler_options
        Options of `Scheduler`.

    Raises
    ------
    TypeError
        If an argument is unknown.

    Examples
    --------
    >>> with LocalCluster(n_workers=1, threads_per_worker=1) as cluster:
    ...     scheduler = cluster.scheduler
    ...     scheduler.address == cluster.scheduler_address
    ...     [(worker.name, worker.nthreads) for worker in scheduler.workers.values()]
    True
    [(0, 1)]
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        security: Any = None,
        silence_logs: int | str | bool | None = None,
        **scheduler_options: Any,
    ) -> None:
        super().__init__(name="scheduler")
        self.security = None if security is None else Security.of(security)
        self._host, self._port = host, port
        self._log_level = level_number(silence_logs)
        self._options = process_fields(
            SchedulerOptions,
            scheduler_options,
            "A scheduler in a process of its own",
            IGNORED,
            hint="; with processes=False it is in this one and takes all that Scheduler takes",
        )
        self._reserved: ReservedPort | None = None
        self._child: Child | None = None
        self._reports: asyncio.Queue[Any] = asyncio.Queue()
        self._exited = asyncio.Event()

    # --- life ---

    def spawn(self) -> None:
        """Start the process, and set `address` before it serves; raise OSError if the port is taken. On the loop."""
        self._reserved = ReservedPort(self._host, (self._port,))
        told = {
            # The scheduler belongs to the user who runs this process.
            "allow_code": True,
            **self._options,
            "host": self._host,
            "port": self._reserved.port,
            "security": None if self.security is None else self.security.fields(),
        }
        settings = {
            "sys_path": inherited_sys_path(),
            "config": set_here(),
            "log_level": self._log_level,
            "options": told,
        }
        child = self._child = Child("dagrpc_scheduler.process", settings, python_malloc.environment())
        contact = config.get("scheduler.contact-address", self._options.get("contact_address"))
        host = local_ip() if is_wildcard(self._host) else self._host
        self.address = shown_address(contact or join_address(host, self._reserved.port), self._credentials("scheduler"))
        loop = asyncio.get_running_loop()
        watch = threading.Thread(
            target=self._watch, args=(child, loop), name=f"dagrpc-watch-{child.process.pid}", daemon=True
        )
        watch.start()

    def _watch(self, child: Child, loop: asyncio.AbstractEventLoop) -> None:
        """Pass the reports of the process to the loop, and then its end. On a thread of its own."""
        # The loop may have closed when the program ends.
        with contextlib.suppress(RuntimeError):
            while (report := child.read_report()) is not None:
                loop.call_soon_threadsafe(self._reports.put_nowait, report)
            child.process.wait()
            loop.call_soon_threadsafe(self._has_ended)

    def _has_ended(self) -> None:
        self._reports.put_nowait(None)
        self._exited.set()
        if self.status is Status.running:
            assert self._child is not None
            self.status = Status.failed if self._child.process.returncode else Status.closed
            self._event_finished.set()

    async def start(self) -> None:
        """Start the process unless it runs, and wait until it serves.

        Raises
        ------
        OSError
            If the port is taken.
        ValueError
            If a setting is wrong.
        RuntimeError
            If the scheduler does not start.
        """
        if self._child is None:
            self.spawn()
        timeout = config.get_seconds("nanny.start-timeout") or 60.0
        try:
            report = await asyncio.wait_for(self._reports.get(), timeout)
        except TimeoutError:
            raise RuntimeError(f"The scheduler did not start within {timeout:g} s") from None
        finally:
            assert self._reserved is not None
            self._reserved.release()
        assert self._child is not None
        if report is None:
            raise RuntimeError(f"The scheduler ended with exit code {self._child.process.returncode} while it started")
        if report["status"] != "running":
            kind = ValueError if report.get("setting") else OSError
            raise kind(f"The scheduler did not start: {report['error']}")
        self.address = report["address"]
        await super().start()

    async def close(self, timeout: float | None = None) -> None:
        """Close the scheduler, which closes its workers, and end its process."""
        timeout = _CLOSE_LIMIT if timeout is None else timeout
        deadline = time.monotonic() + timeout
        if self.status is Status.running:
            self.status = Status.closing
            # The process may be gone already.
            with contextlib.suppress(OSError, TimeoutError):
                await self._call("Shutdown", pb.ShutdownRequest(reason="its cluster closes"), timeout)
        if self._child is not None:
            await self._end(self._child, max(0.1, deadline - time.monotonic()))
        await super().close()

    async def _end(self, child: Child, timeout: float) -> None:
        """Wait for the process to end by itself; then ask it to end; then kill it."""
        for patience, action in (
            # Without its parent the scheduler closes in good order, too.
            (min(timeout, 1.0), child.release),
            (timeout, child.process.terminate),
            (2.0, child.process.kill),
        ):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._exited.wait(), patience)
            if self._exited.is_set():
                break
            action()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._exited.wait(), 5.0)
        child.close_pipes()

    # --- what there is to know ---

    @property
    def pid(self) -> int | None:
        """The process; None before it has started."""
        return self._child.pid if self._child is not None else None

    @property
    def workers(self) -> dict[str, WorkerView]:
        """The workers by address, as the scheduler describes them now."""
        return {worker.address: WorkerView(worker) for worker in self._ask().workers}

    def identity(self, n_workers: int = -1) -> dict[str, Any]:
        """Return the scheduler's description of itself and its workers as a plain dict."""
        return describe_cluster(self._ask(), self.address or "", n_workers)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        raise AttributeError(
            f"The scheduler of this cluster is in another process, where its {name!r} is: "
            f"use Client.run_on_scheduler(lambda dask_scheduler: ...), or LocalCluster(processes=False)"
        )

    def _ask(self) -> pb.GetClusterInfoResponse:
        if self.status is not Status.running:
            return pb.GetClusterInfoResponse(address=self.address or "")
        answer: pb.GetClusterInfoResponse = get_loop().run(
            self._call("GetClusterInfo", pb.GetClusterInfoRequest(), _ASK_LIMIT), 2 * _ASK_LIMIT
        )
        return answer

    async def _call(self, method: str, request: Any, timeout: float) -> Any:
        channel = open_channel(self.address or "", grpc_options.CONTROL_CHANNEL, self._credentials("client"))
        try:
            response: type[Any] = getattr(pb, f"{method}Response")
            return await ServiceClient(channel, _SERVICE, f"scheduler {self.address}").call(
                method, request, response, timeout=timeout
            )
        finally:
            await channel.close()

    def _credentials(self, role: str) -> Any:
        return credentials_of(self.security, role)
