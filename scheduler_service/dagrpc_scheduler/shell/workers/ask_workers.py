"""Asks many workers the same thing at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from dagrpc.exceptions import CommClosedError, DagrpcError

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

logger = logging.getLogger("dagrpc.scheduler")

TIMEOUT = 10.0
"""Seconds that a worker has for an answer."""
_AT_ONCE = 64


@dataclass(slots=True)
class Answers:
    """What workers answered."""

    found: dict[str, Any] = field(default_factory=dict)
    """Their messages, by address."""
    unreachable: list[str] = field(default_factory=list)
    """Addresses of those that did not answer."""


async def ask_workers(
    service: SchedulerService,
    descriptor: ServiceDescriptor,
    method: str,
    requests: Mapping[str, Message],
    response_type: type[Message],
) -> Answers:
    """Call a method of workers, some at a time.

    Parameters
    ----------
    service : SchedulerService
        Whose workers.
    descriptor : ServiceDescriptor
        The workers' service that has the method.
    method : str
        Its name.
    requests : mapping
        What to ask whom: requests by address.
    response_type : type
        Of the answers.

    Returns
    -------
    Answers
        In the order of the requests.
    """
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(address: str, request: Message) -> Message | None:
        async with places:
            client = service.control_channels.client(address, descriptor, f"worker {address}")
            try:
                return await client.call(method, request, response_type, timeout=TIMEOUT)
            except (DagrpcError, CommClosedError, TimeoutError) as error:
                logger.warning("Worker %s did not answer %s: %s", address, method, error)
                return None

    responses = await asyncio.gather(*(one(address, request) for address, request in requests.items()))
    answers = Answers()
    for address, response in zip(requests, responses, strict=True):
        if response is None:
            answers.unreachable.append(address)
        else:
            answers.found[address] = response
    return answers
