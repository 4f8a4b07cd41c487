"""Garbage on every rpc of every service: a status each time, and the next caller is served."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from dagrpc import Client, LocalCluster
from dagrpc._io.channels import identity, open_channel
from dagrpc._io.health import check
from dagrpc._io.loop import get_loop
from dagrpc._io.options import CONTROL_CHANNEL
from dagrpc.v1 import (
    actor_service_pb2,
    diagnostics_service_pb2,
    event_service_pb2,
    inquiry_service_pb2,
    introspection_service_pb2,
    log_service_pb2,
    metadata_service_pb2,
    nanny_service_pb2,
    plugin_service_pb2,
    scaling_service_pb2,
    scheduler_service_pb2,
    shuffle_service_pb2,
    worker_service_pb2,
    worker_session_pb2,
)

SCHEDULER = [
    scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"],
    worker_session_pb2.DESCRIPTOR.services_by_name["WorkerSessionService"],
    inquiry_service_pb2.DESCRIPTOR.services_by_name["InquiryService"],
    plugin_service_pb2.DESCRIPTOR.services_by_name["PluginService"],
    diagnostics_service_pb2.DESCRIPTOR.services_by_name["DiagnosticsService"],
    event_service_pb2.DESCRIPTOR.services_by_name["EventService"],
    introspection_service_pb2.DESCRIPTOR.services_by_name["IntrospectionService"],
    metadata_service_pb2.DESCRIPTOR.services_by_name["MetadataService"],
    log_service_pb2.DESCRIPTOR.services_by_name["LogService"],
    log_service_pb2.DESCRIPTOR.services_by_name["ClusterLogService"],
    actor_service_pb2.DESCRIPTOR.services_by_name["ActorRelayService"],
    scaling_service_pb2.DESCRIPTOR.services_by_name["ScalingService"],
    shuffle_service_pb2.DESCRIPTOR.services_by_name["ShuffleCoordinationService"],
]
WORKER = [
    worker_service_pb2.DESCRIPTOR.services_by_name["WorkerService"],
    plugin_service_pb2.DESCRIPTOR.services_by_name["PluginHostService"],
    diagnostics_service_pb2.DESCRIPTOR.services_by_name["WorkerDiagnosticsService"],
    introspection_service_pb2.DESCRIPTOR.services_by_name["IntrospectionService"],
    actor_service_pb2.DESCRIPTOR.services_by_name["ActorService"],
    shuffle_service_pb2.DESCRIPTOR.services_by_name["ShuffleService"],
]
NANNY = [
    nanny_service_pb2.DESCRIPTOR.services_by_name["NannyService"],
    log_service_pb2.DESCRIPTOR.services_by_name["LogService"],
    plugin_service_pb2.DESCRIPTOR.services_by_name["PluginHostService"],
]

# These end the service, or wait by design, when their request happens to be valid.
NOT_WHEN_VALID = {"Shutdown", "CloseNanny", "StopWorker", "RestartWorker", "RestartWorkers", "RetireWorkers"}

GARBAGE = [b"", b"\xff" * 7, b"\x0a\xff\xff\xff\xff\x0f", b"\x08\x96\x01", b"\x12\x03abc", b"\x00"]


def inputs(method: MethodDescriptor) -> list[bytes]:
    rng = random.Random(method.full_name)
    found = GARBAGE + [rng.randbytes(rng.randrange(1, 200)) for _ in range(12)]
    return [data for data in found if not is_message(method, data)] if method.name in NOT_WHEN_VALID else found


def is_message(method: MethodDescriptor, data: bytes) -> bool:
    """Bytes may happen to be a message, with fields that nobody knows."""
    try:
        GetMessageClass(method.input_type).FromString(data)
    except DecodeError:
        return False
    return True


async def attack(address: str, services: list[Any]) -> int:
    """Call each method with each input; return how many calls were answered."""
    channel = open_channel(address, CONTROL_CHANNEL)
    answered = 0
    try:
        for service in services:
            for method in service.methods:
                for data in inputs(method):
                    answered += await call(channel, service, method, data)
        assert await check(address) == "SERVING"
    finally:
        await channel.close()
    return answered


async def call(channel: Any, service: Any, method: MethodDescriptor, data: bytes) -> int:
    path = f"/{service.full_name}/{method.name}"
    kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
    stub = getattr(channel, kind)(path, request_serializer=identity, response_deserializer=identity)
    started = stub(timeout=20) if method.client_streaming else stub(data, timeout=20)
    try:
        if method.client_streaming:
            await started.write(data)
            await started.write(data)
            await started.done_writing()
        if method.server_streaming:
            while await started.read() is not grpc.aio.EOF:
                pass
        await started.code()
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        pass
    code = await started.code()
    assert code is not grpc.StatusCode.DEADLINE_EXCEEDED, f"{path} hangs on {data!r}"
    assert code is not grpc.StatusCode.UNKNOWN, f"{path} lets an error escape on {data!r}: {await started.details()}"
    return 1


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True) as cluster:
        yield cluster


def test_garbage_on_every_rpc(cluster: LocalCluster) -> None:
    with Client(cluster) as client:
        info = client.scheduler_info()
        (worker, details) = next(iter(info["workers"].items()))
        targets = [(cluster.scheduler_address, SCHEDULER), (worker, WORKER), (details["nanny"], NANNY)]
        for address, services in targets:
            methods = sum(len(service.methods) for service in services)
            assert get_loop().run(attack(address, services), 300) >= 5 * methods
        assert client.submit(sum, [1, 2, 3]).result(timeout=30) == 6
    with Client(cluster) as another:
        assert another.submit(len, "four").result(timeout=30) == 4
