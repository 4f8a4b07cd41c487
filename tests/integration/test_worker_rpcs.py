"""The rpcs of a worker: transfer of data, calls of functions, status and health."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from dagrpc._codec import calls, payload
from dagrpc._rpc.channels import ServiceClient, open_channel
from dagrpc._rpc.grpc_options import CONTROL_CHANNEL
from dagrpc._transfer import transfers as transfer
from dagrpc._transfer.transfers import WORKER_SERVICE, OutgoingValue
from dagrpc.exceptions import InvalidRequestError, LimitReachedError
from dagrpc.v1 import data_pb2
from dagrpc.v1 import worker_service_pb2 as pb
from tests.support.settings import set_for_test
from tests.unit.worker_shell.lab import Lab, in_lab
from tests.unit.worker_shell.standin import JoinedWorker

WAIT = 20.0


async def fetch(client: ServiceClient, *keys: str, **options: Any) -> dict[str, transfer.ReceivedValue]:
    received = await transfer.download(client, "GetData", pb.GetDataRequest(keys=keys, **options))
    return {value.entry.key: value for value in received}


def value_of(received: transfer.ReceivedValue) -> Any:
    return payload.decode(received.entry.encoding, received.frames)


# --- the data service ---


def test_a_transfer_keeps_to_the_callers_limit() -> None:
    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        for key in "abc":
            worker.submit(key, bytes, 1000)
        for key in "abc":
            await worker.wait("finished", key)
        client = lab.client(worker.address)
        got = await fetch(client, "a", "b", "c", "d", max_bytes=2500)
        outcomes = {key: value.entry.outcome for key, value in got.items()}
        assert outcomes == {
            "a": data_pb2.DATA_OUTCOME_OK,
            "b": data_pb2.DATA_OUTCOME_OK,
            "c": data_pb2.DATA_OUTCOME_DEFERRED,
            "d": data_pb2.DATA_OUTCOME_MISSING,
        }
        assert value_of(got["a"]) == bytes(1000)
        assert got["a"].entry.type_name == "builtins.bytes"
        # The first is sent however large it is.
        got = await fetch(client, "b", "c", max_bytes=1)
        assert [value.entry.outcome for value in got.values()] == [
            data_pb2.DATA_OUTCOME_OK,
            data_pb2.DATA_OUTCOME_DEFERRED,
        ]
        assert await fetch(client) == {}

    in_lab(body)


def test_very_many_values_come_in_several_transfers() -> None:
    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        keys = [f"a-key-of-usual-length-{index:06}" for index in range(25_000)]
        for key in keys:
            lab.workers[0].data.put(key, None, 16)
        client, left, transfers = lab.client(worker.address), keys, 0
        while left:
            got = await fetch(client, *left)
            transfers += 1
            left = [key for key in left if got[key].entry.outcome == data_pb2.DATA_OUTCOME_DEFERRED]
        assert transfers == 3
        with pytest.raises(InvalidRequestError, match="fewer at once"):
            await fetch(client, *(key * 4 for key in keys))

    in_lab(body)


def test_workers_are_refused_when_it_is_busy_and_clients_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    set_for_test(monkeypatch, "worker.connections.incoming", 1)

    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        worker.submit("x", bytes, 32 << 20)
        await worker.wait("finished", "x")
        slots = lab.workers[0].server.data.slots
        slow = lab.client(worker.address).open_download("GetData", pb.GetDataRequest(keys=["x"]))
        await slow.read()
        assert slots.active == 1
        with pytest.raises(LimitReachedError, match="limit is 1"):
            await fetch(lab.client(worker.address), "x", requester="127.0.0.1:2")
        client = asyncio.create_task(fetch(lab.client(worker.address), "x"))
        await asyncio.sleep(0.1)
        assert not client.done()
        slow.cancel()
        assert len(value_of((await client)["x"])) == 32 << 20
        async with asyncio.timeout(WAIT):
            while slots.active:
                await asyncio.sleep(0.01)

    in_lab(body)


def test_data_can_be_put() -> None:
    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        client = lab.client(worker.address)
        values = []
        for key, value in (("a", 1), ("b", b"x" * (3 << 20)), ("c", b"")):
            encoding, frames = payload.encode(value)
            values.append(OutgoingValue(key, encoding, frames, nbytes=100))
        answer = await transfer.upload(client, "PutData", values)
        assert answer.total_bytes == sum(len(frame) for value in values for frame in value.frames)
        added = await worker.wait("replicas_added")
        assert [(ref.key, ref.nbytes) for ref in added.data] == [("a", 100), ("b", 100), ("c", 100)]
        assert lab.workers[0].data["b"] == b"x" * (3 << 20)
        got = await fetch(client, "a", "c")
        assert [value_of(value) for value in got.values()] == [1, b""]

    in_lab(body)


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [b"garbage"],
        [pb.PutDataRequest(end={"total_bytes": 0}).SerializeToString()],
        [
            pb.PutDataRequest(
                manifest={"entries": [{"key": "a", "outcome": 1, "frame_lengths": [5]}]}
            ).SerializeToString()
        ],
        list(transfer.transfer_messages([OutgoingValue("a", "pickle", [b"no pickle"])])),
        list(transfer.transfer_messages([OutgoingValue("a", "unheard of", [b"x"])])),
    ],
    ids=["nothing", "garbage", "end first", "no end", "not decodable", "unknown encoding"],
)
def test_messages_that_are_no_transfer_are_refused(messages: list[bytes]) -> None:
    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        call = lab.client(worker.address).open_upload("PutData")
        for message in messages:
            await call.write(message)
        await call.done_writing()
        with pytest.raises(InvalidRequestError):
            await _raising(call, worker.address)
        assert len(lab.workers[0].data) == 0

    in_lab(body)


async def _raising(call: Any, peer: str) -> Any:
    import grpc

    from dagrpc._rpc import error_status

    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise error_status.from_rpc_error(error, peer) from None


# --- run and status ---


async def run(lab: Lab, worker: JoinedWorker, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    channel = open_channel(worker.address, CONTROL_CHANNEL)
    client = ServiceClient(channel, WORKER_SERVICE, worker.address)
    request = pb.RunRequest(function=calls.encode_call_request(function, args), **options)
    try:
        result = (await client.call("Run", request, pb.RunResponse)).result
    finally:
        await channel.close()
    assert result.worker == worker.address
    return calls.result_of(result)


def test_functions_run_while_all_threads_are_busy() -> None:
    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        worker.submit("busy", time.sleep, 1.0)
        assert await run(lab, worker, lambda a, dask_worker: (a, dask_worker.name), 1) == (1, "only")

        async def name(dask_worker: Any) -> str:
            await asyncio.sleep(0)
            return str(dask_worker.address)

        assert await run(lab, worker, name) == worker.address
        assert await run(lab, worker, time.sleep, 5.0, no_wait=True) is None
        assert worker.find("finished", "busy") is None

    in_lab(body)


def test_the_exception_of_a_function_is_raised() -> None:
    def fail(x: int) -> float:
        return 1 / x

    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        with pytest.raises(ZeroDivisionError) as caught:
            await run(lab, worker, fail, 0)
        assert caught.traceback[-1].name == "fail"
        with pytest.raises(TypeError, match="pickle"):
            await run(lab, worker, threading.Lock)
        # As itself it would end the caller's program.
        with pytest.raises(RuntimeError, match=r"SystemExit\(3\) was raised on the cluster") as exited:
            await run(lab, worker, sys.exit, 3)
        assert isinstance(exited.value.__cause__, SystemExit)

    in_lab(body)


def test_status_and_heartbeats() -> None:
    async def body(lab: Lab) -> None:
        worker = await lab.worker("only", resources={"GPU": 2.0}, memory_limit=1 << 30)
        hello = worker.hello
        assert (hello.name, hello.nthreads, hello.memory_limit, hello.pid) == ("only", 1, 1 << 30, os.getpid())
        assert dict(hello.resources) == {"GPU": 2.0}
        assert hello.versions.protocol_max >= 1
        worker.submit("x", bytes, 1000)
        await worker.wait("finished", "x")
        worker.submit("busy", time.sleep, 1.0)
        async with asyncio.timeout(WAIT):
            while not any(beat.metrics["executing"] for beat in lab.scheduler.heartbeats):
                await asyncio.sleep(0.01)
        metrics = lab.scheduler.heartbeats[-1].metrics
        assert metrics["in_memory"] == 1
        assert metrics["managed_bytes"] == 1000
        assert metrics["memory"] > 10_000_000
        assert metrics["num_fds"] > 0
        status = await lab.client(worker.address).call("GetStatus", pb.GetStatusRequest(), pb.GetStatusResponse)
        assert (status.worker.name, status.worker.address) == ("only", worker.address)
        assert 0 < status.executing["busy"] < WAIT
        assert status.tasks == {"executing": 1, "memory": 1}

    in_lab(body)


def test_health_is_served() -> None:
    from grpc_health.v1 import health_pb2

    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        client = ServiceClient(
            open_channel(worker.address, CONTROL_CHANNEL),
            health_pb2.DESCRIPTOR.services_by_name["Health"],
            worker.address,
        )
        for name in ("", "dagrpc.v1.WorkerService"):
            request = health_pb2.HealthCheckRequest(service=name)
            answer = await client.call("Check", request, health_pb2.HealthCheckResponse)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        await client.channel.close()

    in_lab(body)
