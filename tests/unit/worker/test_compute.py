"""Runs without transfers: from the request to the report."""

import pytest

from dagrpc_worker.core import events
from dagrpc_worker.core.instructions import (
    DropData,
    ReportErred,
    ReportFinished,
    ReportLongRunning,
    ReportRescheduled,
)
from dagrpc_worker.core.transitions import SUCCESSORS, ImpossibleTransition, run_transitions
from tests.unit.worker.harness import A, Worker, execute, executed, finished, succeeded


def test_a_task_is_requested_executed_finished_and_freed() -> None:
    worker = Worker()
    assert worker.compute("x", run_id=7) == [execute("x", 7)]
    assert worker.finish("x", nbytes=28, payload=b"1") == [finished("x", 7, 28, b"1")]
    assert worker.view.stored() == {"x": 28}
    assert worker.free("x") == [DropData(["x"])]
    assert worker.states() == {}
    assert worker.story("x") == ["released", "ready", "executing", "memory", "forgotten"]


def test_all_that_an_execution_needs_is_handed_over() -> None:
    worker = Worker()
    result = worker.compute("x", run_id=1, actor=True, executor="gpu", annotations="{}")
    assert result == [execute("x", 1, actor=True, executor="gpu", annotations="{}")]


def test_no_more_tasks_run_than_there_are_threads() -> None:
    worker = Worker(nthreads=2)
    batch = [worker.request(key) for key in "abcd"]
    assert executed(worker.send(*batch)) == ["a", "b"]
    assert executed(worker.finish("b")) == ["c"]
    assert executed(worker.finish("a")) == ["d"]
    assert worker.view.handed_over == 2


def test_the_most_urgent_task_goes_first_and_the_oldest_among_equals() -> None:
    worker = Worker()
    worker.compute("running")
    for key, priority in [("low", 5.0), ("first", 1.0), ("second", 1.0), ("high", 0.0)]:
        assert worker.compute(key, priority=priority) == []
    order = []
    while worker.view.executing():
        (key,) = worker.view.executing()
        worker.finish(key)
        order.append(key)
    assert order == ["running", "high", "first", "second", "low"]


def test_priorities_hold_across_a_batch() -> None:
    worker = Worker()
    assert executed(worker.send(worker.request("low", priority=2.0), worker.request("high", priority=1.0))) == ["high"]


def test_dependencies_that_are_here_are_used_at_once() -> None:
    worker = Worker()
    worker.compute("x")
    worker.finish("x")
    assert worker.compute("y", {"x": ["here:1"]}, run_id=9) == [execute("y", 9, "x")]


def test_a_task_waits_for_a_dependency_that_is_computed_here() -> None:
    worker = Worker(nthreads=2)
    worker.compute("x")
    assert worker.compute("y", {"x": []}, run_id=9) == []
    assert worker.states() == {"x": "executing", "y": "waiting"}
    assert worker.finish("x") == [finished("x", 1), execute("y", 9, "x")]


def test_a_task_that_is_in_memory_is_reported_finished_again() -> None:
    worker = Worker()
    worker.compute("x")
    worker.finish("x", nbytes=30)
    # It was not run again, so that it has no times to learn from.
    assert worker.compute("x", run_id=5) == [ReportFinished("x", 5, 30, "int", 0.0, 0.0)]


def test_a_second_request_gives_a_queued_task_a_new_run_and_priority() -> None:
    worker = Worker()
    worker.compute("running")
    worker.compute("x", priority=1.0)
    worker.compute("y", priority=2.0)
    worker.compute("y", run_id=9, priority=0.0)
    assert worker.finish("running")[1:] == [execute("y", 9)]


def test_a_second_request_can_bring_other_dependencies_and_resources() -> None:
    worker = Worker(resources={"GPU": 1})
    worker.compute("running")
    worker.compute("x")
    worker.compute("x", {"dep": ["a:1"]})
    assert worker.states() == {"running": "executing", "x": "waiting", "dep": "flight"}
    worker.compute("x", resources={"GPU": 1})
    assert worker.states() == {"running": "executing", "x": "constrained", "dep": "cancelled"}
    worker.compute("x")
    assert worker.states() == {"running": "executing", "x": "ready", "dep": "cancelled"}


def test_a_second_request_while_executing_names_the_report() -> None:
    worker = Worker()
    worker.compute("x", run_id=1)
    assert worker.compute("x", run_id=2) == []
    assert worker.send(succeeded("x", 1)) == [finished("x", 2)]


def test_a_failure_is_reported_and_forgotten() -> None:
    worker = Worker()
    worker.compute("x", run_id=3)
    assert worker.fail("x", "boom") == [ReportErred("x", 3, "boom", 10.0, 11.0)]
    assert worker.states() == {}
    assert worker.story("x") == ["released", "ready", "executing", "error", "forgotten"]


