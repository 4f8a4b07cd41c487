"""Tasks move from busy workers to idle ones, and never run twice."""

from __future__ import annotations

from typing import Any

import pytest

from dagrpc_scheduler.core import events, instructions
from dagrpc_scheduler.core.events import TaskOptions
from dagrpc_scheduler.core.handlers.steal_requests import balance
from dagrpc_scheduler.core.instructions import ComputeTask, RequestSteal
from dagrpc_scheduler.policies.stealable_backlog import level_of
from dagrpc_scheduler.policies.stealing import WorkStealing
from tests.unit.scheduler.harness import A, B, C, Scheduler, of_type

INFINITE = float("inf")


def crowded(count: int = 20, *, workers: int = 1, options: TaskOptions = events.NO_OPTIONS, **config: Any) -> Scheduler:
    """Make a scheduler whose first worker got all tasks before the others joined."""
    scheduler = Scheduler([A], worker_saturation=INFINITE, work_stealing=False, **config)
    scheduler.submit({f"x-{number}": "" for number in range(count)}, wanted=keys(count), options=options)
    for address in (B, C)[:workers]:
        scheduler.worker(address)
    return scheduler


def keys(count: int) -> list[str]:
    return [f"x-{number}" for number in range(count)]


def look(scheduler: Scheduler) -> list[RequestSteal]:
    """Return the requests of one look for steals, whatever is configured."""
    state = scheduler.core.state
    configured, state.stealing = state.stealing, WorkStealing(state)
    requests = of_type(RequestSteal, scheduler.send(events.BalanceDue()))
    state.stealing = configured
    return requests


def answer(scheduler: Scheduler, request: RequestSteal, state: str = "ready") -> list[instructions.Instruction]:
    return scheduler.send(events.StealAnswered(request.worker, request.key, request.run_id, state))


def test_the_level_is_the_logarithm_of_the_ratio() -> None:
    assert [level_of(seconds, 1.0) for seconds in (100.0, 8.0, 7.9, 1.0, 0.5, 1 / 128, 1 / 1000)] == [
        3,
        3,
        2,
        0,
        -1,
        -7,
        -8,
    ]


def test_an_idle_worker_gets_half_of_what_a_busy_one_has() -> None:
    scheduler = crowded(20)
    requests = look(scheduler)
    assert 8 <= len(requests) <= 11
    # The last tasks in order of priority are requested, and none has moved yet.
    assert {request.key for request in requests} <= set(keys(20)[8:])
    assert {scheduler.place(key) for key in keys(20)} == {A}
    for request in requests:
        (compute,) = of_type(ComputeTask, answer(scheduler, request))
        assert (compute.worker, compute.key) == (B, request.key)
        assert compute.run_id > request.run_id
    assert scheduler.core.state.steals.pending == {}
    assert look(scheduler) == []


def test_a_worker_that_comes_late_helps_at_once() -> None:
    scheduler = Scheduler([A], worker_saturation=INFINITE)
    scheduler.submit(dict.fromkeys(keys(20), ""), wanted=keys(20))
    assert of_type(RequestSteal, scheduler.worker(B))


def test_stealing_can_be_switched_off() -> None:
    scheduler = crowded()
    assert scheduler.send(events.BalanceDue()) == []


def test_a_started_task_stays_and_is_not_requested_again() -> None:
    scheduler = crowded()
    requests = look(scheduler)
    for request in requests:
        assert answer(scheduler, request, "executing") == []
    assert {scheduler.place(key) for key in keys(20)} == {A}
    again = look(scheduler)
    assert again
    assert {request.key for request in again}.isdisjoint(request.key for request in requests)


def test_a_requested_task_is_requested_once_and_counts_for_the_thief() -> None:
    scheduler = crowded()
    assert look(scheduler)
    assert look(scheduler) == []


def test_an_answer_about_an_earlier_run_means_nothing() -> None:
    scheduler = crowded()
    request = look(scheduler)[0]
    stale = RequestSteal(request.worker, request.key, request.run_id - 1)
    assert answer(scheduler, stale) == []
    assert answer(scheduler, RequestSteal(B, request.key, request.run_id)) == []
    assert answer(scheduler, RequestSteal("gone:1", request.key, request.run_id)) == []
    assert scheduler.place(request.key) == A


