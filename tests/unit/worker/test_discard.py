"""Discarded results are computed again, even if the worker still holds them."""

from __future__ import annotations

import pytest

from dagrpc_worker.core import events
from dagrpc_worker.core.instructions import CancelExecution, DropData, GatherData, ReportFinished, ReportReplicasAdded
from tests.unit.worker.harness import HERE, A, Worker, execute, finished, of_type, succeeded


def discarded(*keys: str) -> events.KeysFreed:
    return events.KeysFreed(keys, discard=True)


@pytest.fixture
def worker() -> Worker:
    """Executes `user`, as run 2, which uses `x`."""
    worker = Worker(nthreads=2)
    worker.compute("x", run_id=1)
    worker.finish("x")
    worker.compute("user", {"x": [HERE]}, run_id=2)
    return worker


def test_a_discarded_result_that_is_still_used_is_computed_again(worker: Worker) -> None:
    assert worker.send(discarded("x", "user")) == [CancelExecution("user", 2)]
    # The execution may yet read it.
    assert worker.store == {"x"}
    assert worker.view.stored() == {}
    assert worker.compute("x", run_id=3) == [execute("x", 3)]
    assert worker.finish("x") == [finished("x", 3)]
    assert worker.compute("user", {"x": [HERE]}, run_id=4) == []
    # The old execution comes to its end, with what it made of the old result.
    assert worker.finish("user") == [execute("user", 4, "x")]
    assert worker.finish("user") == [finished("user", 4)]
    assert worker.view.stored() == {"x": 8, "user": 8}


def test_a_result_that_is_only_freed_is_not_discarded(worker: Worker) -> None:
    worker.free("x", "user")
    assert worker.compute("x", run_id=3) == [ReportFinished("x", 3, 8, "int", 0.0, 0.0)]


def test_an_unused_result_is_dropped(worker: Worker) -> None:
    worker.finish("user")
    assert worker.send(discarded("x")) == [DropData(["x"])]
    assert worker.send(discarded("x", "unknown")) == []


def test_a_discarded_result_goes_with_its_user(worker: Worker) -> None:
    worker.send(discarded("x", "user"))
    worker.send(events.ExecuteRescheduled("user", 2))
    assert worker.states() == {}
    assert worker.store == set()


def test_a_user_that_is_asked_for_again_waits_for_the_new_result(worker: Worker) -> None:
    worker.send(discarded("x", "user"))
    assert worker.compute("user", {"x": [A]}, run_id=4) == [GatherData(A, ["x"], 100)]
    assert worker.skip("user") == []
    assert worker.states() == {"x": "flight", "user": "waiting"}
    assert worker.bring(A, "x") == [ReportReplicasAdded({"x": 100}), execute("user", 4, "x")]


def test_another_user_waits_for_the_new_result(worker: Worker) -> None:
    worker.send(discarded("x"))
    assert worker.compute("other", {"x": [A]}, run_id=4) == [GatherData(A, ["x"], 100)]
    assert worker.bring(A, "x") == [ReportReplicasAdded({"x": 100}), execute("other", 4, "x")]


def test_a_task_that_had_not_begun_waits_again() -> None:
    worker = Worker()
    worker.compute("x", run_id=1)
    worker.finish("x")
    worker.compute("running", run_id=2)
    worker.compute("user", {"x": [HERE]}, run_id=3)
    assert worker.states()["user"] == "ready"
    worker.send(discarded("x"))
    assert worker.states() == {"running": "executing", "user": "waiting", "x": "missing"}
    assert worker.store == {"x"}
    worker.compute("x", run_id=4, priority=-1.0)
    assert worker.finish("running")[-1:] == [execute("x", 4)]
    assert worker.finish("x") == [finished("x", 4), execute("user", 3, "x")]


@pytest.mark.parametrize("end", ["finish", "fail", "skip"])
def test_a_discarded_task_that_is_executing_is_computed_again(end: str) -> None:
    worker = Worker()
    worker.compute("x", run_id=1)
    assert worker.send(discarded("x")) == [CancelExecution("x", 1)]
    assert worker.compute("x", run_id=2) == []
    assert getattr(worker, end)("x") == [execute("x", 2)]
    assert worker.finish("x") == [finished("x", 2)]


def test_a_computed_result_that_nobody_requests_is_dropped() -> None:
    worker = Worker()
    worker.compute("x", run_id=1)
    worker.send(discarded("x"))
    assert worker.send(succeeded("x", 1)) == [DropData(["x"])]
    assert worker.states() == {}


def test_a_failure_of_the_new_run_is_reported(worker: Worker) -> None:
    worker.send(discarded("x", "user"))
    worker.compute("x", run_id=3)
    result = worker.fail("x")
    assert [report.run_id for report in result if not isinstance(report, DropData)] == [3]  # type: ignore[union-attr]
    assert not of_type(result, DropData)
    worker.send(events.ExecuteRescheduled("user", 2))
    assert worker.states() == {}
    assert worker.store == set()
