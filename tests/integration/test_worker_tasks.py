"""Workers run tasks and fetch the dependencies from each other, over real gRPC."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import grpc
import numpy as np
import pytest

from dagrpc._codec import payload
from dagrpc._codec.references import DependencyRef
from dagrpc._rpc.channels import ServiceClient
from dagrpc._rpc.server import Server
from dagrpc._transfer import transfers
from dagrpc._transfer.transfers import WORKER_SERVICE, OutgoingValue
from dagrpc.v1 import data_pb2, failure_pb2, graph_pb2
from dagrpc.v1 import worker_service_pb2 as pb
from dagrpc_worker.core.config import WorkerCoreConfig
from dagrpc_worker.shell import core_config
from tests.support.settings import set_for_test
from tests.unit.worker_shell.lab import Lab, in_lab, on

WAIT = 60.0


async def fetch(client: ServiceClient, *keys: str, **options: Any) -> dict[str, transfers.ReceivedValue]:
    received = await transfers.download(client, "GetData", pb.GetDataRequest(keys=keys, **options))
    return {value.entry.key: value for value in received}


def value_of(received: transfers.ReceivedValue) -> Any:
    return payload.decode(received.entry.encoding, received.frames)


# --- tasks ---


def test_tasks_run_and_results_travel_between_workers() -> None:
    async def body(lab: Lab) -> None:
        first, second = await lab.worker("first"), await lab.worker("second")
        first.submit("x", pow, 2, 10)
        assert await first.result("x") == 1024
        second.submit("y", divmod, DependencyRef("x"), 1000, dependencies={"x": on(first)})
        assert await second.result("y") == (1, 24)
        added = await second.wait("replicas_added")
        assert [(ref.key, ref.nbytes) for ref in added.data] == [("x", 28)]
        # What nobody needs any more is dropped.
        second.command(free={"keys": ["x", "y"]})
        second.submit("z", abs, -1)
        await second.result("z")
        assert list(lab.workers[1].data) == ["z"]

    in_lab(body)


def test_many_small_results_come_in_few_transfers() -> None:
    async def body(lab: Lab) -> None:
        first, second = await lab.worker("first"), await lab.worker("second")
        keys = [f"n-{index}" for index in range(3000)]
        for index, key in enumerate(keys):
            first.submit(key, abs, index)
        for key in keys:
            await first.result(key)
        total = second.submit(
            "total", sum, [DependencyRef(key) for key in keys], dependencies={key: on(first) for key in keys}
        )
        assert await second.result("total") == sum(range(3000))
        assert total == 1

    in_lab(body)


@pytest.mark.parametrize("value", [b"", "", None, b"\0" * (1 << 20), b"x" * ((1 << 20) + 1), [b""] * 3])
def test_values_of_all_sizes_travel(value: Any) -> None:
    async def body(lab: Lab) -> None:
        first, second = await lab.worker("first"), await lab.worker("second")
        first.submit("x", lambda: value)
        await first.wait("finished", "x")
        second.submit("same", value.__eq__, DependencyRef("x"), dependencies={"x": on(first)})
        assert await second.result("same") is True

    in_lab(body)


@pytest.mark.parametrize("same_host", [True, False])
def test_arrays_travel_writable(monkeypatch: pytest.MonkeyPatch, same_host: bool) -> None:
    set_for_test(monkeypatch, "comm.same-host", same_host)

    async def body(lab: Lab) -> None:
        first, second = await lab.worker("first"), await lab.worker("second")
        first.submit("x", np.arange, 2_000_000)
        finished = await first.wait("finished", "x")
        assert not finished.HasField("payload")
        assert finished.nbytes == 16_000_000
        dependencies = {"x": on(first, nbytes=finished.nbytes)}
        second.submit(
            "y", lambda x: (bool(x.flags.writeable), int(x[-1])), DependencyRef("x"), dependencies=dependencies
        )
        assert await second.result("y") == (True, 1_999_999)

    in_lab(body)


def test_a_result_that_cannot_be_pickled_serves_here_and_fails_elsewhere() -> None:
    async def body(lab: Lab) -> None:
        first, second = await lab.worker("first"), await lab.worker("second")
        first.submit("lock", threading.Lock)
        finished = await first.wait("finished", "lock")
        assert not finished.HasField("payload")
        first.submit("locked", lambda lock: lock.locked(), DependencyRef("lock"), dependencies={"lock": on(first)})
        assert await first.result("locked") is False
        second.submit("there", lambda lock: lock.locked(), DependencyRef("lock"), dependencies={"lock": on(first)})
        failure = (await second.wait("erred", "there")).failure
        assert failure.kind == failure_pb2.FAILURE_KIND_SERIALIZATION
        assert "cannot pickle '_thread.lock' object" in failure.message
        answer = (await fetch(lab.client(first.address), "lock"))["lock"].entry
        assert answer.outcome == data_pb2.DATA_OUTCOME_NOT_ENCODABLE

    in_lab(body)


def test_a_function_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    set_for_test(monkeypatch, "worker.allowed-calls", ["math:sqrt"])

    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        four = graph_pb2.Argument(value={"encoding": "json", "data": b"4"})
        worker.call("x", graph_pb2.Call(entrypoint="math:sqrt", arguments=[four]))
        assert await worker.result("x") == 2.0

    in_lab(body)


def test_a_task_that_was_not_started_is_given_back() -> None:
    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        worker.submit("busy", time.sleep, 0.5)
        run_id = worker.submit("waits", abs, -1)
        worker.command(steal={"key": "waits", "run_id": run_id})
        answer = await worker.wait("steal_answer", "waits", timeout=0.4)
        assert answer.state == "ready"

    in_lab(body)


def test_shared_values_are_kept_until_they_are_freed() -> None:
    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        worker.submit("x", abs, -1)
        assert await worker.result("x") == 1
        store = lab.workers[0]._shared
        (digest,) = store._data
        worker.command(free_shared={"digests": [digest]})
        worker.submit("y", pow, 1, 1)
        await worker.result("y")
        assert digest not in store._data

    in_lab(body)


def test_data_that_comes_before_the_schedulers_welcome_is_reported() -> None:
    async def body(lab: Lab) -> None:
        async def put(address: str) -> None:
            encoding, frames = payload.encode([1, 2, 3])
            value = OutgoingValue("x", encoding, frames)
            await transfers.upload(lab.client(address), "PutData", [value])

        lab.scheduler.before_welcome = put
        worker = await lab.worker("only")
        added = await worker.wait("replicas_added")
        assert [ref.key for ref in added.data] == ["x"]

    in_lab(body)


# --- what goes wrong between workers ---


def test_nobody_at_a_holders_address_is_told_to_the_scheduler() -> None:
    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        worker.submit("y", abs, DependencyRef("x"), dependencies={"x": (28, ["127.0.0.1:1"])})
        missing = await worker.wait("data_missing", "x")
        assert missing.worker == "127.0.0.1:1"

    in_lab(body)


def test_a_holder_that_does_not_hold_is_told_to_the_scheduler() -> None:
    async def body(lab: Lab) -> None:
        first, second = await lab.worker("first"), await lab.worker("second")
        second.submit("y", abs, DependencyRef("x"), dependencies={"x": on(first)})
        missing = await second.wait("data_missing", "x")
        assert missing.worker == first.address
        # Somebody else has it after all.
        third = await lab.worker("third")
        third.submit("x", abs, -5)
        await third.result("x")
        second.command(refresh_who_has={"data": [{"key": "x", "nbytes": 28, "workers": [third.address]}]})
        assert await second.result("y") == 5

    in_lab(body)


class HangingPeer:
    """Knows no streams of fetches. Answers GetData with a manifest and half of the bytes, and then with nothing."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def unknown(request: Any, context: Any) -> Any:
            raise NotImplementedError

        return unknown

    async def FetchData(self, _: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not known here")

    async def GetData(self, request: pb.GetDataRequest, context: Any) -> None:
        values = [OutgoingValue(key, "raw", [b"x" * (3 << 20)]) for key in request.keys]
        messages = list(transfers.transfer_messages(values))
        for message in messages[:2]:
            await context.write(message)
        self.asked.set()
        await asyncio.sleep(3600)


class HangingStream(HangingPeer):
    """Takes what is asked for over a stream, and answers nothing."""

    async def FetchData(self, _: Any, context: Any) -> None:
        message = await context.read()
        assert [list(fetch.request.keys) for fetch in message.fetches] == [["x"]]
        self.asked.set()
        await asyncio.sleep(3600)


@pytest.mark.parametrize("kind", [HangingPeer, HangingStream])
def test_a_peer_that_goes_away_during_a_transfer_is_told_to_the_scheduler(
    kind: type[HangingPeer], monkeypatch: pytest.MonkeyPatch
) -> None:
    # That no data comes is not what tells.
    set_for_test(monkeypatch, "comm.timeouts.tcp", "1h")

    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        peer, server = kind(), Server()
        server.add_service(WORKER_SERVICE, peer)
        address = f"127.0.0.1:{await server.start('127.0.0.1')}"
        worker.submit("y", len, DependencyRef("x"), dependencies={"x": (3 << 20, [address])})
        await asyncio.wait_for(peer.asked.wait(), WAIT)
        await server.stop(0)
        await worker.wait("data_missing", "x", timeout=60)
        assert "x" not in lab.workers[0].data

    in_lab(body)


@pytest.mark.parametrize("kind", [HangingPeer, HangingStream])
def test_a_peer_that_stops_sending_is_given_up(monkeypatch: pytest.MonkeyPatch, kind: type[HangingPeer]) -> None:
    set_for_test(monkeypatch, "comm.timeouts.tcp", "0.3 s")
    # The pauses between its attempts would only be waited for.
    monkeypatch.setattr(core_config, "WorkerCoreConfig", partial(WorkerCoreConfig, retry_delay_limit=0.05))

    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        peer, server = kind(), Server()
        server.add_service(WORKER_SERVICE, peer)
        address = f"127.0.0.1:{await server.start('127.0.0.1')}"
        worker.submit("y", len, DependencyRef("x"), dependencies={"x": (3 << 20, [address])})
        await worker.wait("data_missing", "x")
        await server.stop(0)

    in_lab(body)
