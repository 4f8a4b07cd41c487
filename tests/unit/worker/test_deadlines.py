"""Tasks whose time is limited: told to stop, then failed while they go on."""

from __future__ import annotations

from typing import Any

from dagrpc_worker.core import events
from dagrpc_worker.core.instructions import (
    CancelExecution,
    DetachThread,
    Interrupt,
    ReportErred,
    ReportTimedOut,
    WakeLater,
)
from tests.unit.worker.harness import HERE, Worker, execute, executed, finished


def start(worker: Worker, key: str, run_id: int, at: float) -> Any:
    worker.now = at
    return worker.send(events.ExecuteStarted(key, run_id, at))


def wake(worker: Worker, at: float) -> Any:
    worker.now = at
    return worker.send(events.DeadlineReached())


def stuck(worker: Worker, key: str = "x", run_id: int = 1, timeout: float = 5.0, at: float = 10.0) -> Any:
    """Run a task past its time limit, let the interrupt fail, and return the instructions that follow."""
    worker.compute(key, run_id=run_id, timeout=timeout)
    start(worker, key, run_id, at)
    assert Interrupt(key, run_id, timeout) in wake(worker, at + timeout)
    assert worker.send(events.ExecuteInterrupted(key, run_id)) == [WakeLater(1.0)]
    return wake(worker, at + timeout + 1.0)


def test_a_task_without_a_limit_costs_no_timer() -> None:
    worker = Worker()
    assert worker.compute("x") == [execute("x", 1)]
    assert start(worker, "x", 1, 10.0) == []


def test_time_counts_from_the_call_of_the_function() -> None:
    worker = Worker()
    worker.compute("x", timeout=5.0)
    worker.compute("y", timeout=5.0)
    worker.now = 100.0
    assert start(worker, "x", 1, 100.0) == [WakeLater(5.0)]
    assert wake(worker, 104.0) == [WakeLater(1.0)]
    assert wake(worker, 105.0) == [Interrupt("x", 1, 5.0)]


def test_a_task_that_stops_fails_as_any_other() -> None:
    worker = Worker()
    worker.compute("x", timeout=5.0)
    start(worker, "x", 1, 0.0)
    wake(worker, 5.0)
    worker.send(events.ExecuteInterrupted("x", 1))
    assert worker.fail("x", "too late") == [ReportErred("x", 1, "too late", 10.0, 11.0)]
    assert wake(worker, 6.0) == []
    assert worker.states() == {}


def test_a_task_that_ended_in_time_is_left_alone() -> None:
    worker = Worker()
    worker.compute("x", timeout=5.0)
    start(worker, "x", 1, 0.0)
    assert worker.finish("x") == [finished("x", 1)]
    assert wake(worker, 5.0) == []


def test_a_task_that_does_not_stop_has_failed_and_its_thread_replaced() -> None:
    worker = Worker()
    worker.compute("next", run_id=7, priority=9.0)
    worker = Worker()
    orders = stuck(worker)
    assert orders == [DetachThread("x", 1, True), ReportTimedOut("x", 1, 5.0, HERE, 10.0, 16.0)]
    assert worker.states() == {}
    assert worker.view.timed_out_runs == 1
    assert executed(worker.compute("y", run_id=2)) == ["y"]
    # Whatever it comes to, at last.
    assert worker.send(events.ExecuteFailed("x", 1, "late")) == []
    assert worker.view.timed_out_runs == 0
    assert worker.view.handed_over == 1


def test_a_timed_out_task_may_run_again_beside_itself() -> None:
    worker = Worker()
    stuck(worker)
    assert executed(worker.compute("x", run_id=2)) == ["x"]
    assert worker.send(events.ExecuteFailed("x", 1, "late")) == []
    assert worker.finish("x") == [finished("x", 2)]


def test_beyond_a_bound_threads_are_not_replaced() -> None:
    worker = Worker(nthreads=2, timed_out_limit=1)
    stuck(worker, "x", 1)
    orders = stuck(worker, "y", 2, at=100.0)
    assert DetachThread("y", 2, False) in orders
    assert executed(worker.compute("a", run_id=3)) == ["a"]
    assert executed(worker.compute("b", run_id=4)) == []
    assert executed(worker.send(events.ExecuteFailed("y", 2, "late"))) == ["b"]


def test_nobody_is_told_of_a_run_that_nobody_wants() -> None:
    worker = Worker()
    worker.compute("x", timeout=5.0)
    start(worker, "x", 1, 0.0)
    worker.free("x")
    assert wake(worker, 5.0) == [Interrupt("x", 1, 5.0)]
    worker.send(events.ExecuteInterrupted("x", 1))
    assert wake(worker, 6.0) == [DetachThread("x", 1, True)]
    assert worker.states() == {}


def test_stale_deadlines_are_cleaned_up() -> None:
    worker = Worker()
    for run_id in range(1, 1_000):
        worker.compute("x", run_id=run_id, timeout=1_000.0)
        start(worker, "x", run_id, float(run_id))
        worker.finish("x")
        worker.free("x")
    assert len(worker.core._state.deadlines) < 200


def test_a_forced_cancel_breaks_off_what_runs() -> None:
    worker = Worker()
    worker.compute("x")
    worker.compute("y")
    assert worker.send(events.KeysFreed(["x", "y"], True)) == [CancelExecution("x", 1), Interrupt("x", 1)]
    assert worker.skip("x") == []
    assert worker.states() == {}


def test_a_task_requested_again_while_it_is_interrupted_runs_again() -> None:
    worker = Worker()
    worker.compute("x")
    worker.send(events.KeysFreed(["x"], True))
    assert worker.compute("x", run_id=2) == []
    assert executed(worker.skip("x")) == ["x"]
    assert worker.finish("x") == [finished("x", 2)]
