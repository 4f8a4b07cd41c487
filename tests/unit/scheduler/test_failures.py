"""Failures: exceptions, deaths of workers, lost results, stale reports."""

from __future__ import annotations

import pytest

from dagrpc_scheduler.core import events, views
from dagrpc_scheduler.core.events import TaskOptions
from dagrpc_scheduler.core.handlers.worker_membership import LOSS_REASONS_KEPT
from dagrpc_scheduler.core.instructions import (
    ComputeTask,
    CoreFailure,
    FreeKeys,
    RefreshWhoHas,
    ReportCancelled,
    ReportErred,
    ReportLost,
    ReportRetried,
)
from tests.unit.scheduler.harness import A, B, C, Scheduler, finished, of_type

# --- exceptions ---


def test_a_failure_spreads_to_dependents_with_blame() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": "", "y": "x", "z": "y"}, wanted=["y", "z"])
    assert scheduler.fail("x", "boom") == [ReportErred("c", "y", "boom", "x"), ReportErred("c", "z", "boom", "x")]
    assert scheduler.states() == {"x": "erred", "y": "erred", "z": "erred"}
    # Later dependents fail at once.
    assert scheduler.submit({"late": "z"}) == [ReportErred("c", "late", "boom", "x")]
    scheduler.release("y", "z", "late")
    assert scheduler.is_empty()


def test_a_failure_stops_what_only_the_failed_task_needed() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({"bad": "", "slow": "", "z": "bad slow"})
    place = scheduler.place("slow")
    assert scheduler.fail("bad") == [ReportErred("c", "z", "boom", "bad"), FreeKeys(place, ["slow"])]
    # The task stays known: z may be retried.
    assert scheduler.state("slow") == "released"


def test_retries_are_used_up_before_a_failure_counts() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""}, options=TaskOptions(retries=2))
    for _ in range(2):
        (compute,) = scheduler.fail("x")
        assert isinstance(compute, ComputeTask)
    assert scheduler.fail("x", "the last") == [ReportErred("c", "x", "the last", "x")]


def test_a_failed_task_can_be_run_again_with_the_dependencies_that_made_it_fail() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": "", "y": "x", "z": "y"}, wanted=["y", "z"])
    scheduler.fail("x")
    result = scheduler.retry("z")
    assert of_type(ReportRetried, result) == [ReportRetried("c", "z"), ReportRetried("c", "y")]
    assert [instruction.key for instruction in of_type(ComputeTask, result)] == ["x"]
    scheduler.finish("x")
    scheduler.finish("y")
    scheduler.finish("z")
    assert scheduler.states() == {"x": "released", "y": "memory", "z": "memory"}


def test_a_retry_is_for_failed_tasks_only_and_restores_their_retries() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""}, options=TaskOptions(retries=1))
    assert scheduler.retry("x", "unknown") == []
    scheduler.fail("x")
    scheduler.fail("x")
    scheduler.retry("x")
    assert of_type(ReportErred, scheduler.fail("x")) == []


def test_a_dependent_of_two_failures_fails_again_if_only_one_is_retried() -> None:
    scheduler = Scheduler([A], nthreads=2)
    scheduler.submit({"x": "", "y": "", "z": "x y"}, wanted=["x", "y", "z"])
    scheduler.fail("x", "first")
    scheduler.fail("y", "second")
    result = scheduler.retry("x")
    assert of_type(ReportRetried, result) == [ReportRetried("c", "x"), ReportRetried("c", "z")]
    assert of_type(ReportErred, result) == [ReportErred("c", "z", "second", "y")]


# --- workers that are lost ---


def test_the_tasks_of_a_lost_worker_run_elsewhere() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""})
    scheduler.worker(B)
    (compute,) = of_type(ComputeTask, scheduler.lose(A))
    assert (compute.worker, compute.key, compute.run_id) == (B, "x", 2)


@pytest.mark.parametrize("allowed", [0, 2])
def test_a_task_that_is_there_at_too_many_deaths_is_given_up(allowed: int) -> None:
    scheduler = Scheduler(allowed_failures=allowed)
    scheduler.submit({"x": "", "y": "x"}, wanted=["x", "y"])
    for death in range(allowed + 1):
        assert scheduler.state("x") == "no-worker"
        scheduler.worker(f"w{death}:1")
        result = scheduler.lose(f"w{death}:1")
    message = (
        f"{allowed + 1} workers died while the task 'x' was assigned to them, the last of them w{allowed}:1 (test)"
    )
    failure = CoreFailure("killed-worker", message, f"w{allowed}:1", allowed + 1, loss="test")
    assert result == [ReportErred("c", "x", failure, "x"), ReportErred("c", "y", failure, "x")]


