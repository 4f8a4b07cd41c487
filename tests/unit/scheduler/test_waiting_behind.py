"""Tasks behind one that takes very long move away, however short they are."""

from __future__ import annotations

from typing import Any

import pytest

from dagrpc_scheduler.core import events
from dagrpc_scheduler.core.events import TaskOptions
from dagrpc_scheduler.core.instructions import ComputeTask, RequestSteal
from dagrpc_scheduler.core.load_index import load_of, wait_of
from tests.unit.scheduler.harness import A, B, C, Scheduler, of_type

INFINITE = float("inf")
MOMENT = 50e-6
HELD_UP = TaskOptions(workers=(A,), allow_other_workers=True)


def keys(count: int, prefix: str = "x") -> list[str]:
    return [f"{prefix}-{number}" for number in range(count)]


def look(scheduler: Scheduler, after: float = 0.1) -> list[RequestSteal]:
    """Let time pass, and let the scheduler look for moves."""
    scheduler.now += after
    return of_type(RequestSteal, scheduler.send(events.BalanceDue()))


def give_back(scheduler: Scheduler, *requests: RequestSteal) -> list[ComputeTask]:
    answers = [events.StealAnswered(each.worker, each.key, each.run_id, "ready") for each in requests]
    return of_type(ComputeTask, scheduler.send(*answers))


def behind_a_long_one(count: int, seconds: float = MOMENT, nthreads: int = 1, **config: Any) -> Scheduler:
    """Make a scheduler on whose first worker tasks of known duration wait behind long ones."""
    config.setdefault("worker_saturation", INFINITE)
    scheduler = Scheduler([A, B], nthreads=nthreads, default_task_durations={"x": seconds}, **config)
    longs = keys(nthreads, "long")
    scheduler.submit(dict.fromkeys(longs, ""), wanted=longs, options=TaskOptions(workers=(A,)))
    scheduler.submit(dict.fromkeys(keys(count), ""), wanted=keys(count), options=HELD_UP)
    assert {scheduler.place(key) for key in keys(count)} == {A}
    return scheduler


@pytest.mark.parametrize(("count", "seconds"), [(1, 1e-7), (1, 0.01), (2, MOMENT), (60, 1e-7), (60, MOMENT)])
def test_tasks_of_a_moment_move_when_what_is_ahead_of_them_goes_on(count: int, seconds: float) -> None:
    scheduler = behind_a_long_one(count, seconds)
    requests = look(scheduler)
    assert {request.key for request in requests} == set(keys(count))
    assert {task.worker for task in give_back(scheduler, *requests)} == {B}


def test_the_last_one_moves_with_its_data_if_that_is_sooner() -> None:
    scheduler = Scheduler([A, B], default_task_durations={"x": MOMENT})
    scheduler.submit({"long": ""}, options=TaskOptions(workers=(A,)))
    scheduler.scatter("big", A, nbytes=200_000_000)
    scheduler.submit({"x": "big"}, options=HELD_UP)
    assert look(scheduler, 1.0) == []
    # A task that is 2.5 s late is expected to take 2.5 s more, and the transfer takes 2 s.
    assert [request.key for request in look(scheduler, 2.0)] == ["x"]


def test_more_of_them_move_the_longer_it_goes_on() -> None:
    scheduler = behind_a_long_one(60, 0.01)
    moved: set[str] = set()
    for _ in range(20):
        requests = look(scheduler)
        moved.update(request.key for request in requests)
        for compute in give_back(scheduler, *requests):
            assert compute.worker == B
            scheduler.finish(compute.key, seconds=0.01)
    assert moved == set(keys(60))


def test_all_threads_of_a_worker_may_be_busy_for_long() -> None:
    scheduler = behind_a_long_one(10, nthreads=4)
    scheduler.now += 1.0
    assert len(look(scheduler)) == 10


def test_a_worker_that_ends_one_task_after_the_other_is_left_alone() -> None:
    scheduler = behind_a_long_one(60)
    for key in ("long-0", *keys(58)):
        scheduler.now += 0.005
        scheduler.finish(key, seconds=0.005)
        assert look(scheduler, 0.0) == []


