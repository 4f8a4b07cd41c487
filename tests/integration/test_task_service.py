"""TaskService, as a program in any language uses it: generated messages and nothing else."""

import json
import time
from collections.abc import Iterator
from typing import Any

import dask
import grpc
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from dagrpc import Client, Future, LocalCluster, wait
from dagrpc.v1 import task_service_pb2 as pb
from tests.support.waiting import eventually

TIMEOUT = 60
SERVICE = pb.DESCRIPTOR.services_by_name["TaskService"]


class Stub:
    """The methods of the service."""

    def __init__(self, address: str, **options: Any) -> None:
        channel = grpc.insecure_channel(address)
        for method in SERVICE.methods:
            make = channel.unary_stream if method.server_streaming else channel.unary_unary
            call = make(
                f"/{SERVICE.full_name}/{method.name}",
                request_serializer=GetMessageClass(method.input_type).SerializeToString,
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            setattr(self, method.name, call)


def export_functions() -> None:
    import time

    import dagrpc

    def add(x: float, y: float = 1) -> float:
        """Add two numbers."""
        return x + y

    def fail(text: str) -> None:
        raise ValueError(text)

    def nap(seconds: float) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.01)
        return "rested"

    dagrpc.export(add, name="add")
    dagrpc.export(fail, name="fail")
    dagrpc.export(nap, name="nap")
    dagrpc.export(lambda value: value, name="same")
    dagrpc.export(lambda size: b"x" * size, name="blob")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    limits = {"dagrpc.scheduler.leases.tasks": 500, "dagrpc.scheduler.leases.limit": 50}
    with (
        dask.config.set({**limits, "dagrpc.worker.preload": []}),
        LocalCluster(n_workers=2, threads_per_worker=1) as cluster,
        Client(cluster) as client,
    ):
        client.run(export_functions)
        yield client


@pytest.fixture
def stub(client: Client) -> Any:
    return Stub(client.cluster.scheduler_address)


def call(function: str, *arguments: Any, key: str = "", tasks: tuple[str, ...] = ()) -> pb.NamedCall:
    named = pb.NamedCall(key=key)
    named.call.entrypoint = function
    for value in arguments:
        named.call.arguments.add().value.MergeFrom(payload(value))
    for task in tasks:
        named.call.arguments.add(task=task)
    return named


def payload(value: Any) -> Any:
    from dagrpc.v1.common_pb2 import Payload

    return Payload(encoding="json", data=json.dumps(value).encode())


def request(lease: str, *calls: pb.NamedCall, wait: float = 30, limit: int = 1000) -> pb.SubmitRequest:
    made = pb.SubmitRequest(lease=lease, calls=calls, inline_limit=limit)
    made.wait.FromMilliseconds(int(wait * 1000))
    return made


def test_one_call_submits_waits_and_returns_the_result(stub: Any) -> None:
    answer = stub.Submit(request("", call("add", 1, 2)))
    (task,) = answer.tasks
    assert (task.state, task.value.encoding, task.value.data) == (pb.LEASED_STATE_DONE, "json", b"3")
    assert answer.lease
    assert task.type_name.endswith("int")


def test_calls_use_each_other_in_any_order_and_tasks_of_python(stub: Any, client: Client) -> None:
    made_by_python = client.submit(lambda: 100, key="made-by-python")
    wait(made_by_python, timeout=TIMEOUT)
    answer = stub.Submit(
        request(
            "chain",
            call("add", key="chain-2", tasks=("chain-1", "made-by-python")),
            call("add", 1, 2, key="chain-1"),
        )
    )
    assert [task.value.data for task in answer.tasks] == [b"103", b"3"]
    # Python sees the task, and the lease holds what Python has let go.
    assert Future("chain-2", client).result(timeout=TIMEOUT) == 103
    del made_by_python
    stub.Renew(pb.RenewRequest(lease="chain", end=True))


