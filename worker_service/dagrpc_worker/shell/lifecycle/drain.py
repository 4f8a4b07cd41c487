"""Leaving the cluster in good order: what has not begun is given back, what runs is finished, and what only this
worker holds is moved.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from dagrpc import config
from dagrpc._loop.io_loop import spawn
from dagrpc._rpc.channels import ServiceClient
from dagrpc.exceptions import DagrpcError, NoWorkersError
from dagrpc.v1 import common_pb2
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_worker.core import events
from dagrpc_worker.shell.session.inbox import Inbox
from dagrpc_worker.shell.session.scheduler_session import SchedulerSession
from dagrpc_worker.shell.session.translate_out import StatusReport

if TYPE_CHECKING:
    from dagrpc_worker.shell.service import WorkerService

logger = logging.getLogger("dagrpc.worker")

RETIRE_LIMIT = 600.0
"""Seconds that tasks may take to end, and data to be moved, when nobody is in a hurry."""


_draining: set[asyncio.Task[Any]] = set()


def drain_soon(worker: WorkerService, reason: str) -> None:
    """Have a worker leave within `worker.drain-timeout`. On the loop."""
    limit = config.get_seconds("worker.drain-timeout") or 0.0
    if not worker.joined or not limit:
        worker.close_soon(reason)
    elif worker.status == common_pb2.WORKER_STATUS_RETIRING:
        # It leaves already, with more time.
        asyncio.get_running_loop().call_later(limit, worker.close_soon, reason)
    else:
        # Not among the tasks that closing cancels.
        spawn(worker.close_gracefully(False, reason, limit), _draining)


async def leave(
    worker: WorkerService,
    session: SchedulerSession,
    inbox: Inbox,
    restart: bool,
    reason: str,
    limit: float = RETIRE_LIMIT,
) -> None:
    """Have the scheduler take a worker out, and begin to close it; at once if it cannot be taken out.

    Parameters
    ----------
    restart : bool
        Whether another is to take its place.
    limit : float
        Seconds after which it closes, done or not.
    """
    if worker.closed:
        return
    worker.restart_wanted = worker.restart_wanted or restart
    worker.status = common_pb2.WORKER_STATUS_RETIRING
    logger.info("Worker %s at %s is about to leave: %s", worker.name, worker.address, reason)
    # First the status, or what is given back would come again.
    session.send([StatusReport(worker.status)])
    inbox.take([events.Leaving()])
    try:
        async with asyncio.timeout(limit):
            await _retire(session, worker.address, limit)
    except (DagrpcError, OSError, TimeoutError) as error:
        why = str(error) or f"its tasks and its data take more than {limit:g} s"
        logger.warning("Worker %s leaves at once, since it cannot be retired: %s", worker.name, why)
    except asyncio.CancelledError:
        # It was told to close, which ends the connection that the answer would come on.
        if not worker.closed:
            raise
    worker.close_soon(reason)


async def _retire(session: SchedulerSession, address: str, limit: float) -> None:
    if session.client is None:
        return
    service = pb.DESCRIPTOR.services_by_name["SchedulerService"]
    client = ServiceClient(session.client.channel, service, session.client.peer)
    request = pb.RetireWorkersRequest(workers=[address])
    response = await client.call("RetireWorkers", request, pb.RetireWorkersResponse, timeout=limit)
    if address not in response.workers:
        raise NoWorkersError("what only it holds cannot be moved to another worker")