def test_a_task_that_has_seceded_holds_nobody_up() -> None:
    scheduler = behind_a_long_one(5)
    scheduler.now += 10.0
    scheduler.send(events.TaskLongRunning(*scheduler.runs["long-0"][:1], "long-0", scheduler.runs["long-0"][1], 10.0))
    assert look(scheduler, 0.0) == []
    # The end of a task outside the pool says nothing about the tasks inside.
    scheduler.now += 0.1
    scheduler.finish("long-0")
    assert look(scheduler, 0.0)


def test_short_tasks_go_to_an_idle_worker() -> None:
    """The tasks are submitted one after the other, as by a user who waits for each."""
    scheduler = Scheduler([A, B], default_task_durations={"x": MOMENT, "long": MOMENT})
    scheduler.submit({"long": ""}, options=TaskOptions(workers=(A,)))
    scheduler.now = 5.0
    for key in keys(20):
        scheduler.submit({key: ""})
        assert scheduler.place(key) == B
        scheduler.finish(key, seconds=MOMENT)


def test_tasks_beside_their_data_do_not_wait_for_a_worker_that_does_not_come_to_an_end() -> None:
    scheduler = Scheduler([A, B], default_task_durations={"x": MOMENT, "long": MOMENT})
    scheduler.scatter("data", A)
    scheduler.submit({"long": ""}, options=TaskOptions(workers=(A,)))
    scheduler.now = 5.0
    scheduler.submit({"x": "data"})
    assert scheduler.place("x") == B


def test_the_wait_for_a_worker_is_at_least_as_long_as_it_has_been() -> None:
    scheduler = Scheduler([A], nthreads=2, default_task_durations={"x": 1.0})
    worker = scheduler.core.state.workers[A]
    scheduler.submit({"x-0": ""})
    assert wait_of(worker, 9.0) == 0.0
    scheduler.now = 2.0
    scheduler.submit({"x-1": ""})
    assert wait_of(worker, 2.0) == load_of(worker, 2.0) == 1.0
    assert wait_of(worker, 12.0) == load_of(worker, 12.0) == 5.0


def test_nothing_from_the_queue_is_put_behind_a_task_that_takes_longer_than_expected() -> None:
    scheduler = Scheduler([A], default_task_durations={"x": MOMENT, "long": MOMENT})
    scheduler.submit({"long": ""})
    scheduler.now = 5.0
    scheduler.submit(dict.fromkeys(keys(30), ""), wanted=keys(30))
    assert set(map(scheduler.state, keys(30))) == {"queued"}
    scheduler.finish("long", seconds=5.0)
    assert scheduler.place("x-0") == A


def test_queued_tasks_behind_it_return_to_the_queue_while_all_workers_are_busy() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit(dict.fromkeys(keys(30), ""), wanted=keys(30))
    first = [key for key in keys(30) if scheduler.place(key) == A]
    assert len(first) == 2
    for key in [key for key in keys(30) if scheduler.place(key) == B]:
        scheduler.now += 3.0
        scheduler.finish(key, seconds=3.0)
    # B always has a task, and A has been busy with its first task for 6 s.
    (request,) = look(scheduler)
    assert request.key == first[1]
    assert give_back(scheduler, request) == []
    assert scheduler.state(request.key) == "queued"
    assert look(scheduler) == []
    second = next(key for key in keys(30) if scheduler.place(key) == B)
    scheduler.now += 3.0
    (compute,) = of_type(ComputeTask, scheduler.finish(second, seconds=3.0))
    assert (compute.key, compute.worker) == (request.key, B), "it is the most urgent one"


def test_restricted_tasks_and_actors_wait() -> None:
    for options in (TaskOptions(workers=(A,)), TaskOptions(workers=(A,), actor=True)):
        scheduler = Scheduler([A, B], default_task_durations={"x": MOMENT})
        scheduler.submit({"long": ""}, options=TaskOptions(workers=(A,)))
        scheduler.submit(dict.fromkeys(keys(3), ""), wanted=keys(3), options=options)
        assert look(scheduler, 100.0) == []


