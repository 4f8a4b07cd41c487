"""Ready tasks that no worker may run: since when, which clients wait, and why."""

from __future__ import annotations

from typing import Any

import pytest

from dagrpc_scheduler.core import events, views
from dagrpc_scheduler.core.events import TaskOptions
from dagrpc_scheduler.core.instructions import ReportErred
from dagrpc_scheduler.core.worker_shortage import Shortage
from tests.unit.scheduler.harness import A, B, Scheduler, of_type


def roots(count: int) -> dict[str, str]:
    return {f"root-{number}": "" for number in range(count)}


@pytest.fixture(params=["priority", "fair-share"])
def config(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"queue_policy": request.param}


def test_a_cluster_that_has_what_it_takes_is_short_of_nothing(config: dict[str, Any]) -> None:
    scheduler = Scheduler([A], **config)
    scheduler.submit(roots(100), wanted=roots(100))
    assert views.shortage_now(scheduler.core) is None


def test_without_any_worker_all_that_is_ready_waits(config: dict[str, Any]) -> None:
    scheduler = Scheduler(**config)
    scheduler.now = 5.0
    scheduler.submit({"x": "", "y": "x"})
    assert views.shortage_now(scheduler.core) == Shortage(1, 5.0)
    scheduler.now = 9.0
    scheduler.submit({"z": ""})
    assert views.shortage_now(scheduler.core) == Shortage(2, 5.0)
    assert views.who_waits_for_workers(scheduler.core) == ["c"]
    text = views.why_nobody_works(scheduler.core, 7.0)
    assert text == "for 7 s there was no running worker for the task 'x'; the cluster has no workers"


def test_queued_tasks_wait_from_the_exit_of_the_last_worker(config: dict[str, Any]) -> None:
    scheduler = Scheduler([A, B], allowed_failures=10, **config)
    scheduler.submit(roots(100), wanted=roots(100))
    scheduler.now = 3.0
    scheduler.lose(A)
    assert views.shortage_now(scheduler.core) is None
    scheduler.now = 4.0
    scheduler.lose(B)
    found = views.shortage_now(scheduler.core)
    assert found is not None
    assert (found.tasks, found.since) == (100, 4.0)
    assert "the cluster has no workers; the last one was lost: b:1 (test)" in views.why_nobody_works(
        scheduler.core, 1.0
    )
    scheduler.worker(A)
    assert views.shortage_now(scheduler.core) is None


def test_a_shortage_names_the_restrictions_of_a_task_and_the_states_of_workers() -> None:
    scheduler = Scheduler([A, B])
    scheduler.status(B, "paused")
    scheduler.submit({"x": ""}, options=TaskOptions(workers=("alice",), resources={"gpu": 2}))
    text = views.why_nobody_works(scheduler.core, 30.0)
    assert "no running worker with workers alice and resources gpu=2 for the task 'x'" in text
    assert text.endswith("the cluster has 2 workers, 1 of them running, 1 paused")


def test_waiters_for_dependents_wait() -> None:
    scheduler = Scheduler([A])
    for name in ("d", "e"):
        scheduler.client(name)
    scheduler.submit({"free": ""}, client="d")
    scheduler.submit({"x": "", "y": "x", "z": "y"}, options=TaskOptions(resources={"gpu": 1}), client="e")
    assert views.who_waits_for_workers(scheduler.core) == ["e"]


def test_queued_tasks_fail_in_time_too_when_there_is_no_worker_left(config: dict[str, Any]) -> None:
    scheduler = Scheduler([A], no_workers_timeout=10.0, allowed_failures=10, **config)
    scheduler.submit(roots(10), wanted=roots(10))
    scheduler.now = 100.0
    assert scheduler.send(events.TimePassed()) == []
    scheduler.lose(A)
    scheduler.now = 109.0
    assert scheduler.send(events.TimePassed()) == []
    scheduler.now = 110.0
    assert len(of_type(ReportErred, scheduler.send(events.TimePassed()))) == 10
