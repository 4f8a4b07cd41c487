"""Requests that are too large, out of order or forbidden end with a clear status, and the next client is served."""

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dask
import grpc
import pytest

from dagrpc import CancelledError, Client, LocalCluster
from dagrpc._auth.roles import RUNS_CODE_ON_SCHEDULER
from dagrpc._common.versions import PROTOCOL_MAX, PROTOCOL_MIN, own_versions
from dagrpc._loop.io_loop import get_loop
from dagrpc._rpc.admission_limits import CallLimits
from dagrpc._rpc.grpc_options import message_limit
from dagrpc.exceptions import CodeNotAllowedError, LimitReachedError, TooLargeError
from dagrpc.plugins.base import SchedulerPlugin, WorkerPlugin
from dagrpc.v1 import client_session_pb2 as client_pb2
from dagrpc.v1 import common_pb2, worker_session_pb2
from tests.support.waiting import eventually

TIMEOUT = 60
SESSION = "/dagrpc.v1.SchedulerService/UpdateGraph"
COMPUTE = "/dagrpc.v1.WorkerSessionService/Compute"
UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    settings = {
        "dagrpc.comm.limits.message-size": "4 MiB",
        "dagrpc.comm.limits.batch-size": "8 MiB",
        "dagrpc.comm.limits.metadata-size": "8 KiB",
        "dagrpc.comm.limits.calls-per-connection": 12,
        "dagrpc.scheduler.limits.graph-tasks": 500,
        "dagrpc.scheduler.limits.graph-size": "1 MiB",
    }
    with dask.config.set(settings):
        cluster = LocalCluster(n_workers=1, threads_per_worker=1)
    with cluster:
        yield cluster


def ask(cluster: LocalCluster, body: Callable[[grpc.aio.Channel], Awaitable[Any]], options: Any = UNLIMITED) -> Any:
    """Run a program that knows nothing but gRPC, and see that the next client is served."""

    async def run() -> Any:
        channel = grpc.aio.insecure_channel(cluster.scheduler_address, options=options)
        try:
            return await asyncio.wait_for(body(channel), TIMEOUT)
        finally:
            await channel.close()

    answer = get_loop().run(run(), TIMEOUT)
    with Client(cluster) as client:
        assert client.submit(sum, [1, 2, 3]).result(timeout=TIMEOUT) == 6
    return answer


async def converse(channel: grpc.aio.Channel, *messages: Any, path: str = SESSION) -> tuple[grpc.StatusCode, str]:
    """Send messages, and return how the stream ends."""
    stream = channel.stream_stream(path)(timeout=TIMEOUT)
    try:
        for message in messages:
            await stream.write(message if isinstance(message, bytes) else message.SerializeToString())
        while await stream.read() is not grpc.aio.EOF:
            pass
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        pass
    return await stream.code(), await stream.details() or ""


def hello() -> client_pb2.UpdateGraphRequest:
    versions = common_pb2.Versions(**own_versions())
    return client_pb2.UpdateGraphRequest(
        hello=client_pb2.ClientHello(client_id=f"raw-{uuid.uuid4().hex}", versions=versions)
    )


def graph(tasks: int, size: int = 1, **fields: Any) -> client_pb2.UpdateGraphRequest:
    found = [{"key": f"{uuid.uuid4().hex}-{number}", "run_spec": b"x" * size} for number in range(tasks)]
    part = {"graph_id": uuid.uuid4().hex, "tasks": found, **fields}
    return client_pb2.UpdateGraphRequest(commands=[client_pb2.ClientCommand(graph=part)])


def fragment(data: bytes, last: bool = False) -> client_pb2.UpdateGraphRequest:
    return client_pb2.UpdateGraphRequest(fragment=common_pb2.Fragment(data=data, last=last))


# --- who does not fit ---


@pytest.mark.parametrize(("lowest", "highest"), [(PROTOCOL_MAX + 1, PROTOCOL_MAX + 3), (0, PROTOCOL_MIN - 1)])
@pytest.mark.parametrize("path", [SESSION, COMPUTE])
def test_a_peer_with_another_protocol_is_refused(cluster: LocalCluster, path: str, lowest: int, highest: int) -> None:
    theirs = common_pb2.Versions(**{**own_versions(), "protocol_min": lowest, "protocol_max": highest})
    message: Any = client_pb2.UpdateGraphRequest(hello=client_pb2.ClientHello(client_id="another", versions=theirs))
    if path == COMPUTE:
        worker = worker_session_pb2.WorkerHello(address="127.0.0.1:1", nthreads=1, versions=theirs)
        message = worker_session_pb2.ComputeRequest(hello=worker)
    code, details = ask(cluster, lambda channel: converse(channel, message, path=path))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert f"speaks protocol revisions {lowest} to {highest}" in details
    assert f"speaks {PROTOCOL_MIN} to {PROTOCOL_MAX}" in details