def test_a_worker_that_leaves_in_good_order_is_not_blamed_on_its_tasks() -> None:
    scheduler = Scheduler([A], allowed_failures=0)
    scheduler.submit({"x": ""})
    scheduler.lose(A, expected=True)
    assert scheduler.state("x") == "no-worker"


def test_lost_results_are_computed_again_if_somebody_needs_them() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": "", "y": "x", "z": "y"}, wanted=["y", "z"])
    scheduler.finish("x")
    scheduler.finish("y")
    scheduler.worker(B)
    # x, a dependency of y, was freed already and is needed for y again.
    result = scheduler.lose(A)
    assert of_type(ReportLost, result) == [ReportLost("c", "y")]
    assert [(instruction.worker, instruction.key) for instruction in of_type(ComputeTask, result)] == [(B, "x")]
    assert scheduler.states() == {"x": "processing", "y": "waiting", "z": "waiting"}
    scheduler.finish("x")
    assert of_type(type(finished("y")), scheduler.finish("y")) == [finished("y")]


def test_a_result_with_another_holder_is_not_lost_and_its_readers_are_told() -> None:
    scheduler = Scheduler([A, B, C])
    scheduler.submit({"x": ""})
    scheduler.finish("x")
    scheduler.send(events.ReplicasAdded(B, {"x": 10}))
    scheduler.submit({"y": "x"}, options=TaskOptions(workers=(C,)))
    assert scheduler.lose(A) == [RefreshWhoHas(C, [("x", 10, (B,))])]
    assert scheduler.states() == {"x": "memory", "y": "processing"}


def test_tasks_are_taken_back_from_workers_that_wait_for_a_lost_result() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({"x": ""}, options=TaskOptions(workers=(A,), allow_other_workers=True))
    scheduler.finish("x")
    scheduler.submit({"y": "x"}, options=TaskOptions(workers=(B,)))
    assert scheduler.place("y") == B
    result = scheduler.lose(A)
    assert of_type(ReportLost, result) == [ReportLost("c", "x")]
    assert of_type(FreeKeys, result) == [FreeKeys(B, ["y"])]
    assert scheduler.states() == {"x": "processing", "y": "waiting"}
    (compute,) = of_type(ComputeTask, scheduler.finish("x"))
    assert (compute.worker, compute.key, compute.dependencies) == (B, "y", [("x", 10, (B,))])


def test_a_lost_actor_is_an_error() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({"x": ""}, options=TaskOptions(actor=True))
    place = scheduler.place("x")
    scheduler.finish("x")
    (report,) = scheduler.lose(place)
    assert isinstance(report, ReportErred)
    assert report.failure == CoreFailure(
        "lost-actor", f"Worker holding Actor was lost: 'x': worker {place} left: test", place
    )


def test_a_worker_at_the_address_of_another_replaces_it() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""})
    (compute,) = of_type(ComputeTask, scheduler.worker(A))
    assert (compute.worker, compute.run_id) == (A, 2)


# --- results that are not where they should be ---


def test_a_missing_result_is_looked_for_elsewhere_and_then_computed_again() -> None:
    scheduler = Scheduler([A, B, C])
    scheduler.submit({"x": ""}, options=TaskOptions(workers=(A,)))
    scheduler.finish("x")
    scheduler.send(events.ReplicasAdded(B, {"x": 10}))
    scheduler.submit({"y": "x"}, options=TaskOptions(workers=(C,)))
    # The holder may have the result and be unreachable; nobody counts on its replica any more.
    assert scheduler.send(events.DataMissing(C, "x", B)) == [FreeKeys(B, ["x"]), RefreshWhoHas(C, [("x", 10, (A,))])]
    result = scheduler.send(events.DataMissing(C, "x", A))
    assert of_type(FreeKeys, result) == [FreeKeys(A, ["x"]), FreeKeys(C, ["y"])]
    assert [instruction.key for instruction in of_type(ComputeTask, result)] == ["x"]
    assert of_type(RefreshWhoHas, result) == [RefreshWhoHas(C, [("x", 10, ())])]
    assert scheduler.states() == {"x": "processing", "y": "waiting"}


def test_a_worker_that_asks_for_what_does_not_exist_is_told_so() -> None:
    scheduler = Scheduler([A])
    assert scheduler.send(events.DataMissing(A, "x", B)) == [RefreshWhoHas(A, [("x", 0, ())])]


