"""Messages to events, reports to messages."""

from __future__ import annotations

from typing import Any

import pytest

from dagrpc._codec.shared_store import SharedStore
from dagrpc.v1 import common_pb2, failure_pb2, worker_session_pb2
from dagrpc_worker.core import events, instructions
from dagrpc_worker.execute.work import Literal, NamedCall, PythonTask, ResultOf
from dagrpc_worker.shell.session.translate_in import CommandReader
from dagrpc_worker.shell.session.translate_out import REPORTS, GoodbyeReport, Report, StatusReport, encode_reports

DIGESTS = [b"a" * 16, b"b" * 16]


@pytest.fixture
def shared() -> SharedStore:
    return SharedStore()


def read(store: SharedStore, *commands: dict[str, Any], **fields: Any) -> list[events.Event]:
    """Read a batch that went over the wire."""
    message = worker_session_pb2.ComputeResponse(
        commands=[worker_session_pb2.WorkerCommand(**command) for command in commands], **fields
    )
    reader = CommandReader(store, lambda reason, restart: None)
    return reader.read(worker_session_pb2.ComputeResponse.FromString(message.SerializeToString()))


def test_a_task_to_run(shared: SharedStore) -> None:
    compute = {
        "key": "x",
        "run_id": 7,
        "priority": [0.0, 1.0, -2.0],
        "run_spec": b"Cspec",
        "shared": [1],
        "dependencies": [{"key": "d", "nbytes": 5, "holders": [0, 1]}, {"key": "e", "nbytes": 6}],
        "resources": {"GPU": 1.0},
        "executor": "gpu",
        "annotations": '{"a": 1}',
        "duration_seconds": 0.5,
    }
    found = read(
        shared,
        {"compute": compute},
        shared=[{"digest": DIGESTS[0]}, {"digest": DIGESTS[1], "data": b"\x80\x05K\x01."}],
        addresses=["one:1", "two:2"],
    )
    assert found == [
        events.ComputeRequested(
            key="x",
            run_id=7,
            priority=(0.0, 1.0, -2.0),
            work=PythonTask(b"Cspec", [DIGESTS[1]]),
            dependencies=[("d", 5, ("one:1", "two:2")), ("e", 6, ())],
            resources={"GPU": 1.0},
            executor="gpu",
            annotations='{"a": 1}',
            duration=0.5,
        )
    ]
    assert shared.load(DIGESTS[1]) == 1
    with pytest.raises(KeyError):
        shared.load(DIGESTS[0])


def test_a_function_by_name(shared: SharedStore) -> None:
    call = {
        "entrypoint": "math:pow",
        "arguments": [{"task": "d"}, {"value": {"encoding": "json", "data": b"2"}}],
        "keyword_arguments": {"k": {"value": {"encoding": "pickle", "frame_lengths": [1, 0, 2], "data": b"abc"}}},
    }
    (event,) = read(shared, {"compute": {"key": "x", "call": call}})
    assert isinstance(event, events.ComputeRequested)
    assert event.work == NamedCall(
        "math:pow", [ResultOf("d"), Literal("json", [b"2"])], {"k": Literal("pickle", [b"a", b"", b"bc"])}
    )


def test_all_other_commands_in_order(shared: SharedStore) -> None:
    data = [{"key": "k", "nbytes": 3, "workers": ["w:1"]}]
    found = read(
        shared,
        {"free": {"keys": ["a", "b"]}},
        {"free": {"keys": ["a"], "discard": True}},
        {"acquire_replicas": {"data": data}},
        {"remove_replicas": {"keys": ["c"]}},
        {"refresh_who_has": {"data": data}},
        {"steal": {"key": "d", "run_id": 4}},
        {},
    )
    assert found == [
        events.KeysFreed(["a", "b"]),
        events.KeysFreed(["a"], discard=True),
        events.ReplicasRequested([("k", 3, ("w:1",))]),
        events.ReplicasUnwanted(["c"]),
        events.WhoHasRefreshed([("k", 3, ("w:1",))]),
        events.StealRequested("d", 4),
    ]


