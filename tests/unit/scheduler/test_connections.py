"""Workers whose connection breaks: they reconnect in time and continue, or late with their results."""

from __future__ import annotations

from collections.abc import Sequence

from dagrpc_scheduler.core import events, instructions
from dagrpc_scheduler.core.rejoin import _REMEMBERED, REMEMBERED_SECONDS
from tests.unit.scheduler.harness import A, B, Scheduler, of_type

ME = b"identity of a"
FREE = instructions.FreeKeys


def cluster(*others: str) -> Scheduler:
    """Return a scheduler with a worker that may reconnect, and with others."""
    scheduler = Scheduler()
    scheduler.worker(A, identity=ME)
    for other in others:
        scheduler.worker(other)
    return scheduler


def status(scheduler: Scheduler, address: str = A) -> str:
    return scheduler.core.state.workers[address].status


def come_back(
    scheduler: Scheduler, *held: tuple[str, int, int], identity: bytes = ME
) -> list[instructions.Instruction]:
    return scheduler.worker(A, identity=identity, held=held)


def freed(result: Sequence[instructions.Instruction], address: str = A) -> set[str]:
    return {key for instruction in of_type(FREE, result) if instruction.worker == address for key in instruction.keys}


# --- in time ---


def test_a_worker_that_is_away_keeps_what_it_has_and_gets_nothing_new() -> None:
    scheduler = cluster()
    scheduler.submit({"x": ""})
    assert scheduler.send(events.WorkerDisconnected(A)) == []
    assert (status(scheduler), scheduler.place("x")) == ("disconnected", A)
    scheduler.submit({"y": ""})
    assert scheduler.place("y") == ""
    (order,) = of_type(instructions.ComputeTask, scheduler.send(events.WorkerResumed(A)))
    assert (order.key, order.worker, status(scheduler)) == ("y", A, "running")
    scheduler.finish("x")
    assert scheduler.state("x") == "memory"


def test_others_take_what_is_new_meanwhile() -> None:
    scheduler = cluster(B)
    scheduler.send(events.WorkerDisconnected(A))
    scheduler.submit({"x": ""})
    assert scheduler.place("x") == B


def test_events_that_say_nothing_new_change_nothing() -> None:
    scheduler = cluster()
    for event in (events.WorkerResumed(A), events.WorkerResumed(B), events.WorkerDisconnected(B)):
        assert scheduler.send(event) == []
    assert status(scheduler) == "running"
    scheduler.status(A, "paused")
    scheduler.send(events.WorkerDisconnected(A))
    scheduler.send(events.WorkerDisconnected(A))
    scheduler.send(events.WorkerResumed(A))
    assert status(scheduler) == "paused"


def test_a_status_that_changes_meanwhile_counts_when_it_is_back() -> None:
    scheduler = cluster()
    scheduler.send(events.WorkerDisconnected(A))
    scheduler.status(A, "paused")
    assert status(scheduler) == "disconnected"
    scheduler.send(events.WorkerResumed(A))
    assert status(scheduler) == "paused"


def test_the_only_copy_is_waited_for() -> None:
    scheduler = cluster(B)
    scheduler.submit({"x": ""}, options=events.TaskOptions(workers=(A,)))
    scheduler.finish("x")
    scheduler.submit({"x": "", "y": "x"}, wanted=["x", "y"], options=events.TaskOptions(workers=(B,)))
    scheduler.send(events.WorkerDisconnected(A))
    assert scheduler.send(events.DataMissing(B, "x", A)) == []
    assert scheduler.state("x") == "memory"
    (refresh,) = of_type(instructions.RefreshWhoHas, scheduler.send(events.WorkerResumed(A)))
    assert refresh.worker == B
    assert [(key, list(holders)) for key, _, holders in refresh.data] == [("x", [A])]


def test_the_only_copy_is_made_again_if_its_holder_stays_away() -> None:
    scheduler = cluster(B)
    scheduler.submit({"x": ""}, options=events.TaskOptions(workers=(A,), allow_other_workers=True))
    scheduler.finish("x")
    scheduler.send(events.WorkerDisconnected(A))
    scheduler.send(events.DataMissing(B, "x", A))
    scheduler.lose(A)
    assert scheduler.place("x") == B


# --- late ---


