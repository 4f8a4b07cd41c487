"""Every rpc of every service is in the table of roles, and the servers keep to it."""

import asyncio
import importlib
import pkgutil
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

import dagrpc.v1
from dagrpc import Client, LocalCluster, Security
from dagrpc._io.channels import identity, open_channel
from dagrpc._io.credentials import credentials_of
from dagrpc._io.loop import get_loop
from dagrpc._io.options import CONTROL_CHANNEL
from dagrpc._io.roles import ALLOWED, check_role
from dagrpc.exceptions import CodeNotAllowedError
from tests.contract.test_rpc_fuzz import NANNY, SCHEDULER, WORKER

ROLES = ("client", "scheduler", "worker")


def services() -> Iterator[ServiceDescriptor]:
    for module in pkgutil.iter_modules(dagrpc.v1.__path__):
        if module.name.endswith("_pb2"):
            yield from importlib.import_module(f"dagrpc.v1.{module.name}").DESCRIPTOR.services_by_name.values()


def test_the_table_has_every_rpc_and_no_other() -> None:
    rpcs = {f"{service.name}.{method.name}" for service in services() for method in service.methods}
    assert rpcs - set(ALLOWED) == set(), "say in dagrpc/_io/roles.py who may call these"
    assert set(ALLOWED) - rpcs == set(), "there are no such rpcs"


def test_certificates_without_a_role_are_for_any() -> None:
    check_role("WorkerService.Run", None)
    check_role("WorkerService.Run", [b"localhost", b"spiffe://example/worker"])
    check_role("WorkerService.Run", [b"dagrpc://role/client", b"dagrpc://role/scheduler"])
    for roles in ([b"dagrpc://role/client"], [b"dagrpc://role/nurse"], [b"dagrpc://role/"]):
        with pytest.raises(CodeNotAllowedError, match=r"WorkerService\.Run is not for the role"):
            check_role("WorkerService.Run", roles)
    with pytest.raises(CodeNotAllowedError):
        check_role("NoService.AtAll", [b"dagrpc://role/scheduler"])


async def refused(address: str, security: Security, role: str, services: list[ServiceDescriptor]) -> set[str]:
    """Return which of the rpcs refuse a role. No call has a request that would be carried out."""
    credentials = credentials_of(security, role)
    channel = open_channel(address, CONTROL_CHANNEL, credentials)
    try:
        return {
            f"{service.name}.{method.name}"
            for service in services
            for method in service.methods
            if await is_refused(channel, service, method)
        }
    finally:
        await channel.close()


async def is_refused(channel: grpc.aio.Channel, service: ServiceDescriptor, method: MethodDescriptor) -> bool:
    path, garbage = f"/{service.full_name}/{method.name}", b"\xff" * 7
    kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
    stub = getattr(channel, kind)(path, request_serializer=identity, response_deserializer=identity)
    call = stub(timeout=20) if method.client_streaming else stub(garbage, timeout=20)
    try:
        if method.client_streaming:
            # Nothing is written: gRPC may report a write to a stream that has ended in place of how it ended.
            await call.done_writing()
        await call.code()
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        pass
    code = await call.code()
    assert code is not grpc.StatusCode.DEADLINE_EXCEEDED, f"{path} hangs"
    return code is grpc.StatusCode.PERMISSION_DENIED and "not for the role" in (await call.details() or "")


def test_each_service_refuses_the_roles_that_may_not_call() -> None:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=True, security=True) as cluster,
        Client(cluster) as client,
    ):
        ((worker, details),) = client.scheduler_info()["workers"].items()
        for address, here in ((cluster.scheduler_address, SCHEDULER), (worker, WORKER), (details["nanny"], NANNY)):
            rpcs = {f"{service.name}.{method.name}" for service in here for method in service.methods}
            for role in ROLES:
                wanted = {rpc for rpc in rpcs if role.encode() not in ALLOWED[rpc]}
                assert get_loop().run(refused(address, cluster.security, role, here), 120) == wanted
        assert client.submit(sum, [1, 2, 3]).result(timeout=30) == 6
