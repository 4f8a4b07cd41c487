"""Calls the same method of many processes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from dagrpc._rpc.channels import ChannelPool
from dagrpc.exceptions import DagrpcError

R = TypeVar("R", bound=Message)

_TIMEOUT = 10.0
"""Seconds that a process has for an answer by default."""
_AT_ONCE = 64
"""How many calls are under way at a time."""


@dataclass(slots=True)
class Answers(Generic[R]):
    """The answers of several processes, in the order of the requests."""

    found: dict[str, R] = field(default_factory=dict)
    """Responses by address."""
    failures: dict[str, str] = field(default_factory=dict)
    """Why there is no response, by address."""


async def ask_workers(
    channels: ChannelPool,
    service: ServiceDescriptor,
    method: str,
    requests: Mapping[str, Message],
    response_type: type[R],
    *,
    timeout: float = _TIMEOUT,
    who: str = "worker",
) -> Answers[R]:
    """Call a method with a request for each address; `who` says what serves there, for error messages."""
    places = asyncio.Semaphore(_AT_ONCE)
    answers: Answers[R] = Answers()

    async def ask(address: str, request: Message) -> R | str:
        async with places:
            client = channels.client(address, service, f"{who} {address}")
            try:
                return await client.call(method, request, response_type, timeout=timeout)
            except (DagrpcError, OSError, TimeoutError) as error:
                return str(error)

    responses = await asyncio.gather(*(ask(address, request) for address, request in requests.items()))
    for address, response in zip(requests, responses, strict=True):
        if isinstance(response, str):
            answers.failures[address] = response
        else:
            answers.found[address] = response
    return answers
