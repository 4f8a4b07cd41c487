"""Requests of clients other than graphs: cancellation, shared blobs, replicas, restarts."""

from __future__ import annotations

import pytest

from dagrpc_scheduler.core import events
from dagrpc_scheduler.core.events import GraphSubmitted, NewTask, TaskOptions
from dagrpc_scheduler.core.instructions import (
    ComputeTask,
    CoreFailure,
    FreeKeys,
    FreeShared,
    RejectGraph,
    ReportCancelled,
    ReportErred,
)
from tests.unit.scheduler.harness import A, B, Scheduler, finished, of_type

USER = ("user", "never mind")

# --- cancelling ---


def test_cancelling_stops_a_task_and_what_depends_on_it() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": "", "y": "x", "z": "y"}, wanted=["x", "y", "z"])
    consequence = ("lost dependencies", "it depends on 'x': never mind")
    assert scheduler.cancel("x") == [
        ReportCancelled("c", "x", *USER),
        ReportCancelled("c", "y", *consequence),
        ReportCancelled("c", "z", *consequence),
        FreeKeys(A, ["x"]),
    ]
    assert scheduler.is_empty()


@pytest.mark.parametrize("key", ["x", "y"])
def test_a_task_that_another_client_wants_goes_on_unless_forced(key: str) -> None:
    scheduler = Scheduler([A])
    scheduler.client("d")
    scheduler.submit({"x": "", "y": "x"}, wanted=["x", "y"])
    scheduler.want(key, client="d")
    # The client needs x even if it wants only its dependent.
    assert scheduler.cancel("x") == [ReportCancelled("c", "x", *USER)]
    assert scheduler.states() == {"x": "processing", "y": "waiting"}
    result = scheduler.cancel("x", client="c", force=True)
    assert ("d", key) in [(report.client, report.key) for report in of_type(ReportCancelled, result)]
    assert scheduler.is_empty()


def test_cancelling_half_a_graph_makes_the_rest_of_it_refused() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""}, wanted=["x"], graph_id="g", last=False)
    assert scheduler.cancel("x") == [ReportCancelled("c", "x", *USER), FreeKeys(A, ["x"])]
    (reject,) = scheduler.submit({"y": "x"}, graph_id="g")
    assert isinstance(reject, RejectGraph)
    assert reject.keys == ["y"]
    assert scheduler.is_empty()


def test_an_upload_of_another_client_goes_on_unless_forced() -> None:
    scheduler = Scheduler([A])
    scheduler.client("other")
    scheduler.submit({"x": ""}, wanted=[], client="other", last=False)
    assert scheduler.cancel("x") == []
    assert scheduler.state("x") == "processing"


def test_a_cancelled_task_leaves_finished_and_failed_ones_that_do_not_depend_on_it() -> None:
    scheduler = Scheduler([A], nthreads=3)
    scheduler.submit({"w": "", "x": "w", "bad": "", "y": "w"}, wanted=["x", "bad", "y"])
    scheduler.fail("bad")
    scheduler.finish("w")
    scheduler.finish("y")
    scheduler.cancel("x", "unknown")
    assert scheduler.states() == {"w": "released", "bad": "erred", "y": "memory"}


def test_a_deep_graph_is_cancelled_without_recursion() -> None:
    scheduler = Scheduler([A])
    graph = {"x0": ""} | {f"x{number}": f"x{number - 1}" for number in range(1, 3000)}
    scheduler.core._validate = False
    scheduler.submit(graph)
    scheduler.client("d")
    assert of_type(ReportCancelled, scheduler.cancel("x0", client="d")) == []
    assert [report.key for report in of_type(ReportCancelled, scheduler.cancel("x0"))] == ["x2999"]
    assert scheduler.is_empty()


def test_keys_that_are_cancelled_together_are_cancelled_for_the_same_reason() -> None:
    scheduler = Scheduler([A])
    graph = {"x0": ""} | {f"x{number}": f"x{number - 1}" for number in range(1, 3000)}
    scheduler.core._validate = False
    scheduler.submit(graph, wanted=graph)
    assert scheduler.cancel(*graph)[:3000] == [ReportCancelled("c", key, *USER) for key in graph]
    assert scheduler.is_empty()


def test_much_lost_data_cancels_what_depends_on_it_once() -> None:
    scheduler = Scheduler([A])
    for number in range(5):
        scheduler.scatter(f"s{number}", A)
    scheduler.submit({"bob-task": "s0 s1 s2 s3 s4", "end": "bob-task"}, options=TaskOptions(workers=("bob",)))
    reports = of_type(ReportCancelled, scheduler.lose(A))
    assert sorted(report.key for report in reports) == ["end", "s0", "s1", "s2", "s3", "s4"]
    assert scheduler.is_empty()


# --- wanting and leaving ---


def test_a_client_that_leaves_wants_nothing() -> None:
    scheduler = Scheduler([A])
    scheduler.client("d")
    scheduler.submit({"x": "", "y": "x"}, client="d")
    scheduler.want("x")
    assert scheduler.send(events.ClientRemoved("d")) == []
    assert scheduler.states() == {"x": "processing"}


def test_wanting_twice_is_wanting_once() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""})
    scheduler.want("x")
    scheduler.finish("x")
    assert scheduler.want("x") == [finished("x")]
    assert scheduler.release("x") == [FreeKeys(A, ["x"])]
    assert scheduler.release("x") == []


