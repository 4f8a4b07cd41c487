"""Submission: which parts are taken or refused, and in which order tasks run."""

from __future__ import annotations

import pytest

from dagrpc_scheduler.core import events
from dagrpc_scheduler.core.events import NO_OPTIONS, GraphSubmitted, NewTask, TaskOptions
from dagrpc_scheduler.core.instructions import (
    ComputeTask,
    FreeKeys,
    RejectGraph,
    ReportCancelled,
    ReportErred,
    ReportFinished,
)
from tests.unit.scheduler.harness import A, B, Scheduler, finished, of_type


def test_a_task_runs_and_is_reported_with_its_result() -> None:
    scheduler = Scheduler([A])
    assert scheduler.submit({"x": ""}) == [
        ComputeTask(A, "x", 1, (0.0, 1, 0), "work of x", (), (), (), NO_OPTIONS, -1.0)
    ]
    assert scheduler.finish("x", payload="tiny") == [finished("x", payload="tiny")]
    assert scheduler.states() == {"x": "memory"}
    assert scheduler.release("x") == [FreeKeys(A, ["x"])]
    assert scheduler.is_empty()


def test_a_task_waits_for_its_dependencies_and_is_told_where_they_are() -> None:
    scheduler = Scheduler([A])
    first = scheduler.submit({"x": "", "y": "", "z": "x y"})
    assert [instruction.key for instruction in of_type(ComputeTask, first)] == ["x", "y"]
    assert scheduler.state("z") == "waiting"
    assert scheduler.finish("x", nbytes=7) == []
    (compute,) = of_type(ComputeTask, scheduler.finish("y", nbytes=8))
    assert compute.key == "z"
    assert compute.dependencies == [("x", 7, (A,)), ("y", 8, (A,))]


def test_results_that_nobody_needs_any_more_are_freed_but_their_tasks_stay_for_recomputation() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": "", "y": "x"})
    scheduler.finish("x")
    assert scheduler.finish("y") == [finished("y"), FreeKeys(A, ["x"])]
    assert scheduler.states() == {"x": "released", "y": "memory"}
    assert scheduler.release("y") == [FreeKeys(A, ["y"])]
    assert scheduler.is_empty()


def test_tasks_that_nobody_wants_are_forgotten_at_once() -> None:
    scheduler = Scheduler([A])
    result = scheduler.submit({"x": "", "unwanted": "x", "y": "x"}, wanted=["y"])
    assert [instruction.key for instruction in of_type(ComputeTask, result)] == ["x"]
    assert scheduler.states() == {"x": "processing", "y": "waiting"}


def test_a_known_key_keeps_its_work_and_gets_another_client() -> None:
    scheduler = Scheduler([A])
    scheduler.client("d")
    scheduler.submit({"x": ""})
    assert scheduler.submit({"x": ""}, client="d") == []
    assert scheduler.finish("x") == [finished("x"), finished("x", "d")]
    assert scheduler.release("x") == []
    assert scheduler.release("x", client="d") == [FreeKeys(A, ["x"])]


def test_a_known_key_is_reported_as_it_is() -> None:
    scheduler = Scheduler([A])
    scheduler.client("d")
    scheduler.submit({"x": ""})
    scheduler.finish("x")
    assert scheduler.submit({"x": ""}, client="d") == [finished("x", "d")]
    scheduler.submit({"bad": ""})
    scheduler.fail("bad", "boom")
    assert scheduler.submit({"bad": ""}, client="d") == [ReportErred("d", "bad", "boom", "bad")]


def test_a_released_result_that_is_wanted_again_is_computed_again() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": "", "y": "x"})
    scheduler.finish("x")
    scheduler.finish("y")
    assert scheduler.state("x") == "released"
    assert [instruction.key for instruction in of_type(ComputeTask, scheduler.want("x"))] == ["x"]
    assert scheduler.finish("x") == [finished("x")]


def test_unknown_keys_are_reported_as_cancelled() -> None:
    (report,) = Scheduler([A]).want("x")
    assert isinstance(report, ReportCancelled)
    assert (report.client, report.key, report.reason) == ("c", "x", "unknown")


def test_tasks_of_a_task_go_before_its_siblings() -> None:
    scheduler = Scheduler([A], worker_saturation=1.0)
    scheduler.submit({"first": "", "second": "", "third": ""}, wanted=["first", "second", "third"])
    scheduler.submit({"child": ""}, submitter="first", fifo_timeout=0.0)
    scheduler.submit({"grandchild": ""}, submitter="child", fifo_timeout=0.0)
    scheduler.submit({"another": ""}, submitter="gone", fifo_timeout=0.0)
    order = sorted(scheduler.core.tasks.values(), key=lambda task: task.priority)
    assert [task.key for task in order] == ["grandchild", "child", "first", "second", "third", "another"]


