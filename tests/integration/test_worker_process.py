"""Workers over real gRPC, with a stand-in for the scheduler: in this process, and as processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dagrpc._codec import calls, payload
from dagrpc._codec.tasks import DependencyRef
from dagrpc._io import transfer
from dagrpc._io.channels import ServiceClient, open_channel
from dagrpc._io.loop import get_loop
from dagrpc._io.options import CONTROL_CHANNEL, DATA_CHANNEL
from dagrpc._io.server import Server
from dagrpc._io.transfer import WORKER_SERVICE, OutgoingValue
from dagrpc._util.child import Child, inherited_sys_path
from dagrpc.exceptions import CommClosedError, DuplicateWorkerError, InvalidRequestError, LimitReachedError
from dagrpc.v1 import data_pb2, failure_pb2, graph_pb2
from dagrpc.v1 import worker_service_pb2 as pb
from dagrpc_worker.exit_codes import ExitCode
from dagrpc_worker.shell.options import WorkerOptions
from dagrpc_worker.shell.service import EndKind, WorkerService
from tests.unit.worker_shell.standin import JoinedWorker, StandIn

WAIT = 20.0


class Lab:
    """A stand-in with workers in this process."""

    def __init__(self, scheduler: StandIn) -> None:
        self.scheduler = scheduler
        self.workers: list[WorkerService] = []
        self._channels: list[Any] = []

    async def worker(self, name: str, **options: Any) -> JoinedWorker:
        """Start a worker and return it as the stand-in sees it."""
        settings = {"nthreads": 1, "heartbeat_interval": 0.05, "scheduler_address": self.scheduler.address, **options}
        service = WorkerService(WorkerOptions(name=name, **settings))
        await service.start()
        self.workers.append(service)
        return self.scheduler.workers[service.address]

    def client(self, address: str) -> ServiceClient:
        channel = open_channel(address, DATA_CHANNEL)
        self._channels.append(channel)
        return ServiceClient(channel, WORKER_SERVICE, address)

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()
        await asyncio.gather(*(worker.close("test over") for worker in self.workers))
        await self.scheduler.stop()


def in_lab(body: Callable[[Lab], Awaitable[None]], timeout: float = 60.0) -> None:
    """Run a test on the process's loop."""

    async def run() -> None:
        lab = Lab(await StandIn().start())
        try:
            await body(lab)
        finally:
            await lab.close()

    get_loop().run(run(), timeout)


def on(*workers: JoinedWorker, nbytes: int = 28) -> tuple[int, list[str]]:
    return nbytes, [worker.address for worker in workers]


async def fetch(client: ServiceClient, *keys: str, **options: Any) -> dict[str, transfer.ReceivedValue]:
    received = await transfer.download(client, "GetData", pb.GetDataRequest(keys=keys, **options))
    return {value.entry.key: value for value in received}


def value_of(received: transfer.ReceivedValue) -> Any:
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


def test_arrays_travel_writable() -> None:
    numpy = pytest.importorskip("numpy")

    async def body(lab: Lab) -> None:
        first, second = await lab.worker("first"), await lab.worker("second")
        first.submit("x", numpy.arange, 2_000_000)
        finished = await first.wait("finished", "x")
        assert not finished.HasField("payload")
        assert finished.nbytes == 16_000_000
        dependencies = {"x": on(first, nbytes=finished.nbytes)}
        second.submit("y", lambda x: (bool(x.flags.writeable), int(x[-1])), DependencyRef("x"), dependencies=dependencies)
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