def test_a_task_that_ends_or_is_released_meanwhile_is_not_moved() -> None:
    scheduler = crowded()
    first, second, *_ = look(scheduler)
    scheduler.finish(first.key)
    scheduler.release(second.key)
    assert answer(scheduler, first, "memory") == []
    assert answer(scheduler, second) == []
    assert scheduler.state(first.key) == "memory"
    assert scheduler.state(second.key) == "forgotten"


def test_the_victim_is_lost_before_it_answers() -> None:
    scheduler = crowded()
    request = look(scheduler)[0]
    scheduler.lose(A)
    assert scheduler.place(request.key) == B
    assert answer(scheduler, request) == []
    assert scheduler.core.state.steals.pending == {}


@pytest.mark.parametrize("what", ["lost", "paused", "retiring"])
def test_the_thief_is_not_there_any_more_when_the_victim_answers(what: str) -> None:
    scheduler = crowded(workers=2)
    request = next(request for request in look(scheduler) if scheduler.core.state.steals)
    thief = scheduler.core.state.steals.pending[scheduler.core.tasks[request.key]].thief
    assert thief is not None
    if what == "lost":
        scheduler.lose(thief.address)
    else:
        scheduler.status(thief.address, what)
    (compute,) = of_type(ComputeTask, answer(scheduler, request))
    assert compute.worker != thief.address


def test_a_dependency_is_lost_before_the_victim_answers() -> None:
    scheduler = Scheduler([A], worker_saturation=INFINITE, work_stealing=False)
    scheduler.submit({"d": ""}, wanted=["d"])
    scheduler.finish("d")
    scheduler.submit(dict.fromkeys(keys(10), "d"), wanted=keys(10))
    scheduler.worker(B)
    request = look(scheduler)[0]
    scheduler.send(events.ReplicasRemoved(A, ["d"]))
    assert scheduler.state(request.key) == "waiting"
    assert answer(scheduler, request) == []


def test_work_goes_to_the_workers_that_may_do_it() -> None:
    scheduler = crowded(20, workers=2, options=TaskOptions(workers=(A, C)))
    for request in look(scheduler):
        answer(scheduler, request)
    places = [scheduler.place(key) for key in keys(20)]
    assert B not in places
    assert C in places


def test_a_task_for_one_worker_stays_there_unless_others_are_allowed() -> None:
    assert look(crowded(options=TaskOptions(workers=(A,)))) == []
    assert look(crowded(options=TaskOptions(workers=("a",)))) == []
    assert look(crowded(options=TaskOptions(workers=(A,), allow_other_workers=True)))


def test_actors_are_not_moved() -> None:
    assert look(crowded(options=TaskOptions(actor=True))) == []


def test_resources_are_respected() -> None:
    scheduler = Scheduler(worker_saturation=INFINITE, work_stealing=False)
    scheduler.worker(A, resources={"GPU": 1.0})
    scheduler.submit(dict.fromkeys(keys(10), ""), wanted=keys(10), options=TaskOptions(resources={"GPU": 1.0}))
    scheduler.worker(B)
    assert look(scheduler) == []
    scheduler.worker(C, resources={"GPU": 1.0})
    requests = look(scheduler)
    assert requests
    for request in requests:
        answer(scheduler, request)
    assert {scheduler.place(key) for key in keys(10)} == {A, C}


def test_a_worker_short_of_a_resource_is_helped_although_it_has_free_threads() -> None:
    scheduler = Scheduler(worker_saturation=INFINITE, work_stealing=False)
    scheduler.worker(A, 8, resources={"GPU": 1.0})
    scheduler.submit(dict.fromkeys(keys(4), ""), wanted=keys(4), options=TaskOptions(resources={"GPU": 1.0}))
    scheduler.worker(B, 8, resources={"GPU": 1.0})
    assert look(scheduler)


def test_tasks_in_flight_that_are_over_in_a_moment_stay() -> None:
    scheduler = crowded(30, default_task_durations={"x": 0.001})
    assert look(scheduler) == []


def test_short_tasks_are_moved_if_there_are_very_many() -> None:
    scheduler = crowded(3_000, default_task_durations={"x": 0.001})
    assert len(look(scheduler)) > 100


