"""Leaving the cluster in good order: the scheduler takes the worker out, and what only it holds is moved."""

from __future__ import annotations

from dagrpc._io.channels import ServiceClient
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_worker.shell.link import SchedulerLink

RETIRE_LIMIT = 600.0
"""Seconds that moving the data may take."""


async def retire(link: SchedulerLink, address: str) -> None:
    """Have the scheduler take a worker out, and wait until it has.

    Raises
    ------
    DagrpcError
        If what only this worker holds cannot be moved.
    CommClosedError, TimeoutError
        If the scheduler does not answer.
    """
    if link.client is None:
        return
    service = pb.DESCRIPTOR.services_by_name["SchedulerService"]
    client = ServiceClient(link.client.channel, service, link.client.peer)
    request = pb.RetireWorkersRequest(workers=[address])
    await client.call("RetireWorkers", request, pb.RetireWorkersResponse, timeout=RETIRE_LIMIT)