def test_a_repeated_submission_changes_nothing_and_another_call_under_the_key_is_refused(stub: Any) -> None:
    first = request("again", call("add", 1, 1, key="again-1"))
    assert stub.Submit(first).tasks[0].value.data == stub.Submit(first).tasks[0].value.data == b"2"
    with pytest.raises(grpc.RpcError) as refused:
        stub.Submit(request("again", call("add", 5, 5, key="again-1")))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "again-1" in refused.value.details()


@pytest.mark.parametrize(
    ("calls", "match"),
    [
        ([call("add", key="a", tasks=("b",)), call("add", key="b", tasks=("a",))], "depend on one another"),
        ([call("add", key="needs", tasks=("nobody-has-it",))], "nobody-has-it"),
        ([call("add", 1, key="x"), call("add", 2, key="x")], "two calls have the key 'x'"),
        ([call("", 1)], "names no function"),
    ],
)
def test_a_request_that_cannot_be_carried_out_is_refused_as_a_whole(stub: Any, calls: Any, match: str) -> None:
    with pytest.raises(grpc.RpcError, match=match) as refused:
        stub.Submit(request("refused", *calls, call("add", 1, key="taken-with-it")))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    (part,) = stub.Result(pb.ResultRequest(key="taken-with-it"))
    assert part.task.state == pb.LEASED_STATE_UNKNOWN


def test_failures_are_data(stub: Any) -> None:
    (task,) = stub.Submit(request("", call("fail", "no luck"))).tasks
    assert task.state == pb.LEASED_STATE_FAILED
    assert (task.failure.type_name, task.failure.message) == ("builtins.ValueError", "no luck")
    assert not task.failure.HasField("exception")


def test_wait_for_any_and_for_all(stub: Any) -> None:
    stub.Submit(request("waits", call("nap", 3, key="slow"), call("add", 1, key="quick"), wait=0))
    any_of = pb.WaitRequest(lease="waits", any=True)
    any_of.timeout.FromSeconds(30)
    states = {task.key: task.state for task in stub.Wait(any_of).tasks}
    assert states["quick"] == pb.LEASED_STATE_DONE
    assert states["slow"] in (pb.LEASED_STATE_RUNNING, pb.LEASED_STATE_PENDING)
    all_of = pb.WaitRequest(lease="waits", inline_limit=100)
    all_of.timeout.FromSeconds(30)
    assert {task.key: task.value.data for task in stub.Wait(all_of).tasks} == {"slow": b'"rested"', "quick": b"2"}


def test_a_watch_goes_on_where_another_one_broke(stub: Any) -> None:
    stub.Submit(request("watched", *(call("add", i, key=f"watched-{i}") for i in range(5)), wait=30))
    stream = stub.Watch(pb.WatchRequest(lease="watched"))
    seen = [next(stream).task for _ in range(3)]
    stream.cancel()
    stream = stub.Watch(pb.WatchRequest(lease="watched", cursor=seen[-1].cursor))
    seen += [next(stream).task for _ in range(2)]
    assert {task.key for task in seen} == {f"watched-{i}" for i in range(5)}
    stub.Submit(request("watched", call("add", 5, key="watched-5"), wait=0))
    while (task := next(stream).task).state != pb.LEASED_STATE_DONE:
        assert task.key == "watched-5"
    stub.Renew(pb.RenewRequest(lease="watched", end=True))
    assert list(stream) == []


@pytest.mark.parametrize("size", [0, 10, 5 << 20])
def test_a_result_of_any_size_is_streamed(stub: Any, size: int) -> None:
    stub.Submit(request("large", call("blob", size, key=f"blob-{size}"), limit=0))
    first, *rest = stub.Result(pb.ResultRequest(key=f"blob-{size}", accept=["json", "raw"]))
    assert (first.task.value.encoding, first.total_bytes) == ("raw", size)
    assert b"".join(part.data for part in rest) == b"x" * size
    (only,) = stub.Result(pb.ResultRequest(key=f"blob-{size}", accept=["json"]))
    assert "not JSON serializable" in only.task.reason