@pytest.mark.parametrize(("count", "moved"), [(5, 0), (60, 20)])
def test_data_that_takes_longer_to_travel_than_to_use_stays_unless_the_backlog_is_long(count: int, moved: int) -> None:
    scheduler = Scheduler([A], worker_saturation=INFINITE, work_stealing=False, default_task_durations={"x": 0.5})
    scheduler.scatter("big", A, nbytes=800_000_000)
    scheduler.submit(dict.fromkeys(keys(count), "big"), wanted=keys(count))
    scheduler.worker(B)
    # The dependency is transferred once for all tasks.
    assert moved <= len(look(scheduler)) <= 2 * moved


def test_the_most_profitable_task_moves_first() -> None:
    durations = {"x": 1.0}
    scheduler = Scheduler([A], worker_saturation=INFINITE, work_stealing=False, default_task_durations=durations)
    scheduler.scatter("big", A, nbytes=200_000_000)
    scheduler.submit({"x-first": ""}, wanted=["x-first"])
    scheduler.submit({"x-light": ""}, wanted=["x-light"])
    scheduler.submit({f"x-{number}": "big" for number in range(10)}, wanted=keys(10))
    scheduler.worker(B)
    assert look(scheduler)[0].key == "x-light"


def test_tasks_that_were_thought_short_are_moved_when_they_turn_out_long() -> None:
    scheduler = crowded(8, default_task_durations={"x": 0.001})
    assert look(scheduler) == []
    scheduler.now = 1.0
    assert look(scheduler)


def test_a_worker_that_goes_on_finishing_short_tasks_is_left_alone() -> None:
    scheduler = crowded(8, default_task_durations={"x": 0.001})
    for number in range(4):
        assert look(scheduler) == []
        scheduler.now += 1.0
        scheduler.finish(f"x-{number}", seconds=0.001)


def test_long_running_tasks_are_not_moved() -> None:
    scheduler = crowded(4)
    for key in keys(4)[1:]:
        worker, run_id = scheduler.runs[key]
        scheduler.send(events.TaskLongRunning(worker, key, run_id, 0.5))
    assert look(scheduler) == []


def test_tasks_of_a_paused_worker_go_elsewhere() -> None:
    scheduler = crowded(5)
    requests = of_type(RequestSteal, scheduler.status(A, "paused"))
    assert {request.key for request in requests} == set(keys(5))
    answer(scheduler, requests[0], "executing")
    for request in requests[1:]:
        answer(scheduler, request)
    assert [scheduler.place(key) for key in keys(5)] == [A, B, B, B, B]
    assert scheduler.send(events.BalanceDue()) == []


def test_tasks_of_a_paused_worker_that_nobody_else_may_run_stay_until_somebody_comes() -> None:
    scheduler = crowded(3, workers=0)
    scheduler.submit({"z": ""}, options=TaskOptions(workers=(A,)))
    assert scheduler.status(A, "paused") == []
    requests = of_type(RequestSteal, scheduler.worker(B))
    assert {request.key for request in requests} == set(keys(3))


@pytest.mark.parametrize("status", ["paused", "retiring", "closing"])
def test_workers_that_are_given_nothing_are_no_thieves(status: str) -> None:
    scheduler = crowded()
    scheduler.status(B, status)
    assert look(scheduler) == []


def test_a_pass_is_bounded() -> None:
    scheduler = crowded(3_000, workers=2, steal_considered=100)
    assert len(look(scheduler)) == 100
    scheduler = crowded(3_000, workers=2, steals_at_once=30)
    assert len(look(scheduler)) == 30


def test_nothing_is_done_without_tasks() -> None:
    scheduler = Scheduler([A, B])
    balance(scheduler.core.state)
    assert look(scheduler) == []


def test_steps_are_told_and_counted() -> None:
    scheduler = crowded()
    first, second, *rest = look(scheduler)
    answer(scheduler, first)
    answer(scheduler, second, "executing")
    book = scheduler.core.state.steals
    assert (book.requested, book.confirmed, book.refused) == (2 + len(rest), 1, 1)
    assert book.requested_seconds == pytest.approx(0.5 * book.requested)
    assert book.news[-2][:-1] == ("confirm", first.key, first.run_id, A, B, "ready")
    assert book.news[-1][:-1] == ("refuse", second.key, second.run_id, A, B, "executing")
    story = [(entry.start, entry.finish, entry.worker) for entry in scheduler.core.state.story.of([first.key])]
    assert story[-2:] == [("processing", "waiting", ""), ("waiting", "processing", B)]
