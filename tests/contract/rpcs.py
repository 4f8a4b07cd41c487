"""Every rpc of every service by its server, and one way to call an rpc with arbitrary bytes."""

import asyncio
import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from grpc_reflection.v1alpha import reflection_pb2

import dagrpc.v1
from dagrpc import Client
from dagrpc._auth.credentials import Credentials, credentials_of
from dagrpc._client.client_core import core_of
from dagrpc._loop.io_loop import get_loop
from dagrpc._rpc.channels import identity, open_channel
from dagrpc._rpc.grpc_options import CONTROL_CHANNEL

_REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


def services() -> Iterator[ServiceDescriptor]:
    """Yield all services of the contract."""
    for module in pkgutil.iter_modules(dagrpc.v1.__path__):
        if module.name.endswith("_pb2"):
            yield from importlib.import_module(f"dagrpc.v1.{module.name}").DESCRIPTOR.services_by_name.values()


def by_target(client: Client) -> dict[str, list[ServiceDescriptor]]:
    """Return the services of the scheduler, a worker and its nanny, by address, as server reflection reports them."""
    ((worker, details), *_) = client.scheduler_info()["workers"].items()
    scheduler = core_of(client).session.address
    credentials = credentials_of(client.security, "client")
    return {
        address: get_loop().run(_served_at(address, credentials), 30)
        for address in (scheduler, worker, details["nanny"])
    }


async def _served_at(address: str, credentials: Credentials | None) -> list[ServiceDescriptor]:
    known = {service.full_name: service for service in services()}
    channel = open_channel(address, CONTROL_CHANNEL, credentials)
    try:
        call = channel.stream_stream(
            _REFLECTION,
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )(timeout=20)
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        answer = await call.read()
        await call.done_writing()
        names = [service.name for service in answer.list_services_response.service]
        return [known[name] for name in names if not name.startswith("grpc.")]
    finally:
        await channel.close()


def calls_of(found: Iterable[ServiceDescriptor]) -> Iterator[tuple[ServiceDescriptor, MethodDescriptor]]:
    """Yield services with each of their methods."""
    for service in found:
        for method in service.methods:
            yield service, method


async def outcome(
    channel: grpc.aio.Channel,
    service: ServiceDescriptor,
    method: MethodDescriptor,
    *messages: bytes,
    timeout: float = 20,
    metadata: Sequence[tuple[str, str]] | None = None,
) -> tuple[grpc.StatusCode, str]:
    """Call a method with bytes, read what comes, and return how it ended."""
    path = f"/{service.full_name}/{method.name}"
    kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
    stub = getattr(channel, kind)(path, request_serializer=identity, response_deserializer=identity)
    options: dict[str, Any] = {"timeout": timeout, "metadata": metadata}
    call = stub(**options) if method.client_streaming else stub(messages[0] if messages else b"", **options)
    try:
        if method.client_streaming:
            for message in messages:
                await call.write(message)
            await call.done_writing()
        if method.server_streaming:
            while await call.read() is not grpc.aio.EOF:
                pass
        await call.code()
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        pass
    return await call.code(), await call.details() or ""
