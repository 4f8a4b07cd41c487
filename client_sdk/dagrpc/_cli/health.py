"""`dagrpc health`: asks a service whether it serves."""

from __future__ import annotations

import asyncio

import click
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dagrpc._auth.credentials import Credentials, credentials_of
from dagrpc._cli.tls_options import security_from, tls_options
from dagrpc._common.addresses import parse_address
from dagrpc._rpc.channels import open_channel
from dagrpc._rpc.grpc_options import CONTROL_CHANNEL


async def check(address: str, service: str = "", timeout: float = 5.0, credentials: Credentials | None = None) -> str:
    """Return the health status of a service, such as ``SERVING``; AioRpcError without an answer in time."""
    channel = open_channel(address, CONTROL_CHANNEL, credentials)
    try:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=service)
        response = await stub.Check(request, timeout=timeout, wait_for_ready=True)
        status: str = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
        return status
    finally:
        await channel.close()


@click.command()
@click.argument("address")
@click.option("--service", default="", help="Full name of a service, such as dagrpc.v1.SchedulerService.")
@click.option("--timeout", default=5.0, show_default=True, help="Seconds to wait for the answer.")
@tls_options
def health(
    address: str,
    service: str,
    timeout: float,
    tls_ca_file: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    token_file: str | None,
) -> None:
    """Exit with 0 if the scheduler, worker or nanny at ADDRESS serves, with 1 otherwise."""
    credentials = credentials_of(security_from("client", tls_ca_file, tls_cert, tls_key, token_file), "client")
    try:
        status = asyncio.run(check(parse_address(address), service, timeout, credentials))
    except grpc.aio.AioRpcError as error:
        raise click.ClickException(f"{address}: {error.code().name}: {error.details()}") from None
    click.echo(status)
    if status != "SERVING":
        raise SystemExit(1)
