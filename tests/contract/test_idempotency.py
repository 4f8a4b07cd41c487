"""The contract marks the calls that may be repeated, and all other calls are made once."""

from __future__ import annotations

from typing import Any

import dask
import pytest
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message_factory import GetMessageClass

from dagrpc._loop.io_loop import get_loop
from dagrpc._rpc.channels import ServiceClient, open_channel
from dagrpc._rpc.grpc_options import CONTROL_CHANNEL
from dagrpc.exceptions import CommClosedError
from tests.contract.rpcs import services

# Each call runs something of the user's, or sends what is taken once.
NOT_REPEATABLE = {
    "ActorRelayService.RelayActorCalls",
    "ActorService.CallActor",
    "ActorService.PutActorData",
    "NannyService.RunInNanny",
    "SchedulerService.RelayData",
    "SchedulerService.RestartWorkers",
    "SchedulerService.RunOnScheduler",
    "SchedulerService.RunOnWorkers",
    "SchedulerService.UpdateGraph",
    "WorkerService.Run",
    "WorkerSessionService.Compute",
    "WorkerSessionService.Heartbeat",
}
SERVICES = list(services())
RETRIES = {"distributed.comm.retry": {"count": 2, "delay": {"min": "1ms", "max": "2ms"}}}


def test_every_other_method_says_that_it_may_be_repeated() -> None:
    levels = {
        f"{service.name}.{method.name}": method.GetOptions().idempotency_level
        for service in SERVICES
        for method in service.methods
    }
    unknown = {name for name, level in levels.items() if level == MethodOptions.IDEMPOTENCY_UNKNOWN}
    assert unknown == NOT_REPEATABLE


@pytest.mark.parametrize("name", ["NannyService.RunInNanny", "WorkerService.Run", "NannyService.GetWorkerStatus"])
def test_a_call_that_gets_no_answer_is_repeated_only_if_the_contract_allows_it(name: str) -> None:
    service = next(each for each in SERVICES if each.name == name.split(".")[0])
    method = service.methods_by_name[name.split(".")[1]]
    tried: list[int] = []

    def serialize(message: Any) -> bytes:
        tried.append(1)
        data: bytes = message.SerializeToString()
        return data

    async def call() -> None:
        channel = open_channel("127.0.0.1:9", CONTROL_CHANNEL)
        client = ServiceClient(channel, service, "nobody")
        client._unary[method.name] = channel.unary_unary(client._path(method.name), request_serializer=serialize)
        request, response = GetMessageClass(method.input_type)(), GetMessageClass(method.output_type)
        try:
            await client.call(method.name, request, response)
        finally:
            await channel.close()

    with dask.config.set(RETRIES), pytest.raises(CommClosedError):
        get_loop().run(call(), 60)
    assert len(tried) == (1 if name in NOT_REPEATABLE else 3)