def test_a_function_by_name() -> None:
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
    """Answers GetData with a manifest and half of the bytes, and then with nothing."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def unknown(request: Any, context: Any) -> Any:
            raise NotImplementedError

        return unknown

    async def GetData(self, request: pb.GetDataRequest, context: Any) -> None:
        values = [OutgoingValue(key, "raw", [b"x" * (3 << 20)]) for key in request.keys]
        messages = list(transfer.transfer_messages(values))
        for message in messages[:2]:
            await context.write(message)
        self.asked.set()
        await asyncio.sleep(WAIT)


def test_a_peer_that_goes_away_during_a_transfer_is_told_to_the_scheduler() -> None:
    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        peer, server = HangingPeer(), Server()
        server.add_service(WORKER_SERVICE, peer)
        address = f"127.0.0.1:{await server.start('127.0.0.1')}"
        worker.submit("y", len, DependencyRef("x"), dependencies={"x": (3 << 20, [address])})
        await asyncio.wait_for(peer.asked.wait(), WAIT)
        begun = time.monotonic()
        await server.stop(0)
        await worker.wait("data_missing", "x")
        assert time.monotonic() - begun < 10
        assert "x" not in lab.workers[0].data

    in_lab(body)


def test_a_peer_that_stops_sending_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules["dagrpc.config"].DEFAULTS, "comm.timeouts.tcp", "0.3 s")

    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        peer, server = HangingPeer(), Server()
        server.add_service(WORKER_SERVICE, peer)
        address = f"127.0.0.1:{await server.start('127.0.0.1')}"
        worker.submit("y", len, DependencyRef("x"), dependencies={"x": (3 << 20, [address])})
        await worker.wait("data_missing", "x")
        await server.stop(0)

    in_lab(body)


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


def test_workers_are_refused_when_it_is_busy_and_clients_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules["dagrpc.config"].DEFAULTS, "worker.connections.incoming", 1)

    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        worker.submit("x", bytes, 32 << 20)
        await worker.wait("finished", "x")
        slots = lab.workers[0]._data_servicer.slots
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
        assert slots.active == 0

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
        [pb.PutDataRequest(manifest={"entries": [{"key": "a", "outcome": 1, "frame_lengths": [5]}]}).SerializeToString()],
        list(transfer.transfer_messages([OutgoingValue("a", "pickle", [b"no pickle"])])),
        list(transfer.transfer_messages([OutgoingValue("a", "unheard of", [b"x"])])),
    ],
    ids=["nothing", "garbage", "end first", "no end", "not decodable", "unknown encoding"],
)
def test_what_is_no_transfer_is_refused(messages: list[bytes]) -> None:
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

    from dagrpc._io import status

    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise status.from_rpc_error(error, peer) from None


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


def test_what_a_function_raises_is_raised() -> None:
    def fail(x: int) -> float:
        return 1 / x

    async def body(lab: Lab) -> None:
        worker = await lab.worker("only")
        with pytest.raises(ZeroDivisionError) as caught:
            await run(lab, worker, fail, 0)
        assert caught.traceback[-1].name == "fail"
        with pytest.raises(TypeError, match="pickle"):
            await run(lab, worker, threading.Lock)
        with pytest.raises(SystemExit):
            await run(lab, worker, sys.exit, 3)

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


# --- joining and leaving ---


def test_a_name_that_is_taken_is_refused() -> None:
    async def body(lab: Lab) -> None:
        await lab.worker("taken")
        with pytest.raises(DuplicateWorkerError, match="'taken'"):
            await lab.worker("taken")

    in_lab(body)


def test_a_successor_waits_until_its_name_is_free() -> None:
    async def body(lab: Lab) -> None:
        first = await lab.worker("name")
        second = asyncio.create_task(lab.worker("name", duplicate_grace=WAIT))
        await asyncio.sleep(0.2)
        first.command(close={"reason": "make room"})
        assert (await second).hello.name == "name"

    in_lab(body)


def test_no_scheduler_in_time() -> None:
    async def body(lab: Lab) -> None:
        begun = time.monotonic()
        with pytest.raises(CommClosedError, match="127.0.0.1:1"):
            await lab.worker("lonely", scheduler_address="127.0.0.1:1", death_timeout=0.3)
        assert time.monotonic() - begun < 5

    in_lab(body)


def test_the_scheduler_may_come_later(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"

    async def body(lab: Lab) -> None:
        options = WorkerOptions(scheduler_file=str(file), name="early", nthreads=1)
        lab.workers.append(WorkerService(options))
        starting = asyncio.create_task(lab.workers[0].start())
        await asyncio.sleep(0.1)
        file.write_text(json.dumps({"address": lab.scheduler.address, "id": "x"}))
        await asyncio.wait_for(starting, WAIT)

    in_lab(body)


@pytest.mark.parametrize("content", ["{}", "not json", "[]", '{"address": 5}'])
def test_a_file_that_names_no_scheduler(tmp_path: Path, content: str) -> None:
    file = tmp_path / "scheduler.json"
    file.write_text(content)

    async def body(lab: Lab) -> None:
        with pytest.raises(ValueError, match=r"scheduler\.json"):
            await WorkerService(WorkerOptions(scheduler_file=str(file), nthreads=1)).start()

    in_lab(body)


def test_a_worker_leaves_when_it_is_told_to_or_its_scheduler_is_gone() -> None:
    async def body(lab: Lab) -> None:
        told, again, lost = [await lab.worker(name) for name in ("told", "again", "lost")]
        directories = [Path(worker.local_directory) for worker in lab.workers]
        assert all(directory.is_dir() and directory.stat().st_mode & 0o077 == 0 for directory in directories)
        told.command(close={"reason": "enough"})
        again.command(close={"reason": "afresh", "restart": True})
        ends = [await asyncio.wait_for(worker.finished(), WAIT) for worker in lab.workers[:2]]
        assert [end.kind for end in ends] == [EndKind.CLOSED, EndKind.RESTART]
        await asyncio.wait_for(told.gone.wait(), WAIT)
        assert told.goodbye == "enough"
        await lab.scheduler.stop()
        end = await asyncio.wait_for(lab.workers[2].finished(), WAIT)
        assert (end.kind, lost.goodbye) == (EndKind.LOST, None)
        assert not any(directory.exists() for directory in directories)

    in_lab(body)


def test_closing_breaks_off_a_start() -> None:
    async def body(lab: Lab) -> None:
        worker = WorkerService(WorkerOptions(scheduler_address="127.0.0.1:1", nthreads=1))
        starting = asyncio.create_task(worker.start())
        await asyncio.sleep(0.1)
        end = await asyncio.wait_for(worker.close("changed my mind"), 5)
        assert end.kind is EndKind.CLOSED
        with pytest.raises(CommClosedError, match="changed my mind"):
            await starting

    in_lab(body)


def test_closing_does_not_wait_for_tasks() -> None:
    async def body(lab: Lab) -> None:
        worker = await lab.worker("busy")
        worker.submit("long", time.sleep, 5.0)
        await asyncio.sleep(0.1)
        begun = time.monotonic()
        await lab.workers[0].close("now")
        assert time.monotonic() - begun < 3

    in_lab(body)


# --- the process ---


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    children: list[Child] = []

    def start(**options: Any) -> Child:
        options = {"nthreads": 1, "local_directory": str(tmp_path), **options}
        settings = {"sys_path": inherited_sys_path(), "config": {}, "log_level": "WARNING", "options": options}
        children.append(Child("dagrpc_worker.process", settings))
        return children[-1]

    yield start
    for child in children:
        child.process.kill()
        child.process.wait(WAIT)
        child.close_pipes()


def exit_code(child: Child) -> Awaitable[int]:
    return asyncio.wait_for(asyncio.to_thread(child.process.wait), WAIT)


def test_how_processes_end(spawn: Callable[..., Child], tmp_path: Path) -> None:
    async def body(lab: Lab) -> None:
        address = lab.scheduler.address
        children = [spawn(scheduler_address=address, name=name) for name in ("close", "restart", "term", "orphan")]
        workers = {worker.hello.name: worker for worker in await lab.scheduler.wait_for(4)}
        reports = [await asyncio.to_thread(child.read_report) for child in children for _ in range(2)]
        assert [report["status"] for report in reports] == ["connecting", "running"] * 4
        assert reports[1]["address"] == workers["close"].address
        workers["close"].command(close={"reason": "x"})
        workers["restart"].command(close={"reason": "x", "restart": True})
        os.kill(children[2].pid, signal.SIGTERM)
        children[3].release()
        codes = [await exit_code(child) for child in children]
        assert codes == [ExitCode.CLOSED, ExitCode.RESTART, 128 + signal.SIGTERM, ExitCode.CLOSED]
        assert all(worker.goodbye is not None for worker in workers.values())
        assert list(tmp_path.glob("*/worker-*")) == []

        lost = spawn(scheduler_address=address, name="lost")
        await lab.scheduler.wait_for(5)
        twin = spawn(scheduler_address=address, name="lost")
        assert await exit_code(twin) == ExitCode.REFUSED
        reports = [await asyncio.to_thread(twin.read_report) for _ in range(2)]
        assert "'lost'" in reports[1]["error"]
        await lab.scheduler.stop()
        assert await exit_code(lost) == ExitCode.LOST_SCHEDULER
        nobody = spawn(scheduler_address=address, death_timeout=0.2)
        assert await exit_code(nobody) == ExitCode.NO_SCHEDULER
        badly = spawn(scheduler_address=address, host="10.255.255.1")
        assert await exit_code(badly) == ExitCode.BAD_SETTINGS

    in_lab(body)


def _spin() -> None:
    while True:
        sum(range(1000))


def test_a_busy_process_ends_soon_when_its_parent_is_gone(spawn: Callable[..., Child]) -> None:
    async def body(lab: Lab) -> None:
        child = spawn(scheduler_address=lab.scheduler.address, name="busy", nthreads=3)
        (worker,) = await lab.scheduler.wait_for(1)
        for index in range(3):
            worker.submit(f"spin-{index}", _spin)
        await asyncio.sleep(0.3)
        begun = time.monotonic()
        child.release()
        await exit_code(child)
        assert time.monotonic() - begun < 8

    in_lab(body)


def test_a_killed_process_is_gone_from_a_transfer(spawn: Callable[..., Child]) -> None:
    async def body(lab: Lab) -> None:
        child = spawn(scheduler_address=lab.scheduler.address, name="holder")
        (holder,) = await lab.scheduler.wait_for(1)
        holder.submit("x", bytes, 400 << 20)
        await holder.wait("finished", "x")
        taker = await lab.worker("taker")
        taker.submit("y", len, DependencyRef("x"), dependencies={"x": on(holder, nbytes=400 << 20)})
        await asyncio.sleep(0.1)
        child.process.kill()
        begun = time.monotonic()
        async with asyncio.timeout(WAIT):
            while taker.find("data_missing", "x") is None and taker.find("finished", "y") is None:
                await asyncio.sleep(0.01)
        assert time.monotonic() - begun < 15

    in_lab(body)
