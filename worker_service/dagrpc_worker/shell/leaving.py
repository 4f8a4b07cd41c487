"""Leaving the cluster in good order: the scheduler takes the worker out, and what only it holds is moved."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from dagrpc._io.channels import ServiceClient
from dagrpc.exceptions import DagrpcError
from dagrpc.v1 import common_pb2
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_worker.shell.link import SchedulerLink

if TYPE_CHECKING:
    from dagrpc_worker.shell.service import WorkerService

logger = logging.getLogger("dagrpc.worker")

RETIRE_LIMIT = 600.0
"""Seconds that moving the data may take."""


async def leave(worker: WorkerService, link: SchedulerLink, restart: bool, reason: str) -> None:
    """Have the scheduler take a worker out, and begin to close it; at once if it cannot be taken out.

    Parameters
    ----------
    restart : bool
        Whether another is to take its place.
    """
    if worker.closed:
        return
    worker.restart_wanted = worker.restart_wanted or restart
    worker.status = common_pb2.WORKER_STATUS_RETIRING
    logger.info("Worker %s at %s is about to leave: %s", worker.name, worker.address, reason)
    try:
        await _retire(link, worker.address)
    except (DagrpcError, OSError, TimeoutError) as error:
        logger.warning("Worker %s leaves at once, since it cannot be retired: %s", worker.name, error)
    except asyncio.CancelledError:
        # It was told to close, which ends the connection that the answer would come on.
        if not worker.closed:
            raise
    worker.close_soon(reason)


async def _retire(link: SchedulerLink, address: str) -> None:
    if link.client is None:
        return
    service = pb.DESCRIPTOR.services_by_name["SchedulerService"]
    client = ServiceClient(link.client.channel, service, link.client.peer)
    request = pb.RetireWorkersRequest(workers=[address])
    await client.call("RetireWorkers", request, pb.RetireWorkersResponse, timeout=RETIRE_LIMIT)
