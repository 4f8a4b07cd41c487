"""Results that come with the states of leased tasks: with answers, with watches, and from any byte on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import dask
import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass

from dagrpc import Client, LocalCluster
from dagrpc.v1 import common_pb2, data_pb2
from dagrpc.v1 import task_service_pb2 as pb
from tests.support.waiting import eventually

SERVICE = pb.DESCRIPTOR.services_by_name["TaskService"]


class Stub:
    """The methods of the service."""

    def __init__(self, channel: grpc.Channel) -> None:
        for method in SERVICE.methods:
            make = channel.unary_stream if method.server_streaming else channel.unary_unary
            rpc = make(
                f"/{SERVICE.full_name}/{method.name}",
                request_serializer=GetMessageClass(method.input_type).SerializeToString,
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            setattr(self, method.name, rpc)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    names = ["builtins:bytes", "builtins:complex", "builtins:float", "builtins:int", "math:factorial"]
    with (
        dask.config.set({"dagrpc.worker.allowed-calls": names}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def stub(client: Client) -> Iterator[Any]:
    with grpc.insecure_channel(client.cluster.scheduler_address.removeprefix("tcp://")) as channel:
        yield Stub(channel)


def call(key: str, function: str, *arguments: object) -> pb.NamedCall:
    named = pb.NamedCall(key=key)
    named.call.entrypoint = function
    for value in arguments:
        payload = common_pb2.Payload(encoding="json", data=json.dumps(value).encode())
        named.call.arguments.add(value=payload)
    return named


def submitted(stub: Any, lease: str, *calls: pb.NamedCall, **fields: Any) -> list[pb.TaskStatus]:
    request = pb.SubmitRequest(lease=lease, calls=calls, accept=["json", "raw"], **fields)
    request.wait.FromSeconds(60)
    return list(stub.Submit(request, timeout=90).tasks)


@pytest.mark.parametrize("limit", [0, 10, 100_000])
def test_states_say_what_became_of_the_value(stub: Any, client: Client, limit: int) -> None:
    calls = [
        call(f"small-{limit}", "builtins:int", 7),
        call(f"large-{limit}", "builtins:bytes", 20_000),
        call(f"none-{limit}", "builtins:complex", 1, 2),
    ]
    small, large, none = submitted(stub, f"outcomes-{limit}", *calls, inline_limit=limit)
    if limit == 0:
        assert [task.value_outcome for task in (small, large, none)] == [data_pb2.DATA_OUTCOME_UNSPECIFIED] * 3
        return
    assert (small.value.data, small.value_outcome) == (b"7", data_pb2.DATA_OUTCOME_OK)
    assert none.value_outcome == data_pb2.DATA_OUTCOME_NOT_ENCODABLE
    assert "complex" in none.reason
    if limit == 10:
        assert (large.value_outcome, large.HasField("value")) == (data_pb2.DATA_OUTCOME_DEFERRED, False)
        assert "inline_limit" in large.reason
    else:
        assert (large.value.encoding, large.value.data) == ("raw", bytes(20_000))
    stub.Renew(pb.RenewRequest(lease=f"outcomes-{limit}", end=True))


def test_a_result_is_streamed_from_any_byte_on(stub: Any, client: Client) -> None:
    submitted(stub, "offset", call("factorial", "math:factorial", 1000))

    def read(offset: int) -> tuple[pb.ResultResponse, bytes]:
        first, *rest = stub.Result(pb.ResultRequest(key="factorial", offset=offset), timeout=60)
        return first, b"".join(part.data for part in rest)

    first, whole = read(0)
    assert first.task.value_outcome == data_pb2.DATA_OUTCOME_OK
    assert (first.total_bytes, first.task.value.encoding) == (len(whole), "json")
    for offset in (1, len(whole) - 1, len(whole), len(whole) + 10):
        first, part = read(offset)
        assert (first.total_bytes, part) == (len(whole), whole[offset:])
    stub.Renew(pb.RenewRequest(lease="offset", end=True))


def test_tasks_are_released_with_the_answer_or_with_the_next_submission(stub: Any, client: Client) -> None:
    def known(key: str) -> bool:
        ((status, *_),) = (list(stub.Result(pb.ResultRequest(key=key), timeout=60)),)
        return bool(status.task.state != pb.LEASED_STATE_UNKNOWN)

    (task,) = submitted(stub, "release", call("at-once", "builtins:int", 1), inline_limit=100, release_answered=True)
    assert task.value.data == b"1"
    eventually(lambda: not known("at-once"), otherwise="the task is held")
    # What the answer does not have is held.
    (task,) = submitted(
        stub, "release", call("too-large", "builtins:bytes", 20_000), inline_limit=100, release_answered=True
    )
    assert not task.HasField("value")
    assert known("too-large")
    submitted(stub, "release", call("next", "builtins:int", 2), release=["too-large"])
    eventually(lambda: not known("too-large"), otherwise="the task is held")
    assert known("next")
    # A failure is an answer, too.
    (task,) = submitted(stub, "release", call("fails", "builtins:int", "x"), release_answered=True)
    assert task.failure.type_name == "builtins.ValueError"
    eventually(lambda: not known("fails"), otherwise="the task is held")
    stub.Renew(pb.RenewRequest(lease="release", end=True))


def test_a_watch_brings_results_together(stub: Any, client: Client) -> None:
    count = 2_500
    submitted(stub, "together", *(call(f"together-{i}", "builtins:int", i) for i in range(count)))
    request = pb.WatchRequest(lease="together", accept=["json", "raw"], inline_limit=100, settled=True, together=True)
    found: dict[str, bytes] = {}
    messages = 0
    stream = stub.Watch(request, timeout=90)
    for change in stream:
        messages += 1
        assert not change.HasField("task")
        cursors = [task.cursor for task in change.tasks]
        assert cursors == sorted(cursors)
        found.update({task.key: task.value.data for task in change.tasks})
        if len(found) == count:
            break
    stream.cancel()
    assert found == {f"together-{i}": str(i).encode() for i in range(count)}
    assert messages == 3
    stub.Renew(pb.RenewRequest(lease="together", end=True))


def test_a_watch_of_settled_tasks_passes_over_others(stub: Any, client: Client) -> None:
    with_nobody = call("waits-for-ever", "nobody:has_it")
    stub.Submit(pb.SubmitRequest(lease="settled", calls=[with_nobody]))
    submitted(stub, "settled", call("is-done", "builtins:int", 3))
    stream = stub.Watch(pb.WatchRequest(lease="settled", settled=True), timeout=90)
    assert next(stream).task.key == "is-done"
    stream.cancel()
    stub.Renew(pb.RenewRequest(lease="settled", end=True))


def test_a_cursor_of_an_earlier_lease_of_the_name_misses_nothing(stub: Any, client: Client) -> None:
    submitted(stub, "twice", *(call(f"first-{i}", "builtins:int", i) for i in range(10)))
    stub.Renew(pb.RenewRequest(lease="twice", end=True))
    submitted(stub, "twice", call("second", "builtins:int", 1))
    stream = stub.Watch(pb.WatchRequest(lease="twice", cursor=20, settled=True), timeout=90)
    assert next(stream).task.key == "second"
    stream.cancel()
    stub.Renew(pb.RenewRequest(lease="twice", end=True))


def test_recent_results_are_kept_up_to_a_number_of_bytes() -> None:
    from dagrpc_scheduler.leases.lease import LeasedTask
    from dagrpc_scheduler.leases.recent_results import RecentResults

    recent = RecentResults(10_000)
    tasks = [LeasedTask(f"task-{i}") for i in range(100)]
    for task in tasks:
        recent.keep(task, ("raw", bytes(500)))
    assert [task for task in tasks if task.inline is not None] == tasks[-10:]