def test_a_worker_that_asks_late_is_told_who_has_it_now() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({"x": ""})
    place = scheduler.place("x")
    scheduler.finish("x")
    assert scheduler.send(events.DataMissing(B, "x", "gone:1")) == [RefreshWhoHas(B, [("x", 10, (place,))])]


def test_a_result_that_a_worker_drops_is_lost() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""})
    scheduler.finish("x")
    result = scheduler.send(events.ReplicasRemoved(A, ["x", "unknown"]))
    assert [type(instruction) for instruction in result] == [ReportLost, ComputeTask]


def test_a_result_that_turns_up_makes_its_computation_unnecessary() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({"x": "", "y": "x"}, wanted=["x", "y"])
    place = scheduler.place("x")
    other = B if place == A else A
    result = scheduler.send(events.ReplicasAdded(other, {"x": 10}))
    assert result[:2] == [FreeKeys(place, ["x"]), type(finished("x"))("c", "x", "", 10)]
    assert scheduler.states() == {"x": "memory", "y": "processing"}


# --- stale reports ---


def test_reports_of_runs_that_were_given_up_are_ignored() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({"x": ""})
    worker, run_id = scheduler.runs["x"]
    other = B if worker == A else A
    for event in (
        events.TaskErred(worker, "x", run_id + 1, "boom"),
        events.TaskErred(other, "x", run_id, "boom"),
        events.TaskRescheduled(worker, "x", run_id + 1),
        events.TaskLongRunning(worker, "x", run_id + 1, 1.0),
        events.TaskFinished(worker, "x", run_id + 1, 10, "int", 0.0, 1.0),
        events.TaskFinished("gone:1", "x", run_id, 10, "int", 0.0, 1.0),
    ):
        assert scheduler.send(event) == []
    assert scheduler.place("x") == worker


def test_a_result_that_came_too_late_is_dropped() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({"x": ""})
    worker, run_id = scheduler.runs["x"]
    late = events.TaskFinished(worker, "x", run_id, 10, "int", 0.0, 1.0)
    assert scheduler.release("x") == [FreeKeys(worker, ["x"])]
    assert scheduler.send(late) == [FreeKeys(worker, ["x"])]


def test_a_late_result_does_not_free_a_newer_one_on_the_same_worker() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""})
    late = scheduler.finish_event("x")
    scheduler.release("x")
    scheduler.submit({"x": ""})
    assert scheduler.send(late) == []
    scheduler.finish("x")
    assert scheduler.send(late) == []
    assert scheduler.state("x") == "memory"


def test_a_task_that_asks_to_be_run_elsewhere_is() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({"x": ""})
    for _ in range(3):
        worker, run_id = scheduler.runs["x"]
        (compute,) = of_type(ComputeTask, scheduler.send(events.TaskRescheduled(worker, "x", run_id)))
        assert compute.worker != worker


def test_a_task_that_asks_to_be_run_elsewhere_is_run_again_if_there_is_no_elsewhere() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""})
    worker, run_id = scheduler.runs["x"]
    (compute,) = of_type(ComputeTask, scheduler.send(events.TaskRescheduled(worker, "x", run_id)))
    assert (compute.worker, compute.run_id) == (A, run_id + 1)


# --- data ---


def test_data_is_there_when_it_arrives() -> None:
    scheduler = Scheduler([A])
    assert scheduler.send(events.ScatterAnnounced("c", {"s": 5})) == []
    scheduler.submit({"y": "s"})
    assert scheduler.states() == {"s": "waiting", "y": "waiting"}
    result = scheduler.send(events.ReplicasAdded(A, {"s": 5}))
    assert [instruction.key for instruction in of_type(ComputeTask, result)] == ["y"]
    assert result[0] == type(finished("s"))("c", "s", "", 5)


