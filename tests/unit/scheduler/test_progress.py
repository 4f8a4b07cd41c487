"""Repeated counts of the same tasks."""

from __future__ import annotations

from dagrpc_scheduler.core.progress import ProgressTracker, is_over, keys_below
from tests.unit.scheduler.harness import A, B, Scheduler


def below(scheduler: Scheduler, *keys: str, only_unfinished: bool = False) -> ProgressTracker:
    tracker = ProgressTracker(only_unfinished)
    for _ in tracker.add_below(scheduler.core, keys):
        pass
    return tracker


def test_tasks_and_what_they_depend_on() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x-1": "", "x-2": "", "sum-1": "x-1 x-2"})
    assert {t.key for found in keys_below(scheduler.core, ["sum-1"]) for t in found} == {"x-1", "x-2", "sum-1"}
    tracker = below(scheduler, "sum-1", "unknown")
    total, x = tracker.count(scheduler.core)
    assert (total.name, total.total, total.states) == ("sum", 1, {"waiting": 1})
    assert (x.name, x.total, x.finished) == ("x", 2, 0)
    scheduler.finish("x-1")
    scheduler.finish("x-2")
    total, x = tracker.count(scheduler.core)
    assert x.finished == 2
    assert not is_over([total, x])
    scheduler.finish("sum-1")
    assert is_over(tracker.count(scheduler.core))


def test_failed_tasks_are_over_and_are_named() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x-1": ""})
    tracker = below(scheduler, "x-1")
    scheduler.fail("x-1")
    groups = tracker.count(scheduler.core)
    assert groups[0].states == {"erred": 1}
    assert is_over(groups)
    assert tracker.failed == "x-1"


def test_lost_results_are_noticed_before_it_is_over() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x-1": "", "y-1": ""}, wanted=["x-1", "y-1"])
    tracker = below(scheduler, "x-1", "y-1")
    scheduler.finish("x-1")
    tracker.count(scheduler.core)
    scheduler.finish("y-1")
    scheduler.lose(A)
    scheduler.worker(B)
    assert not is_over(tracker.count(scheduler.core))
    while scheduler.runs:
        scheduler.finish(*scheduler.runs)
    assert is_over(tracker.count(scheduler.core))


def test_finished_tasks_can_be_left_out() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x-1": "", "y-1": "x-1"})
    scheduler.finish("x-1")
    tracker = below(scheduler, "y-1", only_unfinished=True)
    assert [group.name for group in tracker.count(scheduler.core)] == ["y"]
