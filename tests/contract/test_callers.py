"""Callers: clients that call functions by name, and never ship code."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from typing import Any

import dask
import grpc
import pytest
from google.protobuf.descriptor import ServiceDescriptor

from dagrpc import Client, FutureCancelledError, LocalCluster, Security, export
from dagrpc._common.versions import own_versions
from dagrpc.exceptions import CodeNotAllowedError, NoValidWorkerError
from dagrpc.registry import exported
from dagrpc.v1 import client_session_pb2 as session_pb2
from dagrpc.v1 import common_pb2, data_pb2, scheduler_service_pb2

TIMEOUT = 60
CALLER, REST = "callers-secret-of-this-cluster", "the-secret-of-all-the-others"
SECURITY = Security(token=REST, caller_token=CALLER)
SERVICE: ServiceDescriptor = scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with (
        dask.config.set(
            {
                "dagrpc.worker.allowed-calls": ["math:*", "json:loads"],
                "distributed.scheduler.no-workers-timeout": "2s",
            }
        ),
        LocalCluster(n_workers=2, threads_per_worker=1, security=SECURITY) as cluster,
    ):
        yield cluster


def register() -> None:
    def scale(x: float, by: float = 10) -> float:
        return x * by

    export(scale, name="scale")


def test_a_python_program_calls_by_name(cluster: LocalCluster) -> None:
    with Client(cluster) as client:
        client.run(register)
    with Client(cluster.scheduler_address, security=Security(token=CALLER)) as caller:
        first = caller.submit_call("math:hypot", 3, 4)
        assert caller.submit_call("scale", first, by=2).result(timeout=TIMEOUT) == 10
        assert caller.submit_call("json:loads", b'{"a": 1}').result(timeout=TIMEOUT) == {"a": 1}
        # What does not ride along with the news comes by way of the scheduler: workers are not for callers.
        large = caller.submit_call("json:loads", json.dumps(list(range(50_000))))
        assert len(large.result(timeout=TIMEOUT)) == 50_000
        again = caller.submit_call("math:hypot", 3, 4, key=first.key)
        assert again.key == first.key
        assert again.result(timeout=TIMEOUT) == 5
        for name in ("os:getpid", "json:detect_encoding", "math", "no-such-function"):
            # No worker has a function that callers may call by the name.
            with pytest.raises(NoValidWorkerError, match=f"the function '{name}'"):
                caller.submit_call(name).result(timeout=TIMEOUT)
        with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
            caller.submit_call("math:sqrt", -1).result(timeout=TIMEOUT)
        with pytest.raises(TypeError, match="argument 'x' of 'scale'"):
            caller.submit_call("scale", x=object())


def test_a_task_that_ships_code_ends_the_session(cluster: LocalCluster) -> None:
    with (
        Client(cluster.scheduler_address, security=Security(token=CALLER), timeout=60) as caller,
        pytest.raises(FutureCancelledError, match="role caller"),
    ):
        caller.submit(sum, [1, 2]).result(timeout=60)
    with Client(cluster) as client:
        assert client.submit(sum, [1, 2]).result(timeout=TIMEOUT) == 3


@pytest.mark.parametrize(
    "act",
    [
        lambda client: client.run(sum, [1, 2]),
        lambda client: client.run_on_scheduler(sum, [1, 2]),
        lambda client: client.scatter(1),
        lambda client: client.restart(),
        lambda client: client.get_worker_logs(),
        lambda client: client.upload_file(__file__),
        lambda client: client.shutdown(),
    ],
)
def test_calls_that_ship_code_are_refused(cluster: LocalCluster, act: Any) -> None:
    with (
        Client(cluster.scheduler_address, security=Security(token=CALLER), timeout=60) as caller,
        pytest.raises(CodeNotAllowedError, match="role caller"),
    ):
        act(caller)
    with Client(cluster) as client:
        assert client.submit(sum, [1, 2]).result(timeout=TIMEOUT) == 3


# --- a program that knows nothing but the contract ---


class Raw:
    """A session made of messages."""

    def __init__(self, address: str, token: str) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self._metadata = (("authorization", f"Bearer {token}"),)
        self.stream: Any = None

    async def open(self, **introduction: Any) -> Any:
        self.stream = self._channel.stream_stream(
            f"/{SERVICE.full_name}/UpdateGraph",
            request_serializer=session_pb2.UpdateGraphRequest.SerializeToString,
            response_deserializer=session_pb2.UpdateGraphResponse.FromString,
        )(metadata=self._metadata, timeout=TIMEOUT)
        introduction.setdefault("client_id", f"raw-{uuid.uuid4().hex}")
        hello = session_pb2.ClientHello(versions=common_pb2.Versions(**own_versions()), **introduction)
        await self.stream.write(session_pb2.UpdateGraphRequest(hello=hello))
        answer = await self.stream.read()
        assert answer.HasField("welcome")
        return answer.welcome

    async def send(self, **command: Any) -> None:
        await self.stream.write(session_pb2.UpdateGraphRequest(commands=[session_pb2.ClientCommand(**command)]))

    async def events(self, count: int) -> list[Any]:
        found: list[Any] = []
        while len(found) < count:
            found += (await self.stream.read()).events
        return found

    async def gather(self, *keys: str) -> dict[str, Any]:
        """Return results as JSON."""
        stream = self._channel.unary_stream(
            f"/{SERVICE.full_name}/Gather",
            request_serializer=scheduler_service_pb2.GatherRequest.SerializeToString,
            response_deserializer=scheduler_service_pb2.GatherResponse.FromString,
        )(scheduler_service_pb2.GatherRequest(keys=keys, families=["json"]), metadata=self._metadata, timeout=TIMEOUT)
        manifest, data = data_pb2.Manifest(), b""
        async for part in stream:
            if part.HasField("manifest"):
                manifest, data = part.manifest, part.manifest.data
            elif part.HasField("chunk"):
                data += part.chunk.data
        values, position = {}, 0
        for entry in manifest.entries:
            assert (entry.outcome, entry.encoding) == (data_pb2.DATA_OUTCOME_OK, "json"), entry.message
            (length,) = entry.frame_lengths
            values[entry.key] = json.loads(data[position : position + length])
            position += length
        return values

    async def end(self) -> tuple[grpc.StatusCode, str]:
        """Read until the session ends."""
        try:
            while await self.stream.read() is not grpc.aio.EOF:
                pass
        except grpc.aio.AioRpcError:
            pass
        return await self.stream.code(), await self.stream.details()

    async def close(self) -> None:
        await self._channel.close()


def plain(value: Any) -> dict[str, Any]:
    return {"value": {"encoding": "json", "data": json.dumps(value).encode()}}


def graph(*tasks: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"graph_id": uuid.uuid4().hex, "last": True, "tasks": [{"wanted": True, **task} for task in tasks], **rest}


def test_messages_are_all_that_it_takes(cluster: LocalCluster) -> None:
    async def run() -> None:
        raw = Raw(cluster.scheduler_address, CALLER)
        await raw.open()
        first = {"key": "raw-1", "call": {"entrypoint": "math:hypot", "arguments": [plain(3), plain(4)]}}
        power = {"entrypoint": "math:pow", "arguments": [{"task": "raw-1"}, plain(2)]}
        await raw.send(graph=graph(first, {"key": "raw-2", "call": power, "dependencies": ["raw-1"]}))
        assert {event.finished.key for event in await raw.events(2)} == {"raw-1", "raw-2"}
        assert await raw.gather("raw-1", "raw-2") == {"raw-1": 5.0, "raw-2": 25.0}
        await raw.send(graph=graph({"key": "raw-3", "call": {"entrypoint": "os:getpid"}}))
        (event,) = await raw.events(1)
        assert event.erred.failure.type_name.endswith("NoValidWorkerError")
        assert "worker.allowed-calls" in event.erred.failure.message
        await raw.close()

    asyncio.run(run())


CALL = {"entrypoint": "math:sqrt", "arguments": [plain(4)]}
PICKLED = {"value": {"encoding": "pickle"}}
UNNAMED = {"value": {"encoding": ""}}
BREACHES = [
    {"graph": graph({"key": "x", "run_spec": b"code"})},
    {"graph": graph({"key": "x"})},
    {"graph": graph({"key": "x", "call": {"entrypoint": "math:sqrt", "arguments": [PICKLED]}})},
    {"graph": graph({"key": "x", "call": {"entrypoint": "f", "keyword_arguments": {"a": UNNAMED}}})},
    {"graph": graph({"key": "x", "call": CALL}, shared=[{"digest": b"d", "data": b"code"}])},
    {"graph": graph({"key": "x", "call": CALL, "options": 1}, options=[{"actor": True}])},
    {"cancel": {"keys": ["x"], "force": True}},
    {"hold_shared": {"shared": [{"digest": b"d", "data": b"code"}]}},
    {"coordinate": {}},
    {"log_event": {}},
    {},
]


@pytest.mark.parametrize("command", BREACHES)
def test_messages_that_a_caller_may_not_send(cluster: LocalCluster, command: dict[str, Any]) -> None:
    async def run() -> tuple[grpc.StatusCode, str]:
        raw = Raw(cluster.scheduler_address, CALLER)
        await raw.open()
        await raw.send(**command)
        try:
            return await raw.end()
        finally:
            await raw.close()

    code, details = asyncio.run(run())
    assert code is grpc.StatusCode.PERMISSION_DENIED, details
    assert "caller" in details


def test_a_session_that_goes_on_has_the_role_of_its_new_stream(cluster: LocalCluster) -> None:
    cancel = {"cancel": {"keys": ["x"], "force": True}}
    introduction = {"client_id": "first-anyone-then-a-caller", "session_token": b"secret of the session"}

    async def run() -> tuple[grpc.StatusCode, str]:
        anyone, caller = Raw(cluster.scheduler_address, REST), Raw(cluster.scheduler_address, CALLER)
        try:
            await anyone.open(**introduction)
            await anyone.send(**cancel)
            await anyone.send(ping={"token": 7})
            (pong,) = await anyone.events(1)
            assert pong.pong.token == 7
            anyone.stream.cancel()
            welcome = await caller.open(**introduction, resume=common_pb2.Resumption(received=1))
            assert welcome.HasField("resumed")
            await caller.send(ping={"token": 8})
            (pong,) = await caller.events(1)
            assert pong.pong.token == 8
            await caller.send(**cancel)
            return await caller.end()
        finally:
            await anyone.close()
            await caller.close()

    code, details = asyncio.run(run())
    assert code is grpc.StatusCode.PERMISSION_DENIED, details
    assert "caller" in details


def test_callers_by_certificate() -> None:
    security = Security.temporary()
    from dagrpc._auth.certificates import temporary_certificates

    fields = {**security.fields(), **temporary_certificates(("caller", "scheduler", "worker", "client"))}
    everyone = Security(**{name: value for name, value in fields.items() if "caller" not in name})
    caller = Security(
        tls_ca_file=fields["tls_ca_file"],
        tls_client_cert=fields["tls_caller_cert"],
        tls_client_key=fields["tls_caller_key"],
        extra_conn_args=security.extra_conn_args,
    )
    with (
        dask.config.set({"dagrpc.worker.allowed-calls": ["math:sqrt"]}),
        LocalCluster(n_workers=1, threads_per_worker=1, security=everyone) as cluster,
        Client(cluster.scheduler_address, security=caller) as client,
    ):
        assert client.submit_call("math:sqrt", 16).result(timeout=TIMEOUT) == 4
        with pytest.raises(CodeNotAllowedError, match="not for the role caller"):
            client.run(sum, [1])


def test_exporting() -> None:
    def double(x: int) -> int:
        return 2 * x

    assert export(double) is double
    assert exported(f"{__name__}:test_exporting.<locals>.double") is double
    decorated = export(name="triple")(lambda x: 3 * x)
    assert exported("triple") is decorated
    with pytest.raises(ValueError, match="Another function is exported as 'triple'"):
        export(double, name="triple")
    with pytest.raises(TypeError, match="can be exported"):
        export(3)  # type: ignore[call-overload]
    assert exported("nothing") is None