def test_a_result_that_is_still_wanted_is_taken_back_and_its_second_run_stopped() -> None:
    scheduler = cluster(B)
    scheduler.submit({"x": ""}, options=events.TaskOptions(workers=(A,), allow_other_workers=True))
    run_id = scheduler.runs["x"][1]
    scheduler.finish("x")
    scheduler.lose(A)
    assert scheduler.place("x") == B
    result = come_back(scheduler, ("x", 10, run_id))
    assert (scheduler.state("x"), scheduler.holders("x")) == ("memory", [A])
    assert (freed(result), freed(result, B)) == (set(), {"x"})


def test_a_run_that_ended_without_a_connection_counts() -> None:
    scheduler = cluster()
    scheduler.submit({"x": ""})
    _, run_id = scheduler.runs.pop("x")
    scheduler.lose(A)
    come_back(scheduler, ("x", 12, run_id))
    assert (scheduler.state("x"), scheduler.holders("x")) == ("memory", [A])
    assert scheduler.core.tasks["x"].nbytes == 12


def test_another_copy_is_a_copy() -> None:
    scheduler = cluster(B)
    scheduler.submit({"x": ""}, options=events.TaskOptions(workers=(B,)))
    scheduler.finish("x")
    scheduler.send(events.ReplicasAdded(A, {"x": 10}))
    scheduler.lose(A)
    assert freed(come_back(scheduler, ("x", 10, 0))) == set()
    assert set(scheduler.holders("x")) == {A, B}


def test_results_that_nobody_wants_are_freed() -> None:
    scheduler = cluster()
    scheduler.submit({"x": ""})
    run_id = scheduler.runs["x"][1]
    scheduler.finish("x")
    scheduler.lose(A)
    scheduler.release("x")
    assert freed(come_back(scheduler, ("x", 10, run_id), ("never heard of", 1, 0))) == {"x", "never heard of"}
    assert scheduler.is_empty()


def test_the_result_of_another_task_of_that_key_is_freed() -> None:
    scheduler = cluster(B)
    scheduler.submit({"x": ""}, options=events.TaskOptions(workers=(A,)))
    run_id = scheduler.runs["x"][1]
    scheduler.finish("x")
    scheduler.lose(A)
    scheduler.release("x")
    scheduler.submit({"x": ""}, options=events.TaskOptions(workers=(B,)))
    assert freed(come_back(scheduler, ("x", 10, run_id))) == {"x"}
    assert scheduler.place("x") == B


def test_a_stranger_brings_nothing() -> None:
    scheduler = cluster(B)
    scheduler.submit({"x": ""}, options=events.TaskOptions(workers=(A,), allow_other_workers=True))
    run_id = scheduler.runs["x"][1]
    scheduler.finish("x")
    scheduler.lose(A)
    assert freed(come_back(scheduler, ("x", 10, run_id), identity=b"somebody else")) == {"x"}
    assert scheduler.place("x") == B


def test_a_worker_that_left_in_good_order_is_not_expected_back() -> None:
    scheduler = cluster()
    scheduler.lose(A, expected=True)
    assert not scheduler.core.state.removed_workers
    scheduler.worker(A)
    scheduler.lose(A)
    assert not scheduler.core.state.removed_workers


def test_actors_do_not_come_back() -> None:
    scheduler = cluster(B)
    scheduler.submit({"x": ""}, options=events.TaskOptions(workers=(A,), allow_other_workers=True, actor=True))
    run_id = scheduler.runs["x"][1]
    scheduler.finish("x")
    scheduler.lose(A)
    assert freed(come_back(scheduler, ("x", 10, run_id))) == {"x"}


def test_few_are_remembered_and_not_for_ever() -> None:
    scheduler = Scheduler()
    for number in range(_REMEMBERED + 5):
        scheduler.worker(A, identity=b"%d" % number)
        scheduler.lose(A)
    remembered = scheduler.core.state.removed_workers
    assert list(remembered) == [b"%d" % number for number in range(5, _REMEMBERED + 5)]
    scheduler.now += REMEMBERED_SECONDS - 1
    scheduler.send(events.TimePassed())
    assert len(remembered) == _REMEMBERED
    scheduler.now += 1
    scheduler.send(events.TimePassed())
    assert not remembered