def test_keys_can_be_wanted_before_they_are_submitted() -> None:
    scheduler = Scheduler([A], unknown_key_patience=2.0)
    scheduler.client("d")
    assert scheduler.want("x", "y", "z", client="d") == []
    scheduler.submit({"x": ""})
    assert {report.client for report in of_type(ReportFinished, scheduler.finish("x"))} == {"c", "d"}
    scheduler.scatter("y", A)
    assert "d" in {client.name for client in scheduler.core.tasks["y"].wanted_by}
    scheduler.now = 1.9
    assert scheduler.send(events.TimePassed()) == []
    scheduler.now = 2.0
    (report,) = of_type(ReportCancelled, scheduler.send(events.TimePassed()))
    assert (report.client, report.key, report.reason) == ("d", "z", "unknown")
    assert scheduler.submit({"z": ""}) != []
    assert [client.name for client in scheduler.core.tasks["z"].wanted_by] == ["c"]


def test_a_wait_for_a_key_can_be_given_up() -> None:
    scheduler = Scheduler([A], unknown_key_patience=2.0)
    for name in ("d", "e", "f"):
        scheduler.client(name)
        scheduler.want("x", "y", client=name)
    scheduler.release("x", client="d")
    (report,) = of_type(ReportCancelled, scheduler.cancel("x", client="e"))
    assert (report.client, report.key, report.reason) == ("e", "x", "user")
    scheduler.send(events.ClientRemoved("f"))
    assert list(scheduler.core.state.unknown_keys) == ["y"]
    reports = of_type(ReportCancelled, scheduler.send(events.RestartRequested()))
    assert {(report.client, report.key, report.reason) for report in reports} == {
        ("d", "y", "scheduler-restart"),
        ("e", "y", "scheduler-restart"),
    }
    assert scheduler.core.state.unknown_keys == {}


def test_a_dependency_that_occurs_twice_counts_once() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": "", "y": "x x"})
    (compute,) = of_type(ComputeTask, scheduler.finish("x"))
    assert compute.dependencies == [("x", 10, (A,))]


# --- refusal ---


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ({"y": "x", "x": ""}, "dependencies are missing, or come after the tasks that need them: 'x' (of 'y')"),
        ({"x": "x"}, "dependencies are missing, or come after the tasks that need them: 'x' (of 'x')"),
        ({"y": "known x", "x": ""}, "dependencies are missing, or come after the tasks that need them: 'x' (of 'y')"),
    ],
)
def test_a_graph_that_makes_no_sense_is_refused_whole(graph: dict[str, str], message: str) -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"known": ""})
    assert scheduler.submit({"fine": "", **graph}, wanted=["fine", *graph], graph_id="g") == [
        RejectGraph(
            "c",
            "g",
            [key for key in ("fine", *graph) if key != "known"],
            message,
            "lost dependencies" if "missing" in message else "",
        )
    ]
    assert scheduler.states() == {"known": "processing"}


def test_two_tasks_of_one_key_are_refused() -> None:
    scheduler = Scheduler([A])
    tasks = [NewTask("x", (), "one", wanted=True), NewTask("x", (), "two", wanted=True)]
    (reject,) = of_type(RejectGraph, scheduler.send(GraphSubmitted("c", "g", tasks)))
    assert reject.message == "graph 'g' has two tasks with the key 'x'"
    assert scheduler.is_empty()


def test_a_task_without_work_is_refused() -> None:
    (reject,) = of_type(RejectGraph, Scheduler().send(GraphSubmitted("c", "g", [NewTask("x", wanted=True)])))
    assert reject.message == "the task 'x' has no work"


def test_a_long_list_of_missing_keys_is_cut() -> None:
    scheduler = Scheduler()
    (reject,) = of_type(RejectGraph, scheduler.submit({"y": " ".join(f"x{number}" for number in range(9))}))
    assert reject.message.endswith("'x4' (of 'y') and 4 more")


def test_other_work_for_a_known_key_is_ignored() -> None:
    scheduler = Scheduler()
    scheduler.submit({"x": ""})
    scheduler.send(GraphSubmitted("c", "g", [NewTask("x", (), "other", wanted=True)]))
    (compute,) = of_type(ComputeTask, scheduler.worker(A))
    assert compute.work == "work of x"


def test_events_of_unknown_clients_do_nothing() -> None:
    scheduler = Scheduler([A])
    for event in (
        GraphSubmitted("ghost", "g", [NewTask("x", (), "work", wanted=True)]),
        events.KeysWanted("ghost", ["x"]),
        events.KeysReleased("ghost", ["x"]),
        events.KeysCancelled("ghost", ["x"]),
        events.ScatterAnnounced("ghost", {"x": 1}),
        events.SharedHeld("ghost", {b"d": b"v"}),
        events.SharedReleased("ghost", [b"d"]),
        events.ClientRemoved("ghost"),
    ):
        assert scheduler.send(event) == []
    assert scheduler.is_empty()


# --- parts ---


def test_the_first_part_runs_before_the_last_has_come() -> None:
    scheduler = Scheduler([A])
    first = scheduler.submit({"x": "", "unused": ""}, wanted=[], graph_id="g", last=False)
    assert [instruction.key for instruction in of_type(ComputeTask, first)] == ["x", "unused"]
    assert scheduler.finish("x") == []
    assert scheduler.states() == {"x": "memory", "unused": "processing"}
    # The last part uses x, through a task that is not wanted itself, and does not use the other task.
    last = scheduler.submit({"y": "x", "z": "y"}, graph_id="g")
    assert [instruction.key for instruction in of_type(ComputeTask, last)] == ["y"]
    assert of_type(FreeKeys, last) == [FreeKeys(A, ["unused"])]
    assert scheduler.states() == {"x": "memory", "y": "processing", "z": "waiting"}