def test_lost_data_cancels_its_futures_and_what_waits_for_it() -> None:
    scheduler = Scheduler([A, B])
    scheduler.scatter("s", A)
    scheduler.submit({"done": "s"})
    scheduler.finish("done")
    scheduler.submit({"late": "s", "later": "late"}, options=TaskOptions(workers=(B,)), wanted=["late", "later"])
    scheduler.send(events.ReplicasAdded(B, {"done": 10}))
    why = "the data of 's' is lost, and it cannot be computed again"
    consequence = f"it depends on 's': {why}"
    result = scheduler.lose(A)
    assert of_type(ReportCancelled, result) == [
        ReportCancelled("c", "s", "lost dependencies", why),
        ReportCancelled("c", "late", "lost dependencies", consequence),
        ReportCancelled("c", "later", "lost dependencies", consequence),
    ]
    assert of_type(FreeKeys, result) == [FreeKeys(B, ["late"])]
    # Results that were computed in time stay unless they are lost themselves.
    assert scheduler.states() == {"s": "released", "done": "memory"}
    assert of_type(ReportCancelled, scheduler.submit({"new": "s"})) == [
        ReportCancelled("c", "new", "lost dependencies", consequence)
    ]
    assert of_type(ReportCancelled, scheduler.want("s")) == [ReportCancelled("c", "s", "lost dependencies", why)]
    # Its loss cancels it, since it cannot be computed again.
    assert of_type(ReportCancelled, scheduler.send(events.ReplicasRemoved(B, ["done"])))[0].key == "done"
    assert scheduler.is_empty()


def test_lost_data_can_be_put_on_a_worker_again() -> None:
    scheduler = Scheduler([A])
    scheduler.scatter("s", A)
    scheduler.submit({"y": "s"})
    scheduler.finish("y")
    scheduler.release("s")
    assert scheduler.states() == {"s": "released", "y": "memory"}
    result = scheduler.scatter("s", A)
    assert result == [type(finished("s"))("c", "s", "", 10)]


def test_a_task_takes_the_place_of_lost_data() -> None:
    scheduler = Scheduler([A])
    scheduler.scatter("s", A)
    scheduler.submit({"y": "s"})
    scheduler.finish("y")
    scheduler.release("s")
    (compute,) = of_type(ComputeTask, scheduler.submit({"s": ""}))
    assert compute.work == "work of s"
    scheduler.finish("s")
    scheduler.release("s", "y")
    assert scheduler.is_empty()


def test_data_that_never_comes_is_lost_with_its_client() -> None:
    scheduler = Scheduler([A])
    scheduler.client("d")
    scheduler.send(events.ScatterAnnounced("d", {"s": 5}))
    scheduler.submit({"y": "s"})
    (report,) = scheduler.send(events.ClientRemoved("d"))
    assert isinstance(report, ReportCancelled)
    assert (report.key, report.reason) == ("y", "lost dependencies")
    assert scheduler.is_empty()


def test_data_that_two_clients_bring_is_not_lost_with_the_first() -> None:
    scheduler = Scheduler([A])
    scheduler.client("d")
    scheduler.send(events.ScatterAnnounced("d", {"s": 5}))
    scheduler.send(events.ScatterAnnounced("c", {"s": 5}))
    assert scheduler.send(events.ClientRemoved("d")) == []
    assert scheduler.send(events.ReplicasAdded(A, {"s": 5})) == [type(finished("s"))("c", "s", "", 5)]
    assert not scheduler.core.state.pending_scatters


@pytest.mark.parametrize("places", [(A,), (A, B)])
def test_data_is_lost_with_the_last_worker_that_was_to_hold_it(places: tuple[str, ...]) -> None:
    scheduler = Scheduler([A, B])
    scheduler.send(events.ScatterAnnounced("c", {"s": 5}, places={"s": places}))
    scheduler.submit({"y": "s"})
    reports = scheduler.lose(A)
    if B in places:
        assert reports == []
        assert scheduler.states() == {"s": "waiting", "y": "waiting"}
        reports = scheduler.lose(B)
    assert [(report.key, report.reason) for report in of_type(ReportCancelled, reports)] == [
        ("s", "lost dependencies"),
        ("y", "lost dependencies"),
    ]
    assert scheduler.is_empty()


def test_data_that_another_client_brings_elsewhere_is_not_lost_with_a_worker() -> None:
    scheduler = Scheduler([A, B])
    scheduler.client("d")
    scheduler.send(events.ScatterAnnounced("c", {"s": 5}, places={"s": [A]}))
    scheduler.send(events.ScatterAnnounced("d", {"s": 5}, places={"s": [B]}))
    assert scheduler.lose(A) == []
    report = type(finished("s"))
    assert scheduler.send(events.ReplicasAdded(B, {"s": 5})) == [report(client, "s", "", 5) for client in ("c", "d")]


