"""ClusterLogService: the logs of workers and nannies."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from dagrpc._rpc.log_service import SERVICE as LOG_SERVICE
from dagrpc.exceptions import DagrpcError, UnknownWorkerError
from dagrpc.v1 import log_service_pb2 as pb
from dagrpc_scheduler.core import views

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

logger = logging.getLogger("dagrpc.scheduler")

SERVICE = pb.DESCRIPTOR.services_by_name["ClusterLogService"]

_PATIENCE = 30.0
_ANSWER_LIMIT = 48 * 2**20
"""Bytes of one answer."""


class ClusterLogServicer:
    """Each method is the rpc of its name.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service

    async def GetWorkerLogs(self, request: pb.GetWorkerLogsRequest) -> pb.GetWorkerLogsResponse:
        workers = self._service.sessions.workers
        addresses = list(workers)
        if request.workers:
            try:
                addresses = views.resolve_workers(self._service.core, list(request.workers))
            except views.UnknownWorkerError as error:
                raise UnknownWorkerError(str(error)) from None
        if request.nanny:
            addresses = [address for address in addresses if address in workers and workers[address].nanny]
        question = pb.GetLogsRequest(count=request.count)
        found = await asyncio.gather(*(self._ask(address, request.nanny, question) for address in addresses))
        response, size = pb.GetWorkerLogsResponse(), 0
        for address, lines in zip(addresses, found, strict=True):
            if lines is None:
                continue
            size += lines.ByteSize()
            if size > _ANSWER_LIMIT:
                logger.warning("The logs of %d workers do not fit into one message: ask for fewer", len(addresses))
                break
            response.logs.add(worker=address, lines=lines.lines)
        return response

    async def _ask(self, address: str, nanny: bool, question: pb.GetLogsRequest) -> pb.GetLogsResponse | None:
        """Return the lines of a worker's log, or its nanny's; None if it cannot be reached."""
        service = self._service
        worker = service.sessions.workers.get(address)
        if worker is None:
            return None
        target = worker.nanny if nanny else address
        client = service.control_channels.client(target, LOG_SERVICE, f"{'nanny' if nanny else 'worker'} {target}")
        try:
            return await client.call("GetLogs", question, pb.GetLogsResponse, timeout=_PATIENCE)
        except (DagrpcError, OSError, TimeoutError) as error:
            logger.warning("No log of worker %s: %s", address, error)
            return None
