"""The contract names the roles of every rpc, and the servers enforce them."""

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from dagrpc import Client, LocalCluster, Security
from dagrpc._auth.credentials import credentials_of
from dagrpc._auth.roles import ALLOWED, check_role, roles_in
from dagrpc._loop.io_loop import get_loop
from dagrpc._rpc.channels import open_channel
from dagrpc._rpc.grpc_options import CONTROL_CHANNEL
from dagrpc.exceptions import CodeNotAllowedError
from dagrpc.v1 import task_service_pb2
from tests.contract.rpcs import by_target, calls_of, outcome, services

TASKS = task_service_pb2.DESCRIPTOR.services_by_name["TaskService"]

ROLES = ("client", "scheduler", "worker")


def test_the_table_has_every_rpc_and_no_other() -> None:
    rpcs = {f"{service.name}.{method.name}" for service in services() for method in service.methods}
    assert rpcs - set(ALLOWED) == set(), "name their roles in the contract, and run make proto"
    assert set(ALLOWED) - rpcs == set(), "there are no such rpcs"


def test_certificates_without_a_role_are_for_any() -> None:
    check_role("WorkerService.Run", roles_in(None), "certificate")
    check_role("WorkerService.Run", roles_in([b"localhost", b"spiffe://example/worker"]), "certificate")
    check_role("WorkerService.Run", roles_in([b"dagrpc://role/client", b"dagrpc://role/scheduler"]), "certificate")
    for names in ([b"dagrpc://role/client"], [b"dagrpc://role/nurse"], [b"dagrpc://role/"]):
        with pytest.raises(CodeNotAllowedError, match=r"WorkerService\.Run is not for the role"):
            check_role("WorkerService.Run", roles_in(names), "certificate")
    with pytest.raises(CodeNotAllowedError):
        check_role("NoService.AtAll", [b"scheduler"], "token")


async def refused(address: str, security: Security, role: str, here: list[ServiceDescriptor]) -> set[str]:
    """Return the rpcs that refuse a role. None of the calls carries a request that would be executed."""
    channel = open_channel(address, CONTROL_CHANNEL, credentials_of(security, role))
    try:
        return {
            f"{service.name}.{method.name}"
            for service, method in calls_of(here)
            if await is_refused(channel, service, method)
        }
    finally:
        await channel.close()


async def is_refused(channel: grpc.aio.Channel, service: ServiceDescriptor, method: MethodDescriptor) -> bool:
    # To a stream nothing is written: gRPC may report a write to one that has ended in place of how it ended.
    messages = () if method.client_streaming else (b"\xff" * 7,)
    code, details = await outcome(channel, service, method, *messages)
    assert code is not grpc.StatusCode.DEADLINE_EXCEEDED, f"{service.name}.{method.name} hangs"
    return code is grpc.StatusCode.PERMISSION_DENIED and "not for the role" in details


def check_every_rpc(cluster: LocalCluster, client: Client, securities: dict[str, tuple[Security, str]]) -> None:
    for address, here in by_target(client).items():
        rpcs = {f"{service.name}.{method.name}" for service, method in calls_of(here)}
        for role, (security, shown_as) in securities.items():
            wanted = {rpc for rpc in rpcs if role.encode() not in ALLOWED[rpc]}
            assert get_loop().run(refused(address, security, shown_as, here), 120) == wanted, role
    assert client.submit(sum, [1, 2, 3]).result(timeout=30) == 6


def test_each_service_refuses_certificates_of_roles_that_may_not_call() -> None:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=True, security=True) as cluster,
        Client(cluster) as client,
    ):
        check_every_rpc(cluster, client, {role: (cluster.security, role) for role in ROLES})


def test_each_service_refuses_tokens_of_roles_that_may_not_call() -> None:
    tokens = {role: f"{role}-secret-of-this-cluster" for role in (*ROLES, "caller")}
    security = Security(**{f"{role}_token": token for role, token in tokens.items()})
    with LocalCluster(n_workers=1, threads_per_worker=1, security=security) as cluster, Client(cluster) as client:
        check_every_rpc(cluster, client, {role: (Security(token=token), "client") for role, token in tokens.items()})


def test_callers_do_little() -> None:
    # What runs code, ends something or shows what is inside is not for them.
    assert {rpc for rpc, roles in ALLOWED.items() if b"caller" in roles} == {
        "SchedulerService.UpdateGraph",
        "SchedulerService.Gather",
        "SchedulerService.WhoHas",
        "SchedulerService.GetClusterInfo",
        *(f"TaskService.{method.name}" for method in TASKS.methods),
    }
