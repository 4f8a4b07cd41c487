"""Requests of shuffles: results are discarded, and tasks placed where their data is."""

from __future__ import annotations

import pytest

from dagrpc_scheduler.core import instructions, shuffle_views
from dagrpc_scheduler.core.events import PlacesAdvised, ResultsDiscarded, TaskOptions
from tests.unit.scheduler.harness import A, B, C, Scheduler, of_type

GRAPH = {"t1": "", "t2": "", "barrier": "t1 t2", "u1": "barrier", "u2": "barrier", "u3": "barrier"}
OUTPUTS = ["u1", "u2", "u3"]


@pytest.fixture
def scheduler() -> Scheduler:
    scheduler = Scheduler([A, B, C])
    scheduler.submit(GRAPH, wanted=OUTPUTS)
    return scheduler


def test_sent_parts_are_sent_again(scheduler: Scheduler) -> None:
    scheduler.finish("t1")
    before = scheduler.runs["t2"]
    result = scheduler.send(ResultsDiscarded(["barrier", "t1", "t2"]))
    assert {instruction.key for instruction in of_type(instructions.ComputeTask, result)} == {"t1", "t2"}
    freed = of_type(instructions.FreeKeys, result)
    assert sorted(key for instruction in freed if not instruction.discard for key in instruction.keys) == ["t1", "t2"]
    # Before the workers are asked for new results, they are told that the old ones are useless.
    first = result[: len(freed) // 2]
    discarded = [free for free in of_type(instructions.FreeKeys, first) if free.discard]
    assert sorted(key for free in discarded for key in free.keys) == ["t1", "t2"]
    assert scheduler.runs["t2"] != before
    assert scheduler.state("barrier") == "waiting"
    for key in ("t1", "t2", "barrier", *OUTPUTS):
        scheduler.finish(key)
    assert all(scheduler.state(key) == "memory" for key in OUTPUTS)


def test_outputs_that_are_there_stay(scheduler: Scheduler) -> None:
    for key in ("t1", "t2", "barrier", "u1"):
        scheduler.finish(key)
    assert scheduler.states() == {
        "t1": "released", "t2": "released", "barrier": "memory", "u1": "memory", "u2": "processing", "u3": "processing",
    }  # fmt: skip
    scheduler.send(ResultsDiscarded(["barrier", "t1", "t2"]))
    assert scheduler.states() == {
        "t1": "processing", "t2": "processing", "barrier": "waiting", "u1": "memory", "u2": "waiting", "u3": "waiting",
    }  # fmt: skip
    for key in ("t1", "t2", "barrier", "u2", "u3"):
        scheduler.finish(key)
    assert all(scheduler.state(key) == "memory" for key in OUTPUTS)


def test_unneeded_outputs_are_not_computed_again(scheduler: Scheduler) -> None:
    for key in ("t1", "t2", "barrier", *OUTPUTS):
        scheduler.finish(key)
    assert scheduler.send(ResultsDiscarded(["barrier", "t1", "t2", "unknown"])) == []


def test_data_is_not_discarded(scheduler: Scheduler) -> None:
    scheduler.scatter("data", A)
    assert scheduler.send(ResultsDiscarded(["data"])) == []
    assert scheduler.state("data") == "memory"


def test_outputs_are_put_together_where_their_data_is(scheduler: Scheduler) -> None:
    scheduler.finish("t1")
    scheduler.finish("t2")
    scheduler.send(PlacesAdvised({"u1": C, "u2": C, "u3": B, "unknown": A}))
    scheduler.finish("barrier")
    assert [scheduler.place(key) for key in OUTPUTS] == [C, C, B]
    # Equal options share one object.
    assert scheduler.core.tasks["u1"].options is scheduler.core.tasks["u2"].options


def test_advice_for_a_worker_that_left_is_forgotten(scheduler: Scheduler) -> None:
    scheduler.finish("t1")
    scheduler.finish("t2")
    scheduler.send(PlacesAdvised(dict.fromkeys(OUTPUTS, C)))
    scheduler.lose(C)
    for key in ("t1", "t2", "barrier"):
        if scheduler.state(key) == "processing":
            scheduler.finish(key)
    assert {scheduler.place(key) for key in OUTPUTS} <= {A, B}
    scheduler.send(PlacesAdvised({"u1": A}))
    # The advice comes too late: the task has been placed.
    assert scheduler.state("u1") == "processing"


def test_newer_advice_replaces_older(scheduler: Scheduler) -> None:
    scheduler.finish("t1")
    scheduler.finish("t2")
    scheduler.send(PlacesAdvised(dict.fromkeys(OUTPUTS, C)))
    scheduler.send(PlacesAdvised(dict.fromkeys(OUTPUTS, A)))
    scheduler.finish("barrier")
    assert {scheduler.place(key) for key in OUTPUTS} == {A}


def test_users_come_first() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({"barrier": ""})
    scheduler.submit({"u": "barrier"}, options=TaskOptions(workers=(A,)))
    scheduler.send(PlacesAdvised({"u": B}))
    scheduler.finish("barrier")
    assert scheduler.place("u") == A


def test_outputs_belong_to_workers_that_may_put_them_together(scheduler: Scheduler) -> None:
    assert shuffle_views.allowed_for_dependents(scheduler.core, "barrier") == [A, B, C]
    assert shuffle_views.allowed_for_dependents(scheduler.core, "unknown") == [A, B, C]
    scheduler.submit({"other": ""})
    scheduler.submit({"output": "other"}, options=TaskOptions(workers=(B,)))
    assert shuffle_views.allowed_for_dependents(scheduler.core, "other") == [B]
    assert shuffle_views.dependencies(scheduler.core, "barrier") == ["t1", "t2"]
    assert shuffle_views.dependencies(scheduler.core, "unknown") == []
    assert (shuffle_views.state_of(scheduler.core, "t1"), shuffle_views.state_of(scheduler.core, "unknown")) == (
        "processing",
        None,
    )
    assert shuffle_views.processing_on(scheduler.core, "t1") == scheduler.place("t1")
    assert shuffle_views.processing_on(scheduler.core, "barrier") == ""
