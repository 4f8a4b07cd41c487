"""Reports to the scheduler that a nanny has given up its worker, since the scheduler may be waiting for another one."""

from __future__ import annotations

import logging
import time

from dagrpc._auth.credentials import Credentials
from dagrpc._rpc.channels import ServiceClient, open_channel, wait_ready
from dagrpc._rpc.grpc_options import CONTROL_CHANNEL
from dagrpc.exceptions import DagrpcError
from dagrpc.v1 import worker_session_pb2 as pb
from dagrpc_worker.shell.lifecycle.scheduler_file import scheduler_address

logger = logging.getLogger("dagrpc.nanny")

SERVICE = pb.DESCRIPTOR.services_by_name["WorkerSessionService"]
_PATIENCE = 5.0


async def tell_scheduler(
    address: str, scheduler_file: str, credentials: Credentials | None, request: pb.ReportGivenUpRequest
) -> None:
    """Send the report if the scheduler can be reached. An empty `address` is looked up in `scheduler_file`."""
    try:
        address = address or await scheduler_address(scheduler_file, time.monotonic())
        channel = open_channel(address, CONTROL_CHANNEL, credentials)
        try:
            await wait_ready(channel, address, _PATIENCE, credentials)
            client = ServiceClient(channel, SERVICE, f"scheduler {address}")
            await client.call("ReportGivenUp", request, pb.ReportGivenUpResponse, timeout=_PATIENCE)
        finally:
            await channel.close()
    except (OSError, ValueError, TimeoutError, DagrpcError) as error:
        logger.info("The scheduler cannot be told that worker %s is given up: %s", request.name, error)
