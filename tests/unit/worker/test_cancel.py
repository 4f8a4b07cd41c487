"""Keys that are freed while something goes on with them, and asked for again."""

from dagrpc_worker.core import events
from dagrpc_worker.core.instructions import (
    CancelExecution,
    DropData,
    GatherData,
    ReportFinished,
    ReportReplicasAdded,
    ReportReplicasRemoved,
)
from tests.unit.worker.harness import A, B, Worker, execute, executed, finished, succeeded


def test_tasks_that_were_not_started_are_forgotten_at_once() -> None:
    worker = Worker()
    worker.compute("running")
    worker.compute("ready")
    worker.compute("waiting", {"running": []})
    assert worker.free("ready", "waiting") == []
    assert worker.states() == {"running": "executing"}
    assert worker.finish("running") == [finished("running", 1)]


def test_unknown_keys_are_freed_already() -> None:
    assert Worker().free("x", "y") == []


def test_an_execution_is_withdrawn_once_and_its_result_dropped() -> None:
    worker = Worker()
    worker.compute("x", run_id=1)
    assert worker.free("x") == [CancelExecution("x", 1)]
    assert worker.free("x") == []
    assert worker.states() == {"x": "cancelled"}
    assert worker.view.handed_over == 1
    assert worker.finish("x") == [DropData(["x"])]
    assert worker.states() == {}
    assert worker.view.handed_over == 0


def test_an_unwanted_execution_keeps_its_thread() -> None:
    worker = Worker()
    worker.compute("x")
    worker.free("x")
    assert worker.compute("y") == []
    assert executed(worker.finish("x")) == ["y"]


def test_an_execution_that_was_skipped_leaves_nothing() -> None:
    worker = Worker()
    worker.compute("x")
    worker.free("x")
    assert worker.skip("x") == []
    assert worker.states() == {}


def test_an_unwanted_failure_is_not_reported() -> None:
    worker = Worker()
    worker.compute("x")
    worker.free("x")
    assert worker.fail("x") == []
    assert worker.states() == {}


def test_an_unwanted_execution_that_is_asked_for_again_is_wanted_again() -> None:
    worker = Worker()
    worker.compute("x", run_id=1)
    worker.free("x")
    assert worker.compute("x", run_id=2) == []
    assert worker.states() == {"x": "executing"}
    # It was cancelled already: that cannot be done twice.
    assert worker.free("x") == []
    assert worker.compute("x", run_id=3) == []
    assert worker.send(succeeded("x", 1)) == [finished("x", 3)]


def test_a_skipped_execution_that_is_wanted_again_runs_again() -> None:
    worker = Worker()
    worker.compute("x", run_id=1)
    worker.free("x")
    worker.compute("x", run_id=2)
    assert worker.send(events.ExecuteSkipped("x", 1)) == [execute("x", 2)]
    assert worker.send(succeeded("x", 2)) == [finished("x", 2)]


def test_a_broken_off_execution_that_is_wanted_again_runs_again() -> None:
    worker = Worker()
    worker.compute("x", run_id=1)
    worker.send(events.TaskSeceded("x", 1, 1.0))
    worker.free("x")
    worker.compute("x", run_id=2)
    assert worker.send(events.ExecuteSkipped("x", 1)) == [execute("x", 2)]


def test_inputs_of_an_unwanted_execution_stay_until_it_ends() -> None:
    worker = Worker()
    worker.compute("x")
    worker.finish("x")
    worker.compute("y", {"x": []})
    assert worker.free("y", "x") == [CancelExecution("y", 2)]
    assert worker.states() == {"x": "memory", "y": "cancelled"}
    assert worker.finish("y") == [DropData(["y", "x"])]


def test_a_freed_dependency_stays_for_a_task_that_is_wanted() -> None:
    worker = Worker()
    worker.send(events.DataPut({"x": 5}))
    worker.compute("running")
    worker.compute("y", {"x": []}, run_id=9)
    assert worker.free("x") == [ReportReplicasRemoved(["x"])]
    assert worker.finish("running")[1:] == [execute("y", 9, "x")]
    # Nobody counts on it any more: there is nothing to report.
    assert worker.finish("y") == [finished("y", 9), DropData(["x"])]


def test_a_freed_dependency_that_another_task_names_is_announced_again() -> None:
    worker = Worker()
    worker.send(events.DataPut({"x": 5}))
    worker.compute("y", {"x": []})
    worker.free("x")
    assert worker.compute("z", {"x": [A]}) == [ReportReplicasAdded({"x": 5})]
    worker.finish("y")
    worker.finish("z")
    assert worker.free("y", "z") == [DropData(["y", "z"])]
    assert worker.states() == {"x": "memory"}


def test_a_freed_result_in_use_that_is_asked_for_is_finished() -> None:
    worker = Worker()
    worker.send(events.DataPut({"x": 5}))
    worker.compute("y", {"x": []})
    worker.free("x")
    assert worker.compute("x", run_id=8) == [ReportFinished("x", 8, 5, "", 0.0, 0.0)]


def test_an_unwanted_transfer_is_dropped_when_it_ends() -> None:
    worker = Worker()
    worker.compute("y", {"x": [A]})
    assert worker.free("y") == []
    assert worker.states() == {"x": "cancelled"}
    assert worker.bring(A, "x") == [DropData(["x"])]
    assert worker.states() == {}


