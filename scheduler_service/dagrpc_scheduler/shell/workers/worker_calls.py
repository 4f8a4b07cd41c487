"""Calls to workers and nannies: run a function there, restart them."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from dagrpc._codec.calls import encode_exception
from dagrpc._rpc.channels import wait_ready
from dagrpc._transfer.transfers import WORKER_SERVICE
from dagrpc.exceptions import CodeNotAllowedError, CommClosedError, DagrpcError, InvalidRequestError
from dagrpc.v1 import common_pb2, nanny_service_pb2, worker_service_pb2
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_scheduler.core import events
from dagrpc_scheduler.core.instructions import CloseWorker

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

logger = logging.getLogger("dagrpc.scheduler")

NANNY_SERVICE = nanny_service_pb2.DESCRIPTOR.services_by_name["NannyService"]

RUN_LIMIT = 24 * 3600.0
"""No call waits longer than a day, whatever its caller wants."""
_LOOK_AGAIN = 0.05


async def run_on_workers(
    service: SchedulerService, addresses: list[str], function: common_pb2.Payload, *, nanny: bool, wait: bool
) -> list[pb.RunResult]:
    """Run a function on workers or their nannies, all at once."""
    run = worker_service_pb2.RunRequest(function=function, no_wait=not wait)

    async def one(address: str) -> pb.RunResult:
        worker = service.sessions.workers.get(address)
        if worker is None or (nanny and not worker.nanny):
            return pb.RunResult(worker=address, unreachable="it has left" if worker is None else "it has no nanny")
        try:
            if nanny:
                client = service.control_channels.client(worker.nanny, NANNY_SERVICE, f"nanny {worker.nanny}")
                request = nanny_service_pb2.RunInNannyRequest(run=run)
                response = await client.call(
                    "RunInNanny", request, nanny_service_pb2.RunInNannyResponse, timeout=RUN_LIMIT
                )
                result = response.result
            else:
                client = service.control_channels.client(address, WORKER_SERVICE, f"worker {address}")
                result = (await client.call("Run", run, worker_service_pb2.RunResponse, timeout=RUN_LIMIT)).result
        except CodeNotAllowedError as error:
            return pb.RunResult(worker=address, exception=encode_exception(error))
        except (DagrpcError, OSError, TimeoutError) as error:
            return pb.RunResult(worker=address, unreachable=str(error))
        result.worker = address
        return result

    return list(await asyncio.gather(*(one(address) for address in addresses)))


async def restart_workers(
    service: SchedulerService, addresses: list[str], *, forget_tasks: bool, timeout: float, wait: bool
) -> dict[str, str]:
    """Restart workers through their nannies. Returns what became of each.

    Of all workers, those without a nanny are closed, and others awaited: whatever started them may do so again.

    Raises
    ------
    InvalidRequestError
        If some only are to be restarted, and one of them has no nanny. Then nothing is done.
    """
    if not forget_tasks:
        _check_nannies(service, addresses)
    deadline = time.monotonic() + timeout
    before = [service.sessions.workers.get(address) for address in addresses]
    if forget_tasks:
        service.handle(events.RestartRequested(service.stimulus("restart")))
        service.metadata.clear()
        service.scheduler_plugins.restarted()
    service.events.log("all", {"action": "restart-workers", "workers": tuple(addresses)})

    async def one(address: str) -> tuple[str, str]:
        worker = service.sessions.workers.get(address)
        if worker is None or not worker.nanny:
            service.send(CloseWorker(address, "restart: it has no nanny to start it again"))
            return address, "removed"
        client = service.control_channels.client(worker.nanny, NANNY_SERVICE, f"nanny {worker.nanny}")
        request = nanny_service_pb2.RestartWorkerRequest(timeout_seconds=timeout, reason="restart")
        try:
            # A nanny may begin to serve a moment after its worker has joined.
            await wait_ready(client.channel, worker.nanny, timeout, service.credentials)
            await client.call("RestartWorker", request, nanny_service_pb2.RestartWorkerResponse, timeout=timeout + 1.0)
        except (DagrpcError, CommClosedError, TimeoutError) as error:
            logger.warning("Worker %s did not restart: %s", address, error)
            return address, "timed out"
        return address, "OK"

    restarts = asyncio.gather(*(one(address) for address in addresses))
    if not wait:
        service.tasks.add(task := asyncio.ensure_future(restarts))  # type: ignore[arg-type]
        task.add_done_callback(service.tasks.discard)
        return {}
    outcomes = dict(await restarts)
    while "removed" in outcomes.values() and time.monotonic() < deadline:
        if sum(worker not in before for worker in service.sessions.workers.values()) >= len(addresses):
            return dict.fromkeys(addresses, "OK")
        await asyncio.sleep(_LOOK_AGAIN)
    return outcomes


def _check_nannies(service: SchedulerService, addresses: list[str]) -> None:
    for address in addresses:
        worker = service.sessions.workers.get(address)
        if worker is not None and not worker.nanny:
            raise InvalidRequestError(
                f"Restarting workers requires a nanny to be used. Worker {address} has none: nobody would start "
                "another one in its place. No worker was restarted."
            )