def test_messages_that_the_shell_handles_itself(shared: SharedStore) -> None:
    closings: list[tuple[str, bool]] = []
    shared.put(DIGESTS[0], b"\x80\x05K\x01.")
    reader = CommandReader(shared, lambda reason, restart: closings.append((reason, restart)))
    message = worker_session_pb2.ComputeResponse(
        commands=[
            worker_session_pb2.WorkerCommand(free_shared={"digests": [DIGESTS[0]]}),
            worker_session_pb2.WorkerCommand(close={"reason": "enough", "restart": True}),
        ]
    )
    assert reader.read(message) == []
    assert closings == [("enough", True)]
    with pytest.raises(KeyError):
        shared.load(DIGESTS[0])


FAILURE = failure_pb2.Failure(message="no")
PAYLOAD = ("pickle", [b"x", bytearray(b"yz")])


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (
            instructions.ReportFinished("x", 1, 2, "int", 3.0, 4.0, PAYLOAD),
            {
                "finished": {
                    "key": "x",
                    "run_id": 1,
                    "nbytes": 2,
                    "type_name": "int",
                    "start": 3.0,
                    "stop": 4.0,
                    "payload": {"encoding": "pickle", "frame_lengths": [1, 2], "data": b"xyz"},
                }
            },
        ),
        (
            instructions.ReportFinished("x", 1, 2, "int", 3.0, 4.0, ("pickle", [b"x"])),
            {
                "finished": {
                    "key": "x",
                    "run_id": 1,
                    "nbytes": 2,
                    "type_name": "int",
                    "start": 3.0,
                    "stop": 4.0,
                    "payload": {"encoding": "pickle", "data": b"x"},
                }
            },
        ),
        (
            instructions.ReportErred("x", 1, FAILURE, 3.0, 4.0),
            {"erred": {"key": "x", "run_id": 1, "failure": FAILURE, "start": 3.0, "stop": 4.0}},
        ),
        (instructions.ReportRescheduled("x", 1), {"rescheduled": {"key": "x", "run_id": 1}}),
        (
            instructions.ReportLongRunning("x", 1, 2.5),
            {"long_running": {"key": "x", "run_id": 1, "duration_seconds": 2.5}},
        ),
        (instructions.ReportReplicasAdded({"x": 1}), {"replicas_added": {"data": [{"key": "x", "nbytes": 1}]}}),
        (instructions.ReportReplicasRemoved(["x"]), {"replicas_removed": {"keys": ["x"]}}),
        (instructions.ReportDataMissing("x", "w"), {"data_missing": {"key": "x", "worker": "w"}}),
        (
            instructions.ReportStealAnswer("x", 1, "ready"),
            {"steal_answer": {"key": "x", "run_id": 1, "state": "ready"}},
        ),
        (StatusReport(common_pb2.WORKER_STATUS_PAUSED), {"status_changed": {"status": "WORKER_STATUS_PAUSED"}}),
        (GoodbyeReport("bye"), {"goodbye": {"reason": "bye"}}),
        (GoodbyeReport(""), {"goodbye": {}}),
        (instructions.ReportReplicasRemoved([]), {"replicas_removed": {}}),
    ],
)
def test_reports(report: Report, expected: dict[str, Any]) -> None:
    (message,) = encode_reports([report])
    assert list(message.reports) == [worker_session_pb2.WorkerReport(**expected)]


def test_a_task_finished_without_a_payload_has_none() -> None:
    (message,) = encode_reports([instructions.ReportFinished("x", 1, 2, "int", 3.0, 4.0)])
    assert not message.reports[0].finished.HasField("payload")


def test_a_task_whose_time_was_up() -> None:
    (message,) = encode_reports([instructions.ReportTimedOut("x", 1, 2.5, "w:1", 3.0, 5.5)])
    erred = message.reports[0].erred
    assert (erred.key, erred.run_id, erred.start, erred.stop) == ("x", 1, 3.0, 5.5)
    failure = erred.failure
    assert failure.kind == failure_pb2.FAILURE_KIND_TIMEOUT
    assert (failure.origin_key, failure.worker) == ("x", "w:1")
    assert failure.message == "Task 'x' ran longer than its limit of 2.5 s on worker w:1"


def test_every_report_of_the_core_is_known() -> None:
    of_the_core = {kind for name, kind in vars(instructions).items() if name.startswith("Report")}
    assert of_the_core <= REPORTS


def test_very_many_reports_go_out_in_several_messages() -> None:
    reports: list[Report] = [instructions.ReportRescheduled(str(index), 1) for index in range(12_000)]
    messages = list(encode_reports(reports))
    assert len(messages) > 1
    keys = [report.rescheduled.key for message in messages for report in message.reports]
    assert keys == [str(index) for index in range(12_000)]