def test_a_worker_with_other_versions_is_warned_about(cluster: LocalCluster) -> None:
    own = own_versions()
    theirs = common_pb2.Versions(**{**own, "dask": "1.0"})
    worker = worker_session_pb2.WorkerHello(address="127.0.0.1:1", nthreads=1, versions=theirs)

    async def join(channel: grpc.aio.Channel) -> list[str]:
        stream = channel.stream_stream(COMPUTE)(timeout=TIMEOUT)
        await stream.write(worker_session_pb2.ComputeRequest(hello=worker).SerializeToString())
        assert await stream.read() is not grpc.aio.EOF
        # It joins after it was welcomed, if it is still there.
        found: list[str] = []
        while not found:
            logs = await client.get_scheduler_logs()
            found = [text for _, text in logs if "Mismatched versions" in text]
        return found

    with Client(cluster) as client:
        (warning,) = ask(cluster, join)
    assert f"dask: scheduler {own['dask']}, worker 127.0.0.1:1 1.0" in warning
    assert "python" not in warning


# --- too much ---


@pytest.mark.parametrize(
    ("messages", "limit"),
    [
        ([graph(501, last=True)], "scheduler.limits.graph-tasks"),
        ([graph(300, graph_id="one"), graph(300, graph_id="one", last=True)], "scheduler.limits.graph-tasks"),
        ([graph(2, 400_000, graph_id="big"), graph(1, 400_000, graph_id="big")], "scheduler.limits.graph-size"),
        ([fragment(b"\0" * 2**20)] * 9, "comm.limits.batch-size"),
    ],
)
def test_messages_that_a_session_may_not_send(cluster: LocalCluster, messages: list[Any], limit: str) -> None:
    code, details = ask(cluster, lambda channel: converse(channel, hello(), *messages))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert limit in details


def test_messages_and_metadata_that_are_too_large(cluster: LocalCluster) -> None:
    async def send(channel: grpc.aio.Channel) -> list[grpc.StatusCode]:
        call = channel.unary_unary("/dagrpc.v1.SchedulerService/WhoHas")
        codes = []
        for request, metadata in ((b"\0" * (5 * 2**20), ()), (b"", (("x", "y" * 20_000),))):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(request, metadata=metadata, timeout=TIMEOUT)
            codes.append(caught.value.code())
        return codes

    assert ask(cluster, send) == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 2
    with Client(cluster) as client, pytest.raises(TooLargeError, match=r"comm\.limits\.message-size"):
        client.set_metadata("large", "x" * (5 * 2**20))


def test_a_graph_that_is_too_large_is_told_to_who_submits_it(cluster: LocalCluster) -> None:
    with Client(cluster) as client:
        future = client.map(abs, range(700))[-1]
        with pytest.raises(CancelledError, match=r"scheduler\.limits\.graph-tasks"):
            future.result(timeout=TIMEOUT)
        eventually(lambda: client.status == "closed")
    with Client(cluster) as client:
        assert client.submit(sum, [1, 2, 3]).result(timeout=TIMEOUT) == 6


def test_more_streams_than_one_connection_may_have(cluster: LocalCluster) -> None:
    async def flood(channel: grpc.aio.Channel) -> set[tuple[grpc.StatusCode, str]]:
        streams = [channel.stream_stream(SESSION)(timeout=TIMEOUT) for _ in range(20)]
        try:
            ends = [asyncio.ensure_future(stream.code()) for stream in streams]
            while sum(end.done() for end in ends) < 8:
                await asyncio.wait([end for end in ends if not end.done()], return_when=asyncio.FIRST_COMPLETED)
            refused = [stream for stream, end in zip(streams, ends, strict=True) if end.done()]
            return {(await stream.code(), await stream.details()) for stream in refused}
        finally:
            for stream in streams:
                stream.cancel()

    ((code, details),) = ask(cluster, flood)
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "12 calls under way" in details
    assert "comm.limits.calls-per-connection" in details


def test_counting_calls() -> None:
    with dask.config.set({"dagrpc.comm.limits.calls": 3, "dagrpc.comm.limits.calls-per-connection": 2}):
        limits = CallLimits()
    for _ in range(2):
        limits.begin("a", "rpc")
    with pytest.raises(LimitReachedError, match="per-connection"):
        limits.begin("a", "rpc")
    limits.begin("b", "rpc")
    with pytest.raises(LimitReachedError, match=r"comm\.limits\.calls\)"):
        limits.begin("c", "rpc")
    assert limits.under_way == 3
    for connection in ("a", "a", "b"):
        limits.end(connection)
    assert limits.under_way == 0
    assert not limits._by_connection
    for key, read in (("calls", CallLimits), ("message-size", message_limit)):
        with dask.config.set({f"dagrpc.comm.limits.{key}": 0}), pytest.raises(ValueError, match=f"limits.{key}"):
            read()


# --- out of order ---