def test_a_client_that_comes_twice_keeps_what_it_has() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""})
    scheduler.client("c")
    assert scheduler.finish("x") == [finished("x")]


# --- shared values ---


def shared_graph(client: str, key: str, *digests: bytes, brings: bool = True, last: bool = True) -> GraphSubmitted:
    values = {digest: b"value of " + digest for digest in digests} if brings else {}
    return GraphSubmitted(client, f"graph of {key}", [NewTask(key, (), "work", digests, wanted=True)], last, values)


def test_shared_values_go_once_to_each_worker_and_are_freed_with_the_last_task() -> None:
    scheduler = Scheduler([A])
    (first,) = of_type(ComputeTask, scheduler.send(shared_graph("c", "x", b"f")))
    assert (first.shared, first.new_shared) == ((b"f",), ((b"f", b"value of f"),))
    (second,) = of_type(ComputeTask, scheduler.send(shared_graph("c", "y", b"f", brings=False)))
    assert (second.shared, second.new_shared) == ((b"f",), ())
    assert of_type(FreeShared, scheduler.release("x")) == []
    assert of_type(FreeShared, scheduler.release("y")) == [FreeShared(A, [b"f"])]
    assert scheduler.is_empty()


def test_a_client_can_hold_shared_values() -> None:
    scheduler = Scheduler([A])
    scheduler.send(events.SharedHeld("c", {b"f": b"value"}))
    scheduler.send(events.SharedHeld("c", {b"f": b"value"}))
    for _ in range(2):
        scheduler.send(shared_graph("c", "x", b"f", brings=False))
        assert of_type(FreeShared, scheduler.release("x")) == []
    assert scheduler.send(events.SharedReleased("c", [b"f", b"unknown"])) == [FreeShared(A, [b"f"])]
    assert not scheduler.core.state.shared_blobs.values


def test_the_shared_values_of_a_client_go_with_it() -> None:
    scheduler = Scheduler([A])
    scheduler.send(events.SharedHeld("c", {b"f": b"value"}))
    scheduler.send(events.ClientRemoved("c"))
    assert not scheduler.core.state.shared_blobs.values


def test_an_unknown_shared_value_is_a_reason_to_refuse() -> None:
    (reject,) = Scheduler([A]).send(shared_graph("c", "x", b"f", brings=False))
    assert isinstance(reject, RejectGraph)
    assert reject.message == "the task 'x' refers to an unknown shared blob: 66"


def test_a_value_that_comes_with_a_part_is_there_for_the_later_ones() -> None:
    scheduler = Scheduler([A])
    scheduler.send(GraphSubmitted("c", "g", [], False, {b"f": b"value"}))
    (compute,) = scheduler.send(GraphSubmitted("c", "g", [NewTask("x", (), "work", (b"f",), wanted=True)], True))
    assert isinstance(compute, ComputeTask)
    assert compute.new_shared == ((b"f", b"value"),)


def test_values_that_nothing_refers_to_are_not_kept() -> None:
    scheduler = Scheduler([A])
    scheduler.send(GraphSubmitted("c", "g", [], True, {b"f": b"value"}))
    assert not scheduler.core.state.shared_blobs.values


def test_a_new_worker_at_an_old_address_is_sent_the_values_again() -> None:
    scheduler = Scheduler([A])
    scheduler.send(shared_graph("c", "x", b"f"))
    scheduler.lose(A)
    (compute,) = of_type(ComputeTask, scheduler.worker(A))
    assert compute.new_shared == ((b"f", b"value of f"),)


# --- restart and time ---


def test_a_restart_forgets_everything() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({"x": ""})
    scheduler.finish("x")
    scheduler.submit({"y": "x", "z": "y"}, wanted=["y", "z"])
    scheduler.submit({"part": ""}, graph_id="g", last=False)
    scheduler.send(events.ScatterAnnounced("c", {"s": 1}))
    result = scheduler.send(events.RestartRequested())
    assert sorted(report.key for report in of_type(ReportCancelled, result)) == ["part", "s", "x", "y", "z"]
    assert {report.reason for report in of_type(ReportCancelled, result)} == {"scheduler-restart"}
    assert scheduler.is_empty()
    (reject,) = scheduler.submit({"rest": ""}, graph_id="g")
    assert isinstance(reject, RejectGraph)
    assert reject.message == "the cluster was restarted while the graph was being submitted"
    assert of_type(ComputeTask, scheduler.submit({"x": ""}))[0].key == "x"


@pytest.mark.parametrize(("elapsed", "fails"), [(9.99, False), (10.0, True)])
def test_a_task_that_no_worker_may_run_fails_in_time(elapsed: float, fails: bool) -> None:
    scheduler = Scheduler([A], no_workers_timeout=10.0)
    options = TaskOptions(workers=("nowhere",), resources={"gpu": 2})
    scheduler.submit({"x": "", "y": "x"}, options=options)
    scheduler.now = elapsed
    result = scheduler.send(events.TimePassed())
    message = (
        "for 10 s there was no running worker with workers nowhere and resources gpu=2 for the task 'x'; "
        "the cluster has 1 workers, 1 of them running"
    )
    assert result == ([ReportErred("c", "y", CoreFailure("no-valid-worker", message), "x")] if fails else [])


def test_without_a_time_out_it_waits_for_ever() -> None:
    scheduler = Scheduler()
    scheduler.submit({"x": ""})
    scheduler.now = 1e9
    assert scheduler.send(events.TimePassed()) == []
