"""Sessions over real gRPC: batches, order, messages beyond every limit, broken peers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import grpc
import pytest

from dagrpc._loop.io_loop import get_loop
from dagrpc._peer.session import Session
from dagrpc._rpc import error_status
from dagrpc._rpc.channels import ServiceClient, open_channel, wait_ready
from dagrpc._rpc.grpc_options import CONTROL_CHANNEL
from dagrpc._rpc.server import Server
from dagrpc.exceptions import CommClosedError, InternalError, UnknownWorkerError
from dagrpc.v1 import client_session_pb2 as pb
from dagrpc.v1 import scheduler_service_pb2

SERVICE = scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"]


class Echo:
    """Answers each `want` with a `lost` for each of its keys. Every other rpc fails in its own way."""

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def unknown(request: Any, context: Any) -> Any:
            raise ValueError("secret password=hunter2")

        return unknown

    async def UpdateGraph(self, _: Any, context: Any) -> None:
        session: Session[str] = Session(context, encode_events, pb.UpdateGraphRequest, "client")

        def take(message: pb.UpdateGraphRequest) -> None:
            for command in message.commands:
                session.send_many(command.want.keys)

        await session.run(take)

    async def HasWhat(self, request: Any) -> Any:
        raise UnknownWorkerError("no worker named 'nobody'")

    async def Processing(self, request: Any) -> Any:
        raise asyncio.CancelledError


class Refusal(Echo):
    """Wants no session."""

    async def UpdateGraph(self, _: Any, context: Any) -> None:
        raise UnknownWorkerError("not you")


def encode_events(keys: list[str]) -> Iterator[pb.UpdateGraphResponse]:
    yield pb.UpdateGraphResponse(events=[pb.ClientEvent(lost=pb.KeyLost(key=key)) for key in keys])


def encode_commands(batch: list[list[str]]) -> Iterator[pb.UpdateGraphRequest]:
    yield pb.UpdateGraphRequest(commands=[pb.ClientCommand(want=pb.WantKeys(keys=keys)) for keys in batch])


def with_server(body: Callable[[ServiceClient, Server], Awaitable[None]], servicer: type[Echo] = Echo) -> None:
    async def run() -> None:
        server = Server()
        server.add_service(SERVICE, servicer())
        port = await server.start("127.0.0.1")
        channel = open_channel(f"127.0.0.1:{port}", CONTROL_CHANNEL)
        try:
            await body(ServiceClient(channel, SERVICE, "the server"), server)
        finally:
            await channel.close()
            await server.stop(0.1)

    get_loop().run(run(), 60)


async def exchange(client: ServiceClient, batches: list[list[str]]) -> tuple[list[str], int]:
    """Send batches, and return the keys that came back with the number of messages that brought them."""
    expected = sum(map(len, batches))
    session: Session[list[str]] = Session(
        client.open_session("UpdateGraph"), encode_commands, pb.UpdateGraphResponse, "server"
    )
    came: list[str] = []
    messages = 0

    def take(message: pb.UpdateGraphResponse) -> None:
        nonlocal messages
        messages += 1
        came.extend(event.lost.key for event in message.events)
        if len(came) >= expected:
            session.abort()

    session.send_many(batches)
    await asyncio.wait_for(session.run(take), 30)
    return came, messages


def test_items_arrive_in_order_in_few_messages() -> None:
    keys = [str(i) for i in range(5_000)]

    async def body(client: ServiceClient, server: Server) -> None:
        came, messages = await exchange(client, [[key] for key in keys])
        assert came == keys
        assert messages < 50

    with_server(body)


def test_a_batch_beyond_every_message_limit() -> None:
    keys = [f"{i}-" + "x" * 2**20 for i in range(70)]

    async def body(client: ServiceClient, server: Server) -> None:
        came, _ = await exchange(client, [keys])
        assert came == keys

    with_server(body)


def test_writing_to_an_ended_stream_raises_the_reason() -> None:
    async def body(client: ServiceClient, server: Server) -> None:
        stream = client.open_session("UpdateGraph")
        assert await stream.code() is grpc.StatusCode.NOT_FOUND
        for ask in (stream.write(b""), stream.read()):
            with pytest.raises(grpc.aio.AioRpcError, match="not you"):
                await ask
        session: Session[list[str]] = Session(stream, encode_commands, pb.UpdateGraphResponse, "server")
        session.send(["x"])
        with pytest.raises(grpc.aio.AioRpcError, match="not you"):
            await asyncio.wait_for(session.run(lambda _: None), 30)

    with_server(body, Refusal)


def test_errors_are_statuses_without_internals() -> None:
    async def body(client: ServiceClient, server: Server) -> None:
        with pytest.raises(UnknownWorkerError, match="nobody"):
            await client.call("HasWhat", scheduler_service_pb2.HasWhatRequest(), scheduler_service_pb2.HasWhatResponse)
        with pytest.raises(InternalError, match=r"Internal error in SchedulerService\.WhoHas") as internal:
            await client.call("WhoHas", scheduler_service_pb2.WhoHasRequest(), scheduler_service_pb2.WhoHasResponse)
        assert "hunter2" not in str(internal.value)
        # A handler that is cancelled from within must not leave its caller waiting.
        with pytest.raises(CommClosedError, match="cancelled"):
            await client.call(
                "Processing", scheduler_service_pb2.ProcessingRequest(), scheduler_service_pb2.ProcessingResponse
            )

    with_server(body)


def test_stopping_server_ends_sessions() -> None:
    async def body(client: ServiceClient, server: Server) -> None:
        session: Session[list[str]] = Session(
            client.open_session("UpdateGraph"), encode_commands, pb.UpdateGraphResponse, "server"
        )
        running = asyncio.create_task(session.run(lambda message: None))
        session.send([])
        await asyncio.sleep(0.1)
        await server.stop(0.1)
        with pytest.raises(grpc.aio.AioRpcError):
            await asyncio.wait_for(running, 60)
        assert session.closed

    with_server(body)


def test_two_servers_do_not_share_a_port() -> None:
    async def body(client: ServiceClient, server: Server) -> None:
        with pytest.raises(OSError, match=str(server.port)):
            await Server().start("127.0.0.1", server.port)

    with_server(body)


def test_nobody_there_is_named() -> None:
    async def run() -> None:
        channel = open_channel("127.0.0.1:1", CONTROL_CHANNEL)
        with pytest.raises(OSError, match=r"127\.0\.0\.1:1"):
            await wait_ready(channel, "127.0.0.1:1", 0.3)
        await channel.close()

    get_loop().run(run(), 30)


def test_whenever_a_stream_ends_who_writes_to_it_hears_why() -> None:
    async def attempt(client: ServiceClient, pause: float) -> None:
        stream = client.open_session("UpdateGraph")
        await asyncio.sleep(pause)
        try:
            await stream.write(b"")
            await stream.read()
        except grpc.aio.AioRpcError as error:
            raise error_status.from_rpc_error(error, client.peer) from None

    async def body(client: ServiceClient, server: Server) -> None:
        # About as long as the refusal takes, on the one machine or the other.
        for number in range(400):
            with pytest.raises(UnknownWorkerError, match="not you"):
                await attempt(client, 0.0001 * (number % 20))

    with_server(body, Refusal)