def test_an_unwanted_transfer_that_is_wanted_again_is_used() -> None:
    worker = Worker()
    worker.compute("y", {"x": [A]}, run_id=1)
    worker.free("y")
    assert worker.compute("z", {"x": [A]}, run_id=2) == []
    assert worker.states() == {"x": "flight", "z": "waiting"}
    assert worker.bring(A, "x") == [ReportReplicasAdded({"x": 100}), execute("z", 2, "x")]


def test_fetches_that_did_not_begin_are_forgotten() -> None:
    worker = Worker(gathers_per_peer=1)
    worker.compute("y", {"x": [A]})
    worker.compute("z", {"w": [A]})
    assert worker.states()["w"] == "fetch"
    worker.free("z")
    assert worker.states() == {"y": "waiting", "x": "flight"}


def test_a_result_that_another_worker_has_is_fetched_though_an_unwanted_execution_goes_on() -> None:
    worker = Worker(nthreads=2)
    worker.compute("x", run_id=1)
    worker.free("x")
    assert worker.compute("y", {"x": [A]}, run_id=2) == [GatherData(A, ["x"], 100)]
    assert worker.states() == {"x": "flight", "y": "waiting"}
    assert worker.bring(A, "x") == [ReportReplicasAdded({"x": 100}), execute("y", 2, "x")]
    # The execution brings the same result once more.
    assert worker.finish("x", nbytes=101) == []
    assert worker.view.stored() == {"x": 101}
    worker.finish("y")
    assert worker.free("x", "y") == [ReportReplicasRemoved(["x"]), DropData(["x", "y"])]


def test_an_unwanted_execution_can_bring_a_result_that_is_wanted() -> None:
    worker = Worker(nthreads=2)
    worker.compute("x", run_id=1)
    worker.free("x")
    worker.compute("y", {"x": [A]}, run_id=2)
    assert worker.finish("x") == [ReportReplicasAdded({"x": 8}), execute("y", 2, "x")]
    # The transfer is still under way; what it brings stays, as it is wanted.
    assert worker.bring(A, "x") == []
    assert worker.states() == {"y": "executing", "x": "memory"}


def test_data_is_not_dropped_while_a_transfer_could_bring_it_again() -> None:
    worker = Worker(nthreads=2)
    worker.compute("x", run_id=1)
    worker.free("x")
    worker.compute("y", {"x": [A]}, run_id=2)
    worker.finish("x")
    worker.finish("y")
    assert worker.free("x", "y") == [ReportReplicasRemoved(["x"]), DropData(["y"])]
    assert worker.states() == {"x": "cancelled"}
    # It is still there if it is asked for meanwhile.
    assert worker.compute("x", run_id=3) == [ReportFinished("x", 3, 8, "int", 0.0, 0.0)]
    worker.free("x")
    assert worker.bring(A, "x") == [DropData(["x"])]
    assert worker.states() == {}


def test_a_result_on_its_way_that_is_to_be_computed_here_is_computed_meanwhile() -> None:
    worker = Worker()
    worker.compute("y", {"x": [A]}, run_id=1)
    worker.free("y")
    assert worker.compute("x", run_id=2) == [execute("x", 2)]
    # It comes after all. The execution has become useless; what it brings is the same.
    assert worker.bring(A, "x") == [ReportFinished("x", 2, 100, "", 0.0, 0.0), CancelExecution("x", 2)]
    assert worker.skip("x") == []
    assert worker.states() == {"x": "memory"}


def test_a_result_that_arrives_before_its_run_began_ends_the_run() -> None:
    worker = Worker()
    worker.compute("running")
    worker.compute("y", {"x": [A]})
    worker.free("y")
    worker.compute("x", run_id=3)
    assert worker.bring(A, "x") == [ReportFinished("x", 3, 100, "", 0.0, 0.0)]


def test_a_run_that_is_requested_for_a_result_to_be_fetched_replaces_the_fetch() -> None:
    worker = Worker(gathers_per_peer=1)
    worker.compute("u", {"v": [A]}, run_id=1)
    worker.compute("y", {"x": [A]}, run_id=2)
    assert worker.states()["x"] == "fetch"
    assert worker.compute("x", run_id=3) == [execute("x", 3)]
    assert worker.finish("x") == [finished("x", 3), execute("y", 2, "x")]


def test_a_task_that_is_freed_but_used_here_is_fetched_instead() -> None:
    worker = Worker()
    worker.compute("running")
    worker.compute("x")
    worker.compute("y", {"x": [B]})
    assert worker.free("x") == [GatherData(B, ["x"], 100)]
    assert worker.states() == {"running": "executing", "x": "flight", "y": "waiting"}


def test_freed_and_asked_for_again_in_one_batch_is_computed_again() -> None:
    worker = Worker()
    worker.compute("x")
    worker.finish("x")
    assert worker.send(events.KeysFreed(["x"]), worker.request("x", run_id=5)) == [
        DropData(["x"]),
        execute("x", 5),
    ]


def test_freed_and_put_again_in_one_batch_is_kept() -> None:
    worker = Worker()
    worker.compute("x")
    worker.finish("x")
    assert worker.send(events.KeysFreed(["x"]), events.DataPut({"x": 9})) == [ReportReplicasAdded({"x": 9})]
    assert worker.view.stored() == {"x": 9}


def test_a_failed_task_that_is_used_here_is_fetched_once_somebody_holds_it() -> None:
    worker = Worker()
    worker.compute("x")
    worker.compute("y", {"x": []}, run_id=2)
    worker.fail("x")
    assert worker.states() == {"y": "waiting", "x": "missing"}
    assert worker.send(events.WhoHasRefreshed([("x", 100, (A,))])) == [GatherData(A, ["x"], 100)]
