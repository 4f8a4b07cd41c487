"""Garbage on every rpc of every service: a status each time that tells nothing of the inside, and the next caller is
served."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

import dask
import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from dagrpc import Client, LocalCluster
from dagrpc._cli.health import check
from dagrpc._loop.io_loop import get_loop
from dagrpc._rpc.channels import open_channel
from dagrpc._rpc.grpc_options import CONTROL_CHANNEL
from tests.contract.rpcs import by_target, calls_of, outcome, services

# These end the service, or wait by design, when their request happens to be valid.
NOT_WHEN_VALID = {"Shutdown", "CloseNanny", "StopWorker", "RestartWorker", "RestartWorkers", "RetireWorkers"}
GARBAGE = [b"", b"\xff" * 7, b"\x0a\xff\xff\xff\xff\x0f", b"\x08\x96\x01", b"\x12\x03abc", b"\x00"]
TEXTS = ("", "nobody", "x" * 40, "\0", "a:b", "127.0.0.1:1", "../../etc/passwd", "\u2028é", "{", "default")
NUMBERS = (0, 1, 2, 7, 2**31 - 1, 2**32 - 1, 2**63 - 1)
AT_ONCE = 16
# What an answer must not tell: stacks, files, objects, addresses in memory. Keys and names that the caller sent may be
# repeated to it.
INSIDE = re.compile(r'Traceback|File "|\.py\b|site-packages|/home/|/usr/|<[\w.]+ object at|0x[0-9a-f]{6,}|dagrpc_\w+\.')


def is_message(method: MethodDescriptor, data: bytes) -> bool:
    """Bytes may happen to be a message, with fields that nobody knows."""
    try:
        GetMessageClass(method.input_type).FromString(data)
    except DecodeError:
        return False
    return True


def fill(message: Message, rng: random.Random, depth: int = 0) -> None:
    """Set some of the fields of a message to something of the right type that means nothing."""
    for field in message.DESCRIPTOR.fields:
        if rng.random() < (0.35 if depth < 2 else 0.7):
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            if depth < 4:
                target = getattr(message, field.name)
                fill(target.add() if field.is_repeated else target, rng, depth + 1)
                if not field.is_repeated:
                    target.SetInParent()
            continue
        value = nonsense(field, rng)
        if field.is_repeated:
            getattr(message, field.name).extend([value] * rng.randrange(1, 3))
        else:
            setattr(message, field.name, value)


def nonsense(field: Any, rng: random.Random) -> object:
    """Return a value of a field's type."""
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            return rng.randbytes(rng.randrange(30)) if field.type == FieldDescriptor.TYPE_BYTES else rng.choice(TEXTS)
        case FieldDescriptor.CPPTYPE_BOOL:
            return rng.random() < 0.5
        case FieldDescriptor.CPPTYPE_ENUM:
            return rng.choice(field.enum_type.values).number
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return rng.choice((0.0, 0.1, float("nan"), float("inf"), -1.0))
    most = {FieldDescriptor.CPPTYPE_INT32: 2**31 - 1, FieldDescriptor.CPPTYPE_UINT32: 2**32 - 1}
    return min(rng.choice(NUMBERS), most.get(field.cpp_type, 2**63 - 1))


def message_of(method: MethodDescriptor, rng: random.Random) -> bytes:
    message = GetMessageClass(method.input_type)()
    fill(message, rng)
    return message.SerializeToString()


def calls(method: MethodDescriptor) -> Iterator[Sequence[bytes]]:
    """Yield what to send: noise, messages that are cut off, and messages that mean nothing or come out of order."""
    rng = random.Random(method.full_name)
    for data in GARBAGE + [rng.randbytes(rng.randrange(1, 200)) for _ in range(8)]:
        yield data, data
    for _ in range(12):
        one, other = message_of(method, rng), message_of(method, rng)
        yield (one[: rng.randrange(len(one))] if one else one,)
        yield one, one
        yield other, one, b"\xff\xff"


def sent(method: MethodDescriptor) -> list[Sequence[bytes]]:
    found = list(calls(method))
    if method.name in NOT_WHEN_VALID:
        return [messages for messages in found if not is_message(method, messages[0])]
    return found


async def attack(address: str, found: list[ServiceDescriptor]) -> int:
    """Call each method with each input; return how many calls were answered."""
    channel = open_channel(address, CONTROL_CHANNEL)
    turn = asyncio.Semaphore(AT_ONCE)

    async def call(service: ServiceDescriptor, method: MethodDescriptor, messages: Sequence[bytes]) -> None:
        async with turn:
            code, details = await outcome(channel, service, method, *messages, timeout=30)
        what = f"{service.name}.{method.name} of {messages!r}: {code.name} {details}"
        assert code is not grpc.StatusCode.DEADLINE_EXCEEDED, f"{what}: it hangs"
        assert code is not grpc.StatusCode.UNKNOWN, f"{what}: an error escapes"
        assert not INSIDE.search(details), f"{what}: it tells of the inside"

    try:
        everything = [(service, method, data) for service, method in calls_of(found) for data in sent(method)]
        await asyncio.gather(*(call(*each) for each in everything))
        assert await check(address) == "SERVING"
    finally:
        await channel.close()
    return len(everything)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with (
        dask.config.set({"dagrpc.scheduler.leases.longest-wait": "2s"}),
        LocalCluster(n_workers=1, threads_per_worker=1, processes=True) as cluster,
    ):
        yield cluster


def test_every_service_is_served_somewhere(cluster: LocalCluster) -> None:
    with Client(cluster) as client:
        served = {service.full_name for found in by_target(client).values() for service in found}
    assert served == {service.full_name for service in services()}


@pytest.mark.timeout(300)
def test_garbage_on_every_rpc(cluster: LocalCluster) -> None:
    with Client(cluster) as client:
        for address, found in by_target(client).items():
            methods = sum(len(service.methods) for service in found)
            assert get_loop().run(attack(address, found), 250) >= 10 * methods
        assert client.submit(sum, [1, 2, 3]).result(timeout=30) == 6
    with Client(cluster) as another:
        assert another.submit(len, "four").result(timeout=30) == 4
