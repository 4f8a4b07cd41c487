"""Tasks that the scheduler wants back, and copies that it wants here or not."""

from dagrpc_worker.core import events
from dagrpc_worker.core.instructions import (
    DropData,
    GatherData,
    ReportReplicasAdded,
    ReportReplicasRemoved,
    ReportStealAnswer,
)
from tests.unit.worker.harness import A, B, Worker, execute, finished, gathered


def test_tasks_that_were_not_started_are_given_back() -> None:
    worker = Worker(resources={"GPU": 1})
    worker.compute("running", resources={"GPU": 1})
    worker.compute("ready", run_id=2)
    worker.compute("constrained", run_id=3, resources={"GPU": 1})
    worker.compute("waiting", {"x": [A]}, run_id=4)
    for run_id, key in [(2, "ready"), (3, "constrained"), (4, "waiting")]:
        assert worker.send(events.StealRequested(key, run_id)) == [ReportStealAnswer(key, run_id, key)]
    assert worker.states() == {"running": "executing", "x": "cancelled"}


def test_tasks_that_were_handed_over_are_kept() -> None:
    worker = Worker()
    worker.compute("x", run_id=1)
    assert worker.send(events.StealRequested("x", 1)) == [ReportStealAnswer("x", 1, "executing")]
    worker.send(events.TaskSeceded("x", 1, 1.0))
    assert worker.send(events.StealRequested("x", 1)) == [ReportStealAnswer("x", 1, "long-running")]
    worker.finish("x")
    assert worker.send(events.StealRequested("x", 1)) == [ReportStealAnswer("x", 1, "memory")]


def test_failed_unknown_and_cancelled_tasks_cannot_be_given_back() -> None:
    worker = Worker()
    worker.compute("x", run_id=1)
    worker.fail("x")
    worker.compute("y", run_id=2)
    worker.free("y")
    answers = worker.send(*(events.StealRequested(key, run) for key, run in [("x", 1), ("y", 2), ("z", 3)]))
    assert answers == [
        ReportStealAnswer("x", 1, "forgotten"),
        ReportStealAnswer("y", 2, "forgotten"),
        ReportStealAnswer("z", 3, "forgotten"),
    ]


def test_a_newer_run_is_not_given_back() -> None:
    worker = Worker()
    worker.compute("running")
    worker.compute("x", run_id=2)
    worker.compute("x", run_id=3)
    assert worker.send(events.StealRequested("x", 2)) == [ReportStealAnswer("x", 2, "forgotten")]
    assert worker.states()["x"] == "ready"


def test_a_copy_is_fetched_announced_and_kept() -> None:
    worker = Worker()
    assert worker.send(events.ReplicasRequested([("x", 10, (A,)), ("w", 20, (A,))])) == [GatherData(A, ["x", "w"], 30)]
    assert worker.bring(A, "x", "w", nbytes=10) == [ReportReplicasAdded({"x": 10, "w": 10})]
    assert worker.states() == {"x": "memory", "w": "memory"}


def test_copies_are_fetched_after_what_tasks_wait_for() -> None:
    worker = Worker(gathers=1)
    worker.compute("u", {"v": [A]})
    worker.send(events.ReplicasRequested([("copy", 10, (A,))]))
    worker.compute("y", {"x": [B]}, priority=1e9)
    assert gathered(worker.bring(A, "v")) == {B: ["x"]}
    assert gathered(worker.bring(B, "x")) == {A: ["copy"]}


def test_a_copy_of_what_is_here_needs_no_transfer() -> None:
    worker = Worker()
    worker.send(events.DataPut({"x": 5}))
    assert worker.send(events.ReplicasRequested([("x", 5, (A,))])) == []
    worker.compute("y", {"x": []})
    worker.free("x")
    assert worker.send(events.ReplicasRequested([("x", 5, (A,))])) == [ReportReplicasAdded({"x": 5})]


def test_a_copy_of_what_is_being_computed_is_what_will_be_computed() -> None:
    worker = Worker()
    worker.compute("x", run_id=1)
    assert worker.send(events.ReplicasRequested([("x", 5, (A,))])) == []
    assert worker.finish("x") == [finished("x", 1)]


def test_a_copy_of_what_nobody_holds_is_given_up() -> None:
    worker = Worker()
    assert worker.send(events.ReplicasRequested([("w", 10, ())])) == []
    assert worker.states() == {}
    worker.send(events.ReplicasRequested([("x", 10, (A, B)), ("y", 10, (A,))]))
    worker.bring(A, missing=["x", "y"])
    assert worker.states() == {"x": "flight"}
    worker.send(events.GatherRefused(B, ["x"]))
    assert worker.states() == {"x": "fetch"}
    assert worker.send(events.WhoHasRefreshed([("x", 10, ())])) == []
    assert worker.states() == {}


def test_an_unwanted_copy_is_dropped() -> None:
    worker = Worker()
    worker.send(events.DataPut({"x": 5}))
    assert worker.send(events.ReplicasUnwanted(["x", "unknown"])) == [
        ReportReplicasRemoved(["x", "unknown"]),
        DropData(["x"]),
    ]


def test_a_copy_that_was_freed_before_it_was_computed_again_was_announced_all_the_same() -> None:
    worker = Worker()
    worker.send(events.DataPut({"x": 5}))
    # The scheduler may not have heard of it yet.
    worker.compute("x", run_id=7)
    assert worker.free("x") == [ReportReplicasRemoved(["x"]), DropData(["x"])]


def test_results_of_runs_are_freed_without_a_word() -> None:
    worker = Worker()
    worker.compute("x")
    worker.finish("x")
    assert worker.free("x") == [DropData(["x"])]


def test_a_copy_that_is_in_use_stays_and_the_scheduler_is_told() -> None:
    worker = Worker()
    worker.send(events.DataPut({"x": 5}))
    worker.compute("y", {"x": []})
    assert worker.send(events.ReplicasUnwanted(["x"])) == [ReportReplicasAdded({"x": 5}, kept=True)]
    worker.finish("y")
    assert worker.states() == {"x": "memory", "y": "memory"}


def test_a_copy_that_did_not_come_yet_can_be_given_up() -> None:
    worker = Worker()
    worker.send(events.ReplicasRequested([("x", 10, (A,))]))
    assert worker.send(events.ReplicasUnwanted(["x"])) == [ReportReplicasRemoved(["x"])]
    assert worker.bring(A, "x") == [DropData(["x"])]


def test_a_copy_that_was_freed_before_it_came_is_dropped() -> None:
    worker = Worker()
    worker.send(events.ReplicasRequested([("x", 10, (A,))]))
    worker.free("x")
    assert worker.bring(A, "x") == [DropData(["x"])]


def test_data_that_is_put_here_is_announced_and_used() -> None:
    worker = Worker()
    worker.compute("y", {"x": []}, run_id=1)
    assert worker.states()["x"] == "missing"
    assert worker.send(events.DataPut({"x": 5, "w": 6})) == [
        ReportReplicasAdded({"x": 5, "w": 6}),
        execute("y", 1, "x"),
    ]


def test_data_that_is_put_here_ends_a_run() -> None:
    worker = Worker()
    worker.compute("running")
    worker.compute("x", run_id=2)
    (report,) = worker.send(events.DataPut({"x": 5}))
    assert (report.key, report.run_id, report.nbytes) == ("x", 2, 5)  # type: ignore[union-attr]
    assert worker.states() == {"running": "executing", "x": "memory"}