def test_a_failed_task_can_be_asked_for_again() -> None:
    worker = Worker()
    worker.compute("x")
    worker.fail("x")
    assert worker.compute("x", run_id=8) == [execute("x", 8)]


def test_a_failure_lets_the_next_task_run() -> None:
    worker = Worker()
    worker.compute("x")
    worker.compute("y")
    assert executed(worker.fail("x")) == ["y"]


def test_a_rescheduled_task_is_reported_and_forgotten() -> None:
    worker = Worker()
    worker.compute("x", run_id=4)
    assert worker.send(events.ExecuteRescheduled("x", 4)) == [ReportRescheduled("x", 4)]
    assert worker.states() == {}


def test_a_seceded_task_frees_its_thread() -> None:
    worker = Worker()
    worker.compute("x", run_id=1)
    worker.compute("y", run_id=2)
    assert worker.send(events.TaskSeceded("x", 1, 0.5)) == [ReportLongRunning("x", 1, 0.5), execute("y", 2)]
    assert worker.states() == {"x": "long-running", "y": "executing"}
    assert worker.view.handed_over == 1
    # Once is enough.
    assert worker.send(events.TaskSeceded("x", 1, 0.7)) == []
    assert worker.finish("x") == [finished("x", 1)]
    assert worker.view.handed_over == 1


def test_a_seceded_task_that_is_asked_for_again_is_reported_as_such_again() -> None:
    worker = Worker()
    worker.compute("x", run_id=1)
    worker.send(events.TaskSeceded("x", 1, 0.5))
    worker.free("x")
    assert worker.states() == {"x": "cancelled"}
    assert worker.compute("x", run_id=2) == [ReportLongRunning("x", 2, 0.5)]
    assert worker.states() == {"x": "long-running"}


def test_nothing_starts_while_paused() -> None:
    worker = Worker()
    worker.send(events.Paused())
    assert worker.compute("x", run_id=1) == []
    assert worker.compute("y", {"dep": ["a:1"]}) == []
    assert worker.view.paused
    assert executed(worker.send(events.Resumed())) == ["x"]
    assert worker.states() == {"x": "executing", "y": "waiting", "dep": "flight"}


def test_running_tasks_end_while_paused() -> None:
    worker = Worker()
    worker.compute("x", run_id=1)
    worker.compute("y", run_id=2)
    worker.send(events.Paused())
    assert worker.finish("x") == [finished("x", 1)]
    assert worker.send(events.Resumed()) == [execute("y", 2)]


@pytest.mark.parametrize(
    "stale",
    [
        succeeded("x", 99),
        events.ExecuteFailed("x", 99, "failure"),
        events.ExecuteRescheduled("x", 99),
        events.ExecuteSkipped("x", 99),
        events.TaskSeceded("x", 99, 1.0),
    ],
)
def test_events_of_other_runs_change_nothing(stale: events.Event) -> None:
    worker = Worker()
    worker.compute("x", run_id=1)
    before = worker.view.describe("x")
    worker.core.handle(stale, 0.0)
    assert worker.view.describe("x") == before


def test_a_result_that_nobody_asked_for_is_dropped() -> None:
    worker = Worker()
    assert worker.send(succeeded("x", 1)) == [DropData(["x"])]


def test_an_unknown_event_is_an_error() -> None:
    with pytest.raises(KeyError):
        Worker().core.handle(object(), 0.0)  # type: ignore[arg-type]


def test_a_transition_that_is_not_in_the_table_is_an_error() -> None:
    worker = Worker()
    worker.compute("x")
    worker.finish("x")
    state = worker.core._state
    task = state.tasks["x"]
    task.request, task.execution = worker.request("x"), 1
    state.touched.append(task)
    with pytest.raises(ImpossibleTransition, match=r"'x': memory -> executing; story"):
        run_transitions(state)


def test_every_state_can_be_reached_and_left() -> None:
    reached = {after for successors in SUCCESSORS.values() for after in successors}
    assert reached == set(SUCCESSORS) - {"released"}
    assert [state for state, successors in SUCCESSORS.items() if not successors] == ["forgotten"]


def test_an_actor_is_not_taken_for_another() -> None:
    worker = Worker()
    worker.compute("x", run_id=1, actor=True)
    worker.finish("x")
    worker.compute("user", {"x": ()})
    worker.free("x")
    # Its name is wanted for a new one while a run still uses the old one.
    assert worker.compute("x", run_id=5, actor=True) == [ReportRescheduled("x", 5)]
    assert worker.finish("user")[1:] == [DropData(["x"])]
    assert executed(worker.compute("x", run_id=6, actor=True)) == ["x"]


def test_the_proxy_of_a_lost_actor_is_not_taken_for_a_new_one() -> None:
    worker = Worker()
    worker.compute("user", {"x": [A]})
    worker.bring(A, "x")
    worker.free("x")
    assert worker.compute("x", run_id=5, actor=True) == [ReportRescheduled("x", 5)]
