"""Questions that the commands `status`, `tasks`, `logs` and `top` ask a scheduler, without a session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click

from dagrpc._auth.credentials import credentials_of
from dagrpc._cli.tls_options import security_from
from dagrpc._common.addresses import parse_address
from dagrpc._rpc.channels import ServiceClient, open_channel
from dagrpc._rpc.grpc_options import CONTROL_CHANNEL
from dagrpc.exceptions import DagrpcError
from dagrpc.v1 import common_pb2, log_service_pb2
from dagrpc.v1 import scheduler_service_pb2 as pb

T = TypeVar("T")

_FILES = ("tls_ca_file", "tls_cert", "tls_key", "token_file")
STATES = ("released", "waiting", "no-worker", "queued", "processing", "memory", "erred")


class ClusterView:
    """One scheduler, as commands see it.

    Parameters
    ----------
    address : str
        The scheduler's address.
    timeout : float
        Seconds to wait for each answer.
    security : dict
        Fields of a `Security`, from the command line.
    """

    def __init__(self, address: str, timeout: float, security: dict[str, Any]) -> None:
        self.address = parse_address(address)
        self._timeout = timeout
        self._channel = open_channel(self.address, CONTROL_CHANNEL, credentials_of(security, "client"))
        peer = f"the scheduler at {self.address}"
        self._scheduler = ServiceClient(self._channel, pb.DESCRIPTOR.services_by_name["SchedulerService"], peer)
        logs = log_service_pb2.DESCRIPTOR.services_by_name
        self._own_log = ServiceClient(self._channel, logs["LogService"], peer)
        self._worker_logs = ServiceClient(self._channel, logs["ClusterLogService"], peer)

    async def cluster(self) -> pb.GetClusterInfoResponse:
        """Return the description of the scheduler and its workers."""
        request = pb.GetClusterInfoRequest()
        return await self._scheduler.call("GetClusterInfo", request, pb.GetClusterInfoResponse, self._timeout)

    async def tasks(self, keys: list[str], state: str, limit: int) -> list[pb.TaskInfo]:
        """Return tasks by keys or state, at most so many."""
        request = pb.GetTasksRequest(keys=keys, state=state, limit=limit)
        found = await self._scheduler.call("GetTasks", request, pb.GetTasksResponse, self._timeout)
        return list(found.tasks)

    async def logs(self, workers: list[str], nanny: bool, count: int) -> list[tuple[str, list[str]]]:
        """Return the latest lines of logs with the name of the process: the scheduler's, or those of workers."""
        if not workers:
            own = log_service_pb2.GetLogsRequest(count=count)
            lines = await self._own_log.call("GetLogs", own, log_service_pb2.GetLogsResponse, self._timeout)
            return [("scheduler", [line.text for line in lines.lines])]
        names = [] if "all" in workers else workers
        request = log_service_pb2.GetWorkerLogsRequest(workers=names, nanny=nanny, count=count)
        found = await self._worker_logs.call(
            "GetWorkerLogs", request, log_service_pb2.GetWorkerLogsResponse, self._timeout
        )
        return [(log.worker, [line.text for line in log.lines]) for log in found.logs]

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()


def ask(
    address: str,
    timeout: float,
    files: dict[str, str | None],
    question: Callable[[ClusterView], Coroutine[Any, Any, T]],
) -> T:
    """Return the answer to a question; a scheduler that does not answer ends the command with the reason.

    Parameters
    ----------
    files : dict
        ``tls_ca_file``, ``tls_cert``, ``tls_key``, ``token_file``: as given on the command line.
    """

    async def run() -> T:
        view = ClusterView(address, timeout, security_from("client", *(files[name] for name in _FILES)))
        try:
            return await question(view)
        finally:
            await view.close()

    try:
        return asyncio.run(run())
    except (DagrpcError, OSError, TimeoutError, ValueError) as error:
        raise click.ClickException(str(error) or f"{address}: no answer within {timeout:g} s") from None


def worker_row(worker: pb.WorkerInfo) -> dict[str, Any]:
    """Return the facts about a worker that commands show, by name."""
    metrics = worker.metrics
    return {
        "address": worker.address,
        "name": worker.name,
        "status": common_pb2.WorkerStatus.Name(worker.status).removeprefix("WORKER_STATUS_").lower(),
        "nthreads": worker.nthreads,
        "cpu": metrics.get("cpu", 0.0),
        "memory": int(metrics.get("memory", 0)),
        "memory_limit": worker.memory_limit,
        "occupancy": worker.occupancy,
        "executing": int(metrics.get("executing", 0)),
        "ready": int(metrics.get("ready", 0)),
        "in_memory": int(metrics.get("in_memory", 0)),
        "spilled": int(metrics.get("spilled_bytes", 0)),
    }
