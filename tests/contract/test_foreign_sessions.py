"""Sessions of clients in other languages: the promises of the contract hold on a running cluster."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import dask
import grpc
import pyarrow as pa
import pytest

from dagrpc import Client, LocalCluster, Security
from dagrpc.v1 import client_session_pb2 as pb
from dagrpc.v1 import common_pb2, data_pb2, errors_pb2, failure_pb2, graph_pb2
from dagrpc.v1 import scheduler_service_pb2 as scheduler_pb

from .raw_session import RawSession, call_command

CALLER, REST = "callers-secret-of-this-cluster", "the-secret-of-all-the-others"
ALLOWED = [
    "operator:mul",
    "operator:add",
    "operator:neg",
    "time:sleep",
    "math:*",
    "builtins:*",
    "json:loads",
    "copy:copy",
    "operator:length_hint",
]
PLAIN = ("json", "raw")
LARGE = 1 << 20


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    settings = {"dagrpc.worker.allowed-calls": ALLOWED, "dagrpc.comm.compression": "zlib"}
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=1,
            threads_per_worker=2,
            security=Security(token=REST, caller_token=CALLER),
            dashboard_address=None,
        ) as cluster,
    ):
        yield cluster.scheduler_address


@pytest.mark.parametrize("value", [7, "ü", [1, {"a": None}], True])
def test_small_results_come_inline_in_an_encoding_that_the_client_reads(address: str, value: object) -> None:
    with RawSession(address, REST, encodings=PLAIN, inline_limit=1000) as session:
        session.send(call_command("inline-" + repr(value), "json:loads", json.dumps(value)))
        finished = session.wait("finished")
        assert finished.payload.encoding == "json"
        assert json.loads(finished.payload.data) == value


def test_small_bytes_come_inline_as_raw(address: str) -> None:
    with RawSession(address, REST, encodings=PLAIN, inline_limit=1000) as session:
        session.send(call_command("inline-bytes", "builtins:bytes", [0, 255]))
        assert session.wait("finished").payload == common_pb2.Payload(encoding="raw", data=b"\x00\xff")


@pytest.mark.parametrize("encodings", [(), ("pickle",), PLAIN])
def test_no_inline_result_exceeds_the_limit_of_the_client(address: str, encodings: tuple[str, ...]) -> None:
    with RawSession(address, REST, encodings=encodings, inline_limit=50) as session:
        for length, inline in ((10, True), (100, False)):
            session.send(call_command(f"limit-{length}-{encodings}", "operator:mul", "a", length))
            assert session.wait("finished").HasField("payload") == inline
    with RawSession(address, REST, encodings=encodings) as session:
        session.send(call_command(f"limit-0-{encodings}", "operator:mul", "a", 1))
        assert not session.wait("finished").HasField("payload")


def test_a_result_without_a_plain_form_does_not_come_inline(address: str) -> None:
    with RawSession(address, REST, encodings=PLAIN, inline_limit=1000) as session:
        session.send(call_command("no-form", "builtins:complex", 1))
        assert not session.wait("finished").HasField("payload")


def test_failures_name_the_worker_and_have_no_pickle_for_those_who_read_none(address: str) -> None:
    with RawSession(address, REST) as session:
        workers = session.ask(
            "GetClusterInfo", scheduler_pb.GetClusterInfoRequest(), scheduler_pb.GetClusterInfoResponse
        )
    for encodings in ((), PLAIN):
        with RawSession(address, REST, encodings=encodings) as session:
            session.send(call_command(f"fails-{encodings}", "math:sqrt", -1))
            failure = session.wait("erred").failure
            assert failure.kind == failure_pb2.FAILURE_KIND_APPLICATION
            assert failure.type_name == "builtins.ValueError"
            assert failure.worker == workers.workers[0].address
            assert failure.HasField("exception") == (not encodings)
            assert "ValueError" in failure.traceback_text


def test_results_are_fetched_in_the_first_encoding_that_takes_them(address: str) -> None:
    with RawSession(address, REST, encodings=PLAIN) as session:
        session.send(call_command("f-bytes", "builtins:bytes", LARGE))
        session.wait("finished")
        for families in (("raw",), ("raw", "json"), ("json", "raw")):
            entry, data = session.gather("f-bytes", *families)
            assert (entry.encoding, len(data)) == ("raw", LARGE)
            assert not any(entry.frame_compressions)
        session.send(call_command("f-text", "operator:mul", "a", LARGE))
        session.wait("finished")
        for families in (("json",), ("raw", "json"), ("json", "raw")):
            entry, data = session.gather("f-text", *families)
            assert entry.encoding == "json"
            assert not any(entry.frame_compressions)
            assert json.loads(data) == "a" * LARGE
        entry, _ = session.gather("f-text", "raw")
        assert entry.outcome == data_pb2.DATA_OUTCOME_NOT_ENCODABLE


def test_tables_travel_as_arrow(address: str) -> None:
    table = pa.table({"x": [3, 1, 2], "y": ["a", "b", None]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    argument = graph_pb2.Argument(value=common_pb2.Payload(encoding="arrow", data=sink.getvalue().to_pybytes()))
    with RawSession(address, CALLER, encodings=("arrow", "json"), inline_limit=1000) as session:
        session.send(call_command("a-kept", "copy:copy", argument))
        assert not session.wait("finished").HasField("payload")
        entry, data = session.gather("a-kept", "arrow", "json")
        assert entry.encoding == "arrow"
        assert pa.ipc.open_stream(data).read_all().equals(table)
        entry, _ = session.gather("a-kept", "json")
        assert entry.outcome == data_pb2.DATA_OUTCOME_NOT_ENCODABLE
        # Other values come in the next encoding.
        session.send(call_command("a-rows", "operator:length_hint", argument))
        assert session.wait("finished").payload.data == b"3"


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_a_value_that_is_no_json_is_not_sent_as_json(address: str, text: str) -> None:
    with RawSession(address, REST, encodings=PLAIN, inline_limit=1000) as session:
        session.send(call_command(f"no-json-{text}", "builtins:float", text))
        assert not session.wait("finished").HasField("payload")
        entry, _ = session.gather(f"no-json-{text}", "json")
        assert entry.outcome == data_pb2.DATA_OUTCOME_NOT_ENCODABLE
        assert "JSON" in entry.message


def test_a_caller_says_goodbye_and_leaves_at_once(address: str) -> None:
    with RawSession(address, CALLER, session_token=b"0123456789abcdef") as session:
        session.send(call_command("last-words", "operator:add", 1, 2), pb.ClientCommand(goodbye=pb.ClientGoodbye()))
        session.half_close()
        for _ in session.call:
            pass
        assert session.call.code() is grpc.StatusCode.OK


def test_a_caller_interrupts_its_running_task(address: str) -> None:
    with RawSession(address, CALLER, reports_refusals=True) as session:
        session.send(call_command("long", "time:sleep", 600))
        session.send(pb.ClientCommand(cancel=pb.CancelKeys(keys=["long"], force=True)))
        refused = session.wait("refused")
        assert (refused.command, list(refused.keys)) == ("cancel", ["long"])
        assert refused.reason == errors_pb2.REASON_CODE_NOT_ALLOWED
        session.send(pb.ClientCommand(cancel=pb.CancelKeys(keys=["long"], interrupt=True)))
        assert session.wait("cancelled").key == "long"


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (call_command("", "operator:add", 1, 2), "graph"),
        (call_command("u", "operator:neg", graph_pb2.Argument(task="elsewhere")), "graph"),
        (pb.ClientCommand(subscribe={"topics": ["a"]}), "subscribe"),
        (pb.ClientCommand(), ""),
        (
            pb.ClientCommand(
                graph=graph_pb2.GraphPart(
                    graph_id="g", last=True, tasks=[{"key": "p", "run_spec": b"x", "wanted": True}]
                )
            ),
            "graph",
        ),
    ],
)
def test_one_bad_command_is_refused_and_the_others_are_carried_out(
    address: str, command: pb.ClientCommand, kind: str
) -> None:
    with RawSession(address, CALLER, reports_refusals=True, encodings=PLAIN, inline_limit=100) as session:
        session.send(
            call_command(f"a-{kind}", "operator:add", 1, 1), command, call_command(f"b-{kind}", "operator:add", 2, 2)
        )
        refused = session.wait("refused")
        assert refused.command == kind
        assert refused.message
        assert refused.reason in (errors_pb2.REASON_INVALID_REQUEST, errors_pb2.REASON_CODE_NOT_ALLOWED)
        assert session.wait("finished", lambda event: event.key == f"b-{kind}").payload.data == b"4"


def test_without_the_wish_a_bad_command_ends_the_session(address: str) -> None:
    with RawSession(address, CALLER) as session:
        session.send(call_command("", "operator:add", 1, 2))
        with pytest.raises(grpc.RpcError) as raised:
            session.wait("finished")
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_commands_beside_the_hello_are_refused_rather_than_lost(address: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        RawSession(address, REST, first=[call_command("early", "operator:add", 1, 2)])
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "commands" in raised.value.details()


def test_tasks_in_a_state_that_there_is_not_are_refused(address: str) -> None:
    with RawSession(address, REST) as session, pytest.raises(grpc.RpcError) as raised:
        session.ask("GetTasks", scheduler_pb.GetTasksRequest(state="bogus"), scheduler_pb.GetTasksResponse)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "processing" in raised.value.details()


def test_an_interrupted_task_stops_and_one_that_others_want_goes_on(address: str, tmp_path: Path) -> None:
    def count(file: str) -> None:
        for _ in range(2_000):
            Path(file).write_text(str(time.time()), encoding="utf-8")
            time.sleep(0.02)

    security = Security(token=REST)
    with Client(address, security=security) as client, RawSession(address, REST) as session:
        mine = client.submit(count, str(tmp_path / "shared"), key="shared-count")
        while not (tmp_path / "shared").exists():
            time.sleep(0.05)
        cancel = pb.ClientCommand(cancel=pb.CancelKeys(keys=["shared-count"], interrupt=True))
        session.send(cancel, pb.ClientCommand(ping=pb.Ping(token=1)))
        session.wait("pong")
        before = (tmp_path / "shared").read_text(encoding="utf-8")
        time.sleep(1)
        assert (tmp_path / "shared").read_text(encoding="utf-8") != before
        assert mine.status == "pending"
        mine.cancel(force=True)
