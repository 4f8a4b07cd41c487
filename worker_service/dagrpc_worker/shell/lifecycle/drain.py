"""Graceful departure of a worker: it gives back tasks that have not begun, finishes the others, and hands its results
to other workers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from dagrpc._common.time_limits import RETIRE_LIMIT
from dagrpc._rpc.channels import ServiceClient
from dagrpc.exceptions import DagrpcError, NoWorkersError
from dagrpc.v1 import common_pb2
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_worker.core import events
from dagrpc_worker.shell.session.inbox import Inbox
from dagrpc_worker.shell.session.scheduler_session import SchedulerSession
from dagrpc_worker.shell.session.translate_out import StatusReport
from dagrpc_worker.shell.worker_record import WorkerRecord

logger = logging.getLogger("dagrpc.worker")


async def drain(
    worker: WorkerRecord,
    session: SchedulerSession,
    inbox: Inbox,
    closed: Callable[[], bool],
    reason: str,
    limit: float = RETIRE_LIMIT,
) -> None:
    """Let the scheduler retire a worker. Returns when that is done, has failed, or has taken `limit` seconds.

    Parameters
    ----------
    closed : callable
        Returns whether the worker has begun to close.
    """
    worker.status = common_pb2.WORKER_STATUS_RETIRING
    logger.info("%s begins to retire: %s", worker, reason)
    # The status goes first: otherwise the scheduler could send the tasks that are given back here again.
    session.send([StatusReport(worker.status)])
    inbox.take([events.Leaving()])
    try:
        async with asyncio.timeout(limit):
            await _retire(session, worker.address, limit)
    except (DagrpcError, OSError, TimeoutError) as error:
        why = str(error) or f"its tasks and its results take more than {limit:g} s"
        logger.warning("%s closes without being retired: %s", worker, why)
    except asyncio.CancelledError:
        # Closing ends the connection on which the scheduler would answer.
        if not closed():
            raise


async def _retire(session: SchedulerSession, address: str, limit: float) -> None:
    if session.client is None:
        return
    service = pb.DESCRIPTOR.services_by_name["SchedulerService"]
    client = ServiceClient(session.client.channel, service, session.client.peer)
    request = pb.RetireWorkersRequest(workers=[address])
    response = await client.call("RetireWorkers", request, pb.RetireWorkersResponse, timeout=limit)
    if address not in response.workers:
        raise NoWorkersError("no other worker can take the results that only this worker holds")