LOST = "lost dependencies"


def test_a_refused_part_drops_the_graph_and_all_that_follows() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": "", "early": ""}, wanted=["early"], graph_id="g", last=False)
    result = scheduler.submit({"y": "nothing"}, graph_id="g", last=False)
    assert result[0] == RejectGraph(
        "c", "g", ["y"], "dependencies are missing, or come after the tasks that need them: 'nothing' (of 'y')", LOST
    )
    assert of_type(FreeKeys, result) == [FreeKeys(A, ["x"])]
    # Wanted tasks of the accepted part continue.
    assert scheduler.states() == {"early": "processing"}
    for last in (False, True):
        (reject,) = of_type(RejectGraph, scheduler.submit({"z": "early"}, graph_id="g", last=last))
        assert reject.keys == ["z"]
    # The id then names another graph.
    assert of_type(RejectGraph, scheduler.submit({"z": "early"}, graph_id="g")) == []


def test_a_part_that_comes_twice_changes_nothing() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""}, graph_id="g", last=False)
    states = scheduler.states()
    assert scheduler.submit({"x": ""}, graph_id="g", last=False) == []
    assert scheduler.states() == states
    scheduler.submit({}, graph_id="g")
    scheduler.finish("x")
    assert scheduler.release("x") == [FreeKeys(A, ["x"])]


def test_a_client_that_leaves_takes_its_half_graphs_along() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""}, wanted=[], graph_id="g", last=False)
    assert scheduler.send(events.ClientRemoved("c")) == [FreeKeys(A, ["x"])]
    assert scheduler.is_empty()


# --- priorities ---


def test_user_priority_comes_before_age_and_age_before_order() -> None:
    scheduler = Scheduler()
    scheduler.submit({"old-last": ""}, orders={"old-last": 9})
    scheduler.submit({"old-first": ""}, orders={"old-first": 1})
    scheduler.now = 60.0
    scheduler.submit({"young": ""}, orders={"young": 0})
    scheduler.submit({"urgent": ""}, options=TaskOptions(priority=5.0))
    result = scheduler.worker(A)
    assert [(instruction.key, instruction.priority) for instruction in of_type(ComputeTask, result)] == [
        ("urgent", (-5.0, 2, 0)),
        ("old-first", (0.0, 1, 1)),
        ("old-last", (0.0, 1, 9)),
        ("young", (0.0, 2, 0)),
    ]


@pytest.mark.parametrize(("elapsed", "generation"), [(0.0, 1), (9.99, 1), (10.0, 2)])
def test_submissions_within_the_time_out_share_a_generation(elapsed: float, generation: int) -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""}, fifo_timeout=10.0)
    scheduler.now = elapsed
    (compute,) = of_type(ComputeTask, scheduler.submit({"y": ""}, fifo_timeout=10.0))
    assert compute.priority[1] == generation


def test_without_a_time_out_each_submission_is_a_generation() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""}, fifo_timeout=0.0)
    (compute,) = of_type(ComputeTask, scheduler.submit({"y": ""}, fifo_timeout=0.0))
    assert compute.priority[1] == 2


def test_the_parts_of_a_graph_share_its_generation() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({"x": ""}, graph_id="g", last=False, fifo_timeout=0.0)
    scheduler.submit({"between": ""}, fifo_timeout=0.0)
    scheduler.now = 1000.0
    (compute,) = of_type(ComputeTask, scheduler.submit({"y": ""}, graph_id="g", fifo_timeout=0.0))
    assert compute.priority[1] == 1


def test_insertion_breaks_ties() -> None:
    scheduler = Scheduler()
    scheduler.submit(dict.fromkeys("badc", ""), wanted="badc", orders=dict.fromkeys("badc", 0))
    assert [instruction.key for instruction in of_type(ComputeTask, scheduler.worker(A, 4))] == list("badc")


@pytest.mark.parametrize("last", [True, False])
def test_a_part_is_taken_as_a_whole_though_its_first_tasks_need_lost_data(last: bool) -> None:
    scheduler = Scheduler([A])
    scheduler.scatter("s", A)
    scheduler.submit({"y": "s"})
    scheduler.finish("y")
    scheduler.release("s")
    graph = {"base": "", "first": "base s", "second": "first", "third": "base second"}
    result = scheduler.submit(graph, wanted=["first", "second", "third"], graph_id="g", last=last)
    assert sorted(report.key for report in of_type(ReportCancelled, result)) == ["first", "second", "third"]
    kept = {} if last else {"base": "processing"}
    assert scheduler.states() == {"s": "released", "y": "memory", **kept}
    scheduler.submit({"end": ""}, graph_id="g")
    assert scheduler.states() == {"s": "released", "y": "memory", "end": "processing"}
