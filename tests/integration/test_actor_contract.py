"""The streams of actors, as a caller in any language sees them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from dagrpc import ActorFuture, Client
from dagrpc._client.actor_calls import CallState
from dagrpc._client.client_core import core_of
from dagrpc._loop.io_loop import get_loop
from dagrpc._rpc import error_status
from dagrpc._rpc.channels import ServiceClient, open_channel
from dagrpc._rpc.grpc_options import CONTROL_CHANNEL
from dagrpc._transfer.transfers import OutgoingValue, upload
from dagrpc.exceptions import InvalidRequestError, UnknownSessionError, UnknownWorkerError
from dagrpc.v1 import actor_service_pb2 as pb
from dagrpc.v1 import common_pb2

SERVICE = pb.DESCRIPTOR.services_by_name["ActorService"]
RELAY = pb.DESCRIPTOR.services_by_name["ActorRelayService"]
TIMEOUT = 60


class Till:
    currency = "EUR"

    def __init__(self) -> None:
        self.total = 0

    def put(self, amount: int, times: int = 1) -> int:
        self.total += amount * times
        return self.total

    def block(self, number: int) -> bytes:
        return bytes([number]) * 2_000_000

    def odd(self) -> Any:
        return {1, 2}


def as_json(value: Any) -> common_pb2.Payload:
    return common_pb2.Payload(encoding="json", data=json.dumps(value).encode())


async def converse(address: str, hello: pb.ActorHello, calls: list[pb.ActorCall]) -> list[pb.ActorReply]:
    """Open a session, make calls, return the replies in the order of the calls."""
    channel = open_channel(address, CONTROL_CHANNEL)
    stream = ServiceClient(channel, SERVICE, address).open_session("CallActor")
    try:
        await stream.write(pb.CallActorRequest(hello=hello).SerializeToString())
        welcome = (await stream.read()).welcome
        assert welcome.session_id
        assert welcome.inline_limit > 0
        await stream.write(pb.CallActorRequest(calls=calls).SerializeToString())
        replies: list[pb.ActorReply] = []
        while len(replies) < len(calls):
            message = await stream.read()
            assert message is not grpc.aio.EOF
            replies += message.replies
        return sorted(replies, key=lambda reply: reply.call_id)
    except grpc.aio.AioRpcError as error:
        raise error_status.from_rpc_error(error, address) from None
    finally:
        stream.cancel()
        await channel.close()


def talk(address: str, hello: pb.ActorHello, calls: list[pb.ActorCall]) -> list[pb.ActorReply]:
    return get_loop().run(converse(address, hello, calls), TIMEOUT)


@pytest.fixture
def till(client: Client) -> Any:
    """An actor's key and worker, and its proxy, which keeps it alive."""
    future = client.submit(Till, actor=True)
    proxy = future.result(timeout=TIMEOUT)
    [address] = client.who_has(future)[future.key]
    return future.key, address, proxy


def test_a_caller_that_speaks_json(till: Any) -> None:
    key, address, proxy = till
    calls = [
        pb.ActorCall(call_id=1, key=key, name="put", arguments=as_json([5])),
        pb.ActorCall(call_id=2, key=key, name="put", arguments=as_json({"args": [1], "kwargs": {"times": 10}})),
        pb.ActorCall(call_id=3, key=key, name="odd"),
        pb.ActorCall(call_id=4, key=key, name="currency", read=True),
        pb.ActorCall(call_id=5, key=key, name="put", arguments=as_json("five")),
        pb.ActorCall(call_id=6, key=key, name="missing"),
        pb.ActorCall(call_id=7, key="no-such-actor", name="put"),
    ]
    replies = talk(address, pb.ActorHello(caller="test", encoding="json"), calls)
    values = [json.loads(reply.value.data) for reply in replies if reply.WhichOneof("outcome") == "value"]
    assert values == [5, 15, "EUR"]
    assert replies[2].failure.type_name == "builtins.TypeError"
    assert replies[4].failure.type_name == "builtins.ValueError"
    assert replies[5].failure.type_name == "builtins.AttributeError"
    assert "no-such-actor" in replies[6].no_actor
    assert proxy.total == 15


@pytest.mark.parametrize(
    ("hello", "call"),
    [
        (pb.ActorHello(encoding="morse"), pb.ActorCall(call_id=1, name="put")),
        (pb.ActorHello(), pb.ActorCall(name="put")),
        (pb.ActorHello(), pb.ActorCall(call_id=1)),
        (pb.ActorHello(), pb.ActorCall(call_id=1, name="put", arguments=common_pb2.Payload(encoding="morse"))),
        (pb.ActorHello(), pb.ActorCall(call_id=1, name="put", arguments_key="never put")),
    ],
)
def test_messages_that_break_the_contract_are_refused(till: Any, hello: pb.ActorHello, call: pb.ActorCall) -> None:
    key, address, proxy = till
    call.key = key
    with pytest.raises(InvalidRequestError):
        talk(address, hello, [call])
    assert proxy.put(2).result(timeout=TIMEOUT) == 2


def test_arguments_belong_to_a_session(till: Any) -> None:
    _, address, _ = till

    async def put() -> None:
        channel = open_channel(address, CONTROL_CHANNEL)
        try:
            value = OutgoingValue("nobody/arguments-1", "json", [b"[]"])
            await upload(ServiceClient(channel, SERVICE, address), "PutActorData", [value])
        finally:
            await channel.close()

    with pytest.raises(UnknownSessionError, match="nobody"):
        get_loop().run(put(), TIMEOUT)


def test_the_relay_names_a_worker_that_is_there(client: Client) -> None:
    scheduler = client.scheduler
    assert scheduler is not None

    async def relay(first: pb.RelayActorCallsRequest) -> None:
        channel = open_channel(scheduler.address, CONTROL_CHANNEL)
        stream = ServiceClient(channel, RELAY, "the scheduler").open_session("RelayActorCalls")
        try:
            await stream.write(first.SerializeToString())
            await stream.read()
        except grpc.aio.AioRpcError as error:
            raise error_status.from_rpc_error(error, "the scheduler") from None
        finally:
            stream.cancel()
            await channel.close()

    with pytest.raises(UnknownWorkerError, match=r"127\.0\.0\.1:1"):
        get_loop().run(relay(pb.RelayActorCallsRequest(worker="127.0.0.1:1")), TIMEOUT)
    with pytest.raises(InvalidRequestError, match="must name the worker"):
        get_loop().run(relay(pb.RelayActorCallsRequest(message=b"")), TIMEOUT)


def test_a_worker_that_nobody_can_reach(client: Client) -> None:
    state = CallState("Till.put", "some-key", "put", False)
    core_of(client).session.actor_caller(None).send("127.0.0.1:1", state)
    with pytest.raises(OSError, match=r"Unable to contact Actor's worker .* No worker at"):
        ActorFuture(state, core_of(client)).result(timeout=TIMEOUT)


def test_many_large_values_at_once(till: Any) -> None:
    _, _, proxy = till
    calls = [proxy.block(number) for number in range(60)]
    for number, call in enumerate(calls):
        assert call.result(timeout=TIMEOUT) == bytes([number]) * 2_000_000


def test_calls_from_many_threads(till: Any) -> None:
    _, _, proxy = till

    def work(_: int) -> None:
        for _ in range(100):
            proxy.put(1).result(timeout=TIMEOUT)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert proxy.total == 800