@pytest.mark.parametrize(
    "messages",
    [
        [graph(1, last=True)],
        [client_pb2.UpdateGraphRequest()],
        [fragment(b"")],
        [client_pb2.UpdateGraphRequest(hello=client_pb2.ClientHello())],
        [hello(), b"\xff\xff\xff"],
        [hello(), fragment(b"\xff" * 100, last=True)],
        [hello(), client_pb2.UpdateGraphRequest(commands=[client_pb2.ClientCommand()])],
        [hello(), graph(1, last=True, shared=[{"digest": b"d"}], options=[{"resources": {"x": -1}}])],
    ],
)
def test_a_session_that_breaks_the_contract(cluster: LocalCluster, messages: list[Any]) -> None:
    code, details = ask(cluster, lambda channel: converse(channel, *messages))
    assert code is grpc.StatusCode.INVALID_ARGUMENT, details


def test_misplaced_messages_do_no_harm(cluster: LocalCluster) -> None:
    """Keys that nobody knows, a part without its first, answers to what was not asked."""

    async def talk(channel: grpc.aio.Channel) -> str:
        stream = channel.stream_stream(
            SESSION,
            request_serializer=client_pb2.UpdateGraphRequest.SerializeToString,
            response_deserializer=client_pb2.UpdateGraphResponse.FromString,
        )(timeout=TIMEOUT)
        await stream.write(hello())
        unknown = {"keys": ["nobody-knows", "nobody-knows"]}
        commands: list[dict[str, Any]] = [{name: unknown} for name in ("want", "release", "cancel", "retry")]
        commands += [{"release_shared": {"digests": [b"none"]}}, {"graph": {"graph_id": "x", "last": True}}]
        commands += [{"ping": {"token": 7}}]
        await stream.write(client_pb2.UpdateGraphRequest(commands=[client_pb2.ClientCommand(**c) for c in commands]))
        while True:
            message = await stream.read()
            assert message is not grpc.aio.EOF, await stream.details()
            for event in message.events:
                if event.HasField("pong"):
                    assert event.pong.token == 7
                    stream.cancel()
                    return "answered"

    assert ask(cluster, talk) == "answered"


def test_a_second_hello_ends_the_session(cluster: LocalCluster) -> None:
    code, details = ask(cluster, lambda channel: converse(channel, hello(), hello()))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "one `hello` for each stream" in details


def test_a_worker_session_that_breaks_the_contract(cluster: LocalCluster) -> None:
    for messages in ([b""], [b"\xff"], [worker_session_pb2.ComputeRequest()], []):
        code, details = ask(cluster, partial(_worker, messages=messages))
        assert code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION), details


async def _worker(channel: grpc.aio.Channel, messages: list[Any]) -> tuple[grpc.StatusCode, str]:
    if messages:
        return await converse(channel, *messages, path=COMPUTE)
    stream = channel.stream_stream(COMPUTE)(timeout=TIMEOUT)
    await stream.done_writing()
    return await stream.code(), await stream.details() or ""


# --- code on the scheduler ---


class Noted(SchedulerPlugin):
    """Leaves a trace where it is unpickled or started."""

    name = "noted"

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return _unpickled, (self.path,)


def _unpickled(path: str) -> Noted:
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n")
    return Noted(path)


class NotedOnWorkers(WorkerPlugin):
    """The same for workers."""

    name = "noted-on-workers"

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return _unpickled, (self.path,)


def test_a_scheduler_runs_no_code_unless_asked(tmp_path: Path) -> None:
    file, trace = tmp_path / "scheduler.json", tmp_path / "trace"
    command = [sys.executable, "-m", "dagrpc.cli", "scheduler", "--port=0", f"--scheduler-file={file}"]
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path})
    try:
        with Client(scheduler_file=str(file), timeout=TIMEOUT) as client:
            acts = {
                "SchedulerService.RunOnScheduler": lambda: client.run_on_scheduler(Noted(str(trace)).__reduce__),
                "PluginService.RegisterPlugin": lambda: client.register_plugin(Noted(str(trace))),
            }
            assert set(acts) == RUNS_CODE_ON_SCHEDULER
            for act in acts.values():
                with pytest.raises(CodeNotAllowedError, match="--allow-code"):
                    act()
            # These it hands on, and does not open.
            client.register_plugin(NotedOnWorkers(str(trace)))
            client.submit(_unpickled, str(trace))
            client.log_event("topic", {"a": 1})
            client.dump_cluster_state(str(tmp_path / "dump"), format="yaml")
            assert client.get_versions()["scheduler"]
    finally:
        process.terminate()
        process.wait(TIMEOUT)
    assert not trace.exists()


def test_methods_can_be_blocked() -> None:
    settings = {
        "dagrpc.scheduler.blocked-handlers": ["run_function", "RegisterPlugin", "register_worker_plugin"],
        "dagrpc.worker.blocked-handlers": ["run"],
    }
    with dask.config.set(settings):
        cluster = LocalCluster(n_workers=1, threads_per_worker=1)
    with cluster, Client(cluster) as client:
        for act in (
            lambda: client.run_on_scheduler(os.getpid),
            lambda: client.register_plugin(Noted("nowhere")),
            lambda: client.run(os.getpid),
        ):
            with pytest.raises((CodeNotAllowedError, OSError), match="blocked here by the setting"):
                act()
        assert client.submit(sum, [1, 2, 3]).result(timeout=TIMEOUT) == 6