def test_a_client_may_bring_data_elsewhere_for_a_while_after_its_worker_left() -> None:
    scheduler = Scheduler([A, B], orphaned_scatter_patience=1000.0)
    scheduler.send(events.ScatterAnnounced("c", {"s": 5, "t": 5}, places={"s": [A], "t": [A]}))
    assert scheduler.lose(A) == []
    scheduler.send(events.ScatterAnnounced("c", {"s": 5}, places={"s": [B]}))
    scheduler.now += 1000.0
    reports = scheduler.send(events.TimePassed())
    assert [report.key for report in of_type(ReportCancelled, reports)] == ["t"]
    assert scheduler.send(events.ReplicasAdded(B, {"s": 5})) == [type(finished("s"))("c", "s", "", 5)]


def test_unknown_and_useless_copies_are_dropped() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({"bad": ""})
    scheduler.fail("bad")
    assert scheduler.send(events.ReplicasAdded(B, {"x": 1, "bad": 1})) == [FreeKeys(B, ["x", "bad"])]
    assert scheduler.send(events.ReplicasAdded("gone:1", {"x": 1})) == []


def test_a_diamond_behind_a_failure_comes_to_rest() -> None:
    """A branch that nobody needs any more is not retried."""
    scheduler = Scheduler([A])
    scheduler.submit({"a": "", "c": "a", "b": "c", "h": "a b"}, wanted=["h"])
    assert scheduler.fail("a", "boom") == [ReportErred("c", "h", "boom", "a")]
    assert scheduler.state("h") == "erred"


def test_a_retry_reaches_branches_of_different_length() -> None:
    """The task at the join must not take over an error that is about to be cleared."""
    scheduler = Scheduler([A])
    scheduler.submit({"a": "", "g": "a", "h": "a", "i": "h", "j": "i", "k": "j", "z": "k g"}, wanted=["z"])
    scheduler.fail("a", "boom")
    scheduler.retry("z")
    states = scheduler.states()
    assert states.pop("a") == "processing"
    assert set(states.values()) == {"waiting"}


def test_data_lost_together_with_what_was_computed_from_it() -> None:
    """`h` is in memory; it would have to be computed again from `f`, which runs again, and `f` from lost data."""
    scheduler = Scheduler([A])
    scheduler.scatter("d", A)
    scheduler.submit({"f": "d", "h": "f"}, wanted=["h"])
    scheduler.finish("f")
    scheduler.finish("h")
    scheduler.want("f")
    result = scheduler.lose(A)
    assert {instruction.key for instruction in of_type(ReportCancelled, result)} == {"d", "f", "h"}
    assert not any(state in ("waiting", "processing", "memory") for state in scheduler.states().values())


def test_data_lost_far_below_a_result_that_has_to_be_computed_again() -> None:
    """While the need spreads down from `z`, the cancellation because of `d` spreads up."""
    scheduler = Scheduler([A])
    scheduler.scatter("d", A)
    scheduler.submit({"w": "d", "x": "w", "y": "x", "z": "y"}, wanted=["z"])
    for key in "wxyz":
        scheduler.finish(key)
    scheduler.want("x")
    scheduler.finish("w")
    result = scheduler.lose(A)
    assert {instruction.key for instruction in of_type(ReportCancelled, result)} == {"d", "x", "z"}
    assert set(scheduler.states().values()) <= {"released"}


# --- why workers are gone ---


def test_the_end_of_the_last_worker_goes_with_the_failure() -> None:
    scheduler = Scheduler([A, B], allowed_failures=0)
    scheduler.submit({"x": ""})
    place = scheduler.place("x")
    assert views.would_give_up(scheduler.core, place)
    assert not views.would_give_up(scheduler.core, B if place == A else A)
    end = object()
    (report,) = scheduler.send(events.WorkerRemoved(place, reason="killed by SIGKILL", exit=end))
    assert isinstance(report, ReportErred)
    assert report.failure.exit is end
    assert "(killed by SIGKILL)" in report.failure.message


def test_the_core_remembers_why_workers_are_gone() -> None:
    scheduler = Scheduler([A, B, C])
    scheduler.lose(A)
    scheduler.lose(B, expected=True)
    scheduler.send(events.WorkerExplained(A, "exit code 3"), events.WorkerExplained(C, "it is there"))
    assert views.loss_reasons(scheduler.core) == {A: "exit code 3"}
    for number in range(LOSS_REASONS_KEPT + 5):
        scheduler.worker(f"d:{number}")
        scheduler.lose(f"d:{number}")
    assert len(views.loss_reasons(scheduler.core)) == LOSS_REASONS_KEPT
    assert A not in views.loss_reasons(scheduler.core)
