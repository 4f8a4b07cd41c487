"""How long tasks run and wait is counted by prefix, by the scheduler's clock."""

from __future__ import annotations

from dagrpc_scheduler.core import events, views
from tests.unit.scheduler.harness import A, B, Scheduler


def scheduler_at(now: float, *workers: str) -> Scheduler:
    scheduler = Scheduler(workers)
    scheduler.now = now
    return scheduler


def waits(scheduler: Scheduler, prefix: str) -> tuple[int, float]:
    """Return how many waits of a prefix were counted, and their sum."""
    found = views.prefix_totals(scheduler.core)[prefix].waits
    return sum(found.counts), round(found.sum, 6)


def test_a_task_waits_until_its_thread_is_free() -> None:
    scheduler = scheduler_at(1000.0, A)
    scheduler.submit({"x-1": "", "x-2": ""}, wanted=["x-1", "x-2"])
    scheduler.now += 2.0
    scheduler.finish("x-1", seconds=2.0)
    scheduler.now += 3.0
    scheduler.finish("x-2", seconds=3.0)
    assert waits(scheduler, "x") == (2, 2.0)
    durations = views.prefix_totals(scheduler.core)["x"].durations
    assert (sum(durations.counts), round(durations.sum, 6)) == (2, 5.0)


def test_waiting_for_dependencies_does_not_count() -> None:
    scheduler = scheduler_at(1000.0, A)
    scheduler.submit({"x-1": "", "y-1": "x-1"})
    scheduler.now += 50.0
    scheduler.finish("x-1", seconds=50.0)
    scheduler.now += 1.5
    scheduler.finish("y-1", seconds=1.0)
    assert waits(scheduler, "x") == (1, 0.0)
    assert waits(scheduler, "y") == (1, 0.5)


def test_waiting_for_a_worker_counts() -> None:
    scheduler = scheduler_at(1000.0)
    scheduler.submit({"x-1": ""})
    scheduler.now += 30.0
    scheduler.worker(A)
    scheduler.now += 1.0
    scheduler.finish("x-1", seconds=1.0)
    assert waits(scheduler, "x") == (1, 30.0)


def test_a_run_that_failed_is_no_wait_of_the_next_one() -> None:
    scheduler = scheduler_at(1000.0, A)
    scheduler.submit({"x-1": ""}, options=events.TaskOptions(retries=1))
    scheduler.now += 100.0
    scheduler.fail("x-1")
    scheduler.now += 1.0
    scheduler.finish("x-1", seconds=1.0)
    assert waits(scheduler, "x") == (1, 0.0)


def test_a_result_that_is_computed_again_waits_from_then_on() -> None:
    scheduler = scheduler_at(1000.0, A, B)
    scheduler.submit({"x-1": ""})
    place = scheduler.place("x-1")
    scheduler.now += 1.0
    scheduler.finish("x-1", seconds=1.0)
    scheduler.now += 500.0
    scheduler.lose(place)
    scheduler.now += 1.25
    scheduler.finish("x-1", seconds=1.0)
    assert waits(scheduler, "x") == (2, 0.25)


def test_a_task_whose_dependency_was_lost_waits_from_its_return_on() -> None:
    scheduler = scheduler_at(1000.0, A)
    scheduler.submit({"x-1": "", "y-1": "x-1"}, wanted=["x-1", "y-1"])
    scheduler.now += 1.0
    scheduler.finish("x-1", seconds=1.0)
    scheduler.now += 10.0
    scheduler.lose(A, expected=True)
    scheduler.now += 10.0
    scheduler.worker(B)
    scheduler.now += 1.0
    scheduler.finish("x-1", seconds=1.0)
    scheduler.now += 2.0
    scheduler.finish("y-1", seconds=2.0)
    assert waits(scheduler, "y") == (1, 0.0)


def test_clocks_of_workers_do_not_matter() -> None:
    scheduler = scheduler_at(1000.0, A)
    scheduler.submit({"x-1": ""})
    scheduler.now += 1.0
    # The harness's workers have a clock of their own, which says 100.
    scheduler.finish("x-1", seconds=3.0)
    assert waits(scheduler, "x") == (1, 0.0)