def test_results_of_python_come_as_arrow(stub: Any, client: Client) -> None:
    frame = pd.DataFrame({"n": range(1000), "square": np.arange(1000.0) ** 2})
    made_by_python = client.submit(lambda: frame, key="frame-made-by-python")
    wait(made_by_python, timeout=TIMEOUT)
    answer = stub.Submit(request("reads-arrow", call("same", tasks=(made_by_python.key,), key="same-frame")))
    assert answer.tasks[0].state == pb.LEASED_STATE_DONE
    parts = list(stub.Result(pb.ResultRequest(lease="reads-arrow", key="same-frame", accept=["json", "arrow"])))
    assert parts[0].task.value.encoding == "arrow"
    table = pa.ipc.open_stream(b"".join(part.data for part in parts)).read_all()
    pd.testing.assert_frame_equal(table.to_pandas(), frame)


def test_cancel_interrupts_what_runs(stub: Any, client: Client) -> None:
    stub.Submit(request("cancelled", call("nap", 600, key="long"), wait=0))
    eventually(lambda: any("long" in keys for keys in client.processing().values()))
    (task,) = stub.Cancel(pb.CancelRequest(lease="cancelled", keys=["long"], interrupt=True, reason="enough")).tasks
    assert (task.state, task.reason) == (pb.LEASED_STATE_CANCELLED, "enough")
    answers = stub.Submit(request("cancelled", call("nap", 0), call("nap", 0))).tasks
    assert [task.state for task in answers] == [pb.LEASED_STATE_DONE] * 2


def test_a_lease_that_ends_releases_everything(stub: Any, client: Client) -> None:
    short = request("short", call("add", 1, key="short-1"))
    short.ttl.FromSeconds(2)
    stub.Submit(short)
    assert client.who_has(["short-1"])["short-1"]
    time.sleep(1)
    renewed = stub.Renew(pb.RenewRequest(lease="short"))
    assert (renewed.ttl.seconds, renewed.tasks, renewed.unfinished) == (2, 1, 0)
    eventually(lambda: not client.who_has(["short-1"]).get("short-1"))
    with pytest.raises(grpc.RpcError) as ended:
        stub.Wait(pb.WaitRequest(lease="short"))
    assert ended.value.code() == grpc.StatusCode.NOT_FOUND


def test_released_tasks_are_forgotten(stub: Any, client: Client) -> None:
    stub.Submit(request("part", call("add", 1, key="part-1"), call("add", 2, key="part-2")))
    assert stub.Renew(pb.RenewRequest(lease="part", release=["part-1"])).tasks == 1
    eventually(lambda: not client.who_has(["part-1"]).get("part-1"))
    assert client.who_has(["part-2"])["part-2"]


def test_limits_say_when_to_try_again(stub: Any) -> None:
    with pytest.raises(grpc.RpcError, match=r"scheduler\.leases\.tasks") as refused:
        stub.Submit(request("too-many", *(call("add", i) for i in range(501)), wait=0))
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    details = rpc_status.from_call(refused.value).details
    assert any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in details)


def test_a_function_that_no_worker_has_is_named(stub: Any) -> None:
    (task,) = stub.Submit(request("", call("nobody-has-it"), wait=0.1)).tasks
    assert task.state == pb.LEASED_STATE_PENDING
    assert "the function 'nobody-has-it'" in task.reason


def test_functions_are_listed_by_pages(stub: Any) -> None:
    first = stub.ListFunctions(pb.ListFunctionsRequest(page_size=2))
    second = stub.ListFunctions(pb.ListFunctionsRequest(page_size=100, page_token=first.next_page_token))
    functions = {function.name: function for function in (*first.functions, *second.functions)}
    assert len(first.functions) == 2
    assert not second.next_page_token
    assert {"add", "blob", "fail", "nap"} <= set(functions)
    assert (functions["add"].doc, functions["add"].workers) == ("Add two numbers.", 2)
    schema = json.loads(functions["add"].parameters_schema)
    assert schema["properties"]["y"] == {"type": "number", "default": 1}
    assert schema["required"] == ["x"]