def test_a_refused_task_counts_as_running_and_the_rest_moves() -> None:
    """The scheduler guesses which tasks run."""
    scheduler = behind_a_long_one(3)
    requests = {request.key: request for request in look(scheduler)}
    refused = requests.pop("x-1")
    scheduler.send(events.StealAnswered(A, "x-1", refused.run_id, "executing"))
    give_back(scheduler, *requests.values())
    assert [scheduler.place(key) for key in keys(3)] == [B, A, B]
    assert look(scheduler) == []


def test_where_clients_share_fairly_it_goes_back_to_the_queue() -> None:
    scheduler = Scheduler([A, B], queue_policy="fair-share", default_task_durations={"x": MOMENT})
    scheduler.submit({"long-0": "", "long-1": ""}, wanted=keys(2, "long"), options=TaskOptions(workers=(A,)))
    behind = next(key for key in keys(2, "long") if key != "long-0")
    scheduler.submit(dict.fromkeys(keys(3), ""), wanted=keys(3), options=HELD_UP)
    assert look(scheduler, 0.0) == []
    scheduler.now = 2.0
    requests = look(scheduler)
    assert behind not in {request.key for request in requests}
    moved = give_back(scheduler, *requests)
    assert {task.worker for task in moved} <= {B}


# --- priorities ---


def submit_by_priority(scheduler: Scheduler, count: int, **restriction: Any) -> None:
    """Submit tasks one by one, the least urgent first."""
    for number in range(count):
        options = TaskOptions(priority=float(number), **restriction)
        scheduler.submit({f"x-{number}": ""}, options=options)


def play(scheduler: Scheduler, count: int) -> list[int]:
    """Let workers with one thread run their tasks in order of priority; return the order in which tasks start."""
    order: list[int] = []
    left = set(keys(count))
    while left:
        running = []
        for worker in scheduler.core.state.workers.values():
            mine = sorted((task for task in worker.processing), key=lambda task: task.priority)
            if mine:
                running.append(mine[0].key)
        order += [int(key.removeprefix("x-")) for key in running]
        scheduler.now += 1.0
        scheduler.finish(*running)
        left -= set(running)
        give_back(scheduler, *look(scheduler, 0.0))
    return order


@pytest.mark.parametrize("restriction", [{"resources": {"GPU": 1.0}}, {"workers": ("a", "b", "c")}])
@pytest.mark.parametrize("newcomers", [(B,), (B, C)])
def test_a_worker_that_joins_takes_part_in_what_is_most_urgent(
    restriction: dict[str, Any], newcomers: tuple[str, ...]
) -> None:
    scheduler = Scheduler(default_task_durations={"x": 1.0})
    submit_by_priority(scheduler, 16, **restriction)
    scheduler.worker(A, resources={"GPU": 1.0})
    for address in newcomers:
        requests = of_type(RequestSteal, scheduler.worker(address, resources={"GPU": 1.0}))
        assert "x-14" in {request.key for request in requests} or address is not B
        give_back(scheduler, *requests)
    order = play(scheduler, 16)
    assert sorted(order) == list(range(16))
    workers = 1 + len(newcomers)
    for place, number in enumerate(order):
        # Tasks that run at the same time are in any order.
        assert abs((15 - number) // workers - place // workers) <= 1, order


def test_the_most_urgent_are_found_among_many() -> None:
    scheduler = Scheduler([A], worker_saturation=INFINITE, default_task_durations={"x": 1.0, "u": 1.0})
    scheduler.submit(dict.fromkeys(keys(500), ""), wanted=keys(500))
    scheduler.submit(dict.fromkeys(keys(10, "u"), ""), wanted=keys(10, "u"), options=TaskOptions(priority=5.0))
    scheduler.submit(dict.fromkeys(keys(500, "y"), ""), wanted=keys(500, "y"))
    requests = [request.key for request in of_type(RequestSteal, scheduler.worker(B))]
    assert 4 <= sum(key.startswith("u") for key in requests) <= 6
    assert requests[0].startswith("u")
