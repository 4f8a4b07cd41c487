"""A worker records its tasks and transfers."""

from __future__ import annotations

import asyncio
import gc
import weakref
from types import SimpleNamespace
from typing import Any

from dagrpc.v1 import diagnostics_service_pb2
from dagrpc.v1 import records_pb2 as pb
from dagrpc_worker.execute import task_recorder as module
from dagrpc_worker.execute.task_recorder import Recorder
from dagrpc_worker.servicers.worker_diagnostics_service import DiagnosticsServicer


def context(key="x", started=10.0, loaded=0.0):
    return SimpleNamespace(key=key, thread=7, started=started, loaded=loaded)


def kinds(record):
    return [(each.kind, each.start, each.stop) for each in record.activities]


def recording() -> Recorder:
    recorder = Recorder()
    recorder.follow(1, 0)
    return recorder


def test_a_task():
    recorder = recording()
    recorder.task(context(loaded=10.0001), (), 11.0, 28, "builtins.int")
    (record,) = recorder.drain().tasks
    assert (record.key, record.thread, record.nbytes, record.type_name, record.error) == (
        "x",
        7,
        28,
        "builtins.int",
        "",
    )
    # Loading took no time to speak of.
    assert kinds(record) == [(pb.ACTIVITY_KIND_COMPUTE, 10.0, 11.0)]
    assert not recorder.drain().tasks


def test_a_task_that_takes_long_to_load():
    recorder = recording()
    recorder.task(context(loaded=10.5), (), 11.0)
    (record,) = recorder.drain().tasks
    assert kinds(record) == [(pb.ACTIVITY_KIND_DESERIALIZE, 10.0, 10.5), (pb.ACTIVITY_KIND_COMPUTE, 10.5, 11.0)]


def test_a_task_that_cannot_be_loaded():
    recorder = recording()
    recorder.task(context(), (), 11.0, error="ImportError: no")
    (record,) = recorder.drain().tasks
    assert kinds(record) == [(pb.ACTIVITY_KIND_DESERIALIZE, 10.0, 11.0)]
    assert record.error == "ImportError: no"


def test_a_task_that_began_before_anything_was_noted():
    recorder = recording()
    recorder.task(context(), (), 11.0)
    recorder.task(None, (), 11.0)
    (record,) = recorder.drain().tasks
    assert kinds(record) == [(pb.ACTIVITY_KIND_COMPUTE, 10.0, 11.0)]


def test_transfers_are_of_the_first_task_that_uses_what_they_brought():
    recorder = recording()
    recorder.transfer("a:1", 8.0, 9.0, {"p": 100, "q": 200})
    recorder.task(context("x"), ("p", "q", "own"), 11.0)
    recorder.task(context("y"), ("p",), 12.0)
    batch = recorder.drain()
    first, second = batch.tasks
    assert [(each.kind, each.source) for each in first.activities] == [
        (pb.ACTIVITY_KIND_TRANSFER, "a:1"),
        (pb.ACTIVITY_KIND_COMPUTE, ""),
    ]
    assert len(second.activities) == 1
    (transfer,) = batch.transfers
    assert (transfer.source, transfer.keys, transfer.nbytes) == ("a:1", 2, 300)


def test_unreported_records_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "_PENDING", 10)
    monkeypatch.setattr(module, "BATCH", 4)
    recorder = recording()
    for number in range(25):
        recorder.task(context(f"x-{number}"), (), 11.0)
    batches = []
    while recorder.waits:
        batches.append(recorder.drain())
    assert [len(batch.tasks) for batch in batches] == [4, 4, 2]
    assert [batch.dropped for batch in batches] == [15, 0, 0]
    assert batches[-1].tasks[-1].key == "x-24"


def test_an_older_wish_is_ignored():
    recorder = Recorder()
    assert not recorder.on
    recorder.follow(1, 0)
    recorder.follow(0, 0)
    assert recorder.on
    recorder.follow(4, 0)
    recorder.follow(3, 0)
    assert not recorder.on


def test_last_runs_are_kept_for_those_who_want_details():
    recorder = Recorder()
    recorder.follow(0, 1)
    assert recorder.on
    recorder.transfer("other", 8.0, 9.0, {"a": 1})
    recorder.task(context("x"), ("a",), 11.0, 28, "builtins.int", result_type=int)
    # Nobody wants the records themselves.
    assert not recorder.waits
    run = recorder.runs["x"]
    assert [each["action"] for each in run.startstops()] == ["transfer", "compute"]
    assert run.startstops()[0]["source"] == "other"
    assert run.result_type is int
    recorder.follow(1, 2)
    recorder.task(context("y"), (), 11.0)
    assert "y" not in recorder.runs
    assert recorder.waits


def test_nobody_says_that_there_is_no_more_while_some_is_on_its_way() -> None:
    async def main() -> tuple[bool, int]:
        recorder = recording()
        servicer = DiagnosticsServicer()
        runner: Any = SimpleNamespace(recorder=recorder)
        servicer.runner = runner
        async with recorder.handing_over:
            asked = asyncio.create_task(servicer.FlushRecords(diagnostics_service_pb2.FlushRecordsRequest()))
            done, _ = await asyncio.wait((asked,), timeout=0.2)
            recorder.transfer("10.0.0.1:1", 1.0, 2.0, {"x": 1})
        return bool(done), len((await asked).records.transfers)

    assert asyncio.run(main()) == (False, 1)


def test_the_latest_runs_are_kept_while_nobody_asks():
    recorder = Recorder()
    recorder.task(context("before"), (), 11.0)
    recorder.transfer("other", 8.0, 9.0, {"a": 1})
    recorder.follow(1, 0)
    recorder.task(context("within"), (), 12.0)
    everything = recorder.recent(0, 0, 10, 0)
    assert [task.key for task in everything.records.tasks] == ["before", "within"]
    assert (everything.next, everything.next_transfer, everything.skipped) == (2, 1, 0)
    assert [task.key for task in recorder.recent(0, 0, 10, 1).records.tasks] == ["before"]
    assert [task.key for task in recorder.recent(1, 1, 10, 0).records.tasks] == ["within"]
    again = recorder.recent(everything.next, everything.next_transfer, 10, 0)
    assert (len(again.records.tasks), again.next, again.next_transfer) == (0, 2, 1)


def test_the_latest_and_the_longest_of_too_many_runs_are_reported(monkeypatch):
    monkeypatch.setattr(module, "RECENT_RUNS", 8)
    recorder = Recorder()
    for number in range(10):
        recorder.task(context(f"x-{number}"), (), 20.0 - number)
    found = recorder.recent(1, 0, 4, 0)
    assert [task.key for task in found.records.tasks] == ["x-2", "x-3", "x-8", "x-9"]
    # One of them is no longer kept.
    assert (found.next, found.skipped) == (10, 5)
    assert recorder.recent(0, 0, 4, 0).skipped == 4


def test_a_result_type_is_not_kept_alive():
    recorder = Recorder()
    made = type("Made", (), {})
    gone = weakref.ref(made)
    recorder.task(context(), (), 11.0, 28, "Made", result_type=made)
    del made
    gc.collect()
    assert gone() is None
