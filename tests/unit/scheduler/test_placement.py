"""The worker of a task: restrictions, locality, load."""

from __future__ import annotations

import pytest

from dagrpc_scheduler.core import events
from dagrpc_scheduler.core.events import TaskOptions
from dagrpc_scheduler.core.instructions import ComputeTask
from tests.unit.scheduler.harness import A, B, C, Scheduler, of_type

# --- load ---


def test_idle_workers_are_used_in_turn() -> None:
    scheduler = Scheduler([A, B, C])
    places = []
    for key in "uvwxyz":
        scheduler.submit({key: ""})
        places.append(scheduler.place(key))
        scheduler.finish(key)
    assert sorted(places) == [A, A, B, B, C, C]


def test_a_worker_with_a_free_thread_comes_first() -> None:
    scheduler = Scheduler()
    scheduler.worker(A, 1)
    scheduler.worker(B, 4)
    for number in range(5):
        scheduler.submit({f"x{number}": ""})
    assert [scheduler.place(f"x{number}") for number in range(5)].count(B) == 4


def test_among_busy_workers_the_one_that_is_free_soonest_is_chosen() -> None:
    scheduler = Scheduler([A, B], unknown_task_duration=3.0, default_task_durations={"long": 10.0, "short": 1.0})
    scheduler.submit({"long": ""})
    scheduler.submit({"short": ""})
    for number in range(3):
        scheduler.submit({f"x-{number}": ""})
    assert {scheduler.place(f"x-{number}") for number in range(3)} == {scheduler.place("short")}


def test_a_long_running_task_does_not_occupy_its_worker() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({"x": ""})
    worker, run_id = scheduler.runs["x"]
    scheduler.submit({"y": ""})
    scheduler.send(events.TaskLongRunning(worker, "x", run_id, 0.5))
    scheduler.send(events.TaskLongRunning(worker, "x", run_id, 0.5))
    scheduler.submit({"z": ""})
    assert scheduler.place("z") == worker
    scheduler.finish("x")
    assert scheduler.core.state.workers[worker].long_running == {}


def test_only_running_workers_get_tasks() -> None:
    scheduler = Scheduler([A, B])
    scheduler.status(A, "paused")
    for key in "xyz":
        scheduler.submit({key: ""})
        assert scheduler.place(key) == B
    scheduler.status(B, "retiring")
    scheduler.submit({"late": ""})
    assert scheduler.state("late") == "no-worker"
    # Their results stay with them.
    assert scheduler.place("x") == B
    scheduler.status(A, "running")
    assert scheduler.place("late") == A


# --- locality ---


def test_a_task_goes_where_most_of_its_dependencies_are() -> None:
    scheduler = Scheduler([A, B, C])
    scheduler.scatter("small", A, nbytes=10)
    scheduler.scatter("large", B, nbytes=1_000_000)
    scheduler.submit({"y": "small large"})
    assert scheduler.place("y") == B


def test_a_transfer_is_weighed_against_waiting() -> None:
    scheduler = Scheduler([A, B], bandwidth=100.0, unknown_task_duration=3.0)
    scheduler.scatter("x", A, B, nbytes=1)
    scheduler.scatter("y", A, nbytes=200)
    scheduler.submit({"busy": ""}, options=TaskOptions(workers=(A,)))
    scheduler.submit({"z": "x y"})
    # Waiting for A takes 3 s, moving y to B takes 2 s.
    assert scheduler.place("z") == B


def test_an_idle_worker_helps_out_if_that_is_much_sooner() -> None:
    scheduler = Scheduler([A, B], unknown_task_duration=1.0, bandwidth=1000.0)
    scheduler.scatter("x", A, nbytes=500)
    scheduler.submit({"first": "x"})
    scheduler.submit({"second": "x"})
    assert (scheduler.place("first"), scheduler.place("second")) == (A, B)


@pytest.mark.parametrize(("patience", "place"), [(0.49, B), (0.51, A)])
def test_patience_is_the_price_of_leaving_the_data(patience: float, place: str) -> None:
    scheduler = Scheduler([A, B], unknown_task_duration=1.0, bandwidth=1000.0, locality_patience=patience)
    scheduler.scatter("x", A, nbytes=500)
    scheduler.submit({"first": "x"})
    scheduler.submit({"second": "x"})
    assert scheduler.place("second") == place


def test_if_the_holders_take_no_tasks_another_worker_does() -> None:
    scheduler = Scheduler([A, B])
    scheduler.scatter("x", A)
    scheduler.status(A, "paused")
    (compute,) = of_type(ComputeTask, scheduler.submit({"y": "x"}))
    assert (compute.worker, compute.dependencies) == (B, [("x", 10, (A,))])


def test_a_few_of_many_holders_are_named_in_turn() -> None:
    addresses = [f"w{number}:1" for number in range(6)]
    scheduler = Scheduler(addresses, holders_listed=2, holders_considered=3)
    scheduler.scatter("s", *addresses)
    named: set[str] = set()
    for number in range(6):
        (compute,) = of_type(ComputeTask, scheduler.submit({f"x{number}": "s"}))
        ((_, _, holders),) = compute.dependencies
        assert len(holders) == 2
        named.update(holders)
    assert named == set(addresses)


# --- restrictions ---


@pytest.mark.parametrize("text", [B, "bob", "host-b"])
def test_a_task_is_restricted_by_address_name_or_host(text: str) -> None:
    scheduler = Scheduler([A])
    scheduler.worker(B, name="bob", host="host-b")
    scheduler.scatter("x", A, nbytes=10**9)
    for number in range(3):
        scheduler.submit({f"y{number}": "x"}, options=TaskOptions(workers=(text,)))
        assert scheduler.place(f"y{number}") == B


def test_a_restricted_task_waits_for_its_worker() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""}, options=TaskOptions(workers=("bob",)))
    assert scheduler.state("x") == "no-worker"
    assert scheduler.worker(C, name="charlie") == []
    scheduler.worker(B, name="bob")
    assert scheduler.place("x") == B


def test_a_preference_gives_way_if_none_of_the_preferred_workers_is_there() -> None:
    scheduler = Scheduler([A])
    options = TaskOptions(workers=("bob",), allow_other_workers=True)
    scheduler.submit({"x": ""}, options=options)
    assert scheduler.place("x") == A
    scheduler.worker(B, name="bob")
    for key in "yz":
        scheduler.submit({key: ""}, options=options)
        assert scheduler.place(key) == B


def test_resources_are_a_must_also_where_workers_are_a_preference() -> None:
    scheduler = Scheduler([A])
    options = TaskOptions(workers=(A,), allow_other_workers=True, resources={"gpu": 2.0})
    scheduler.submit({"x": ""}, options=options)
    scheduler.worker(B, resources={"gpu": 1.0})
    assert scheduler.state("x") == "no-worker"
    scheduler.worker(C, resources={"gpu": 2.0})
    assert scheduler.place("x") == C


def test_workers_whose_resources_are_free_come_first() -> None:
    scheduler = Scheduler()
    for address in (A, B):
        scheduler.worker(address, 4, resources={"gpu": 1.0})
    options = TaskOptions(resources={"gpu": 1.0})
    for key in "wxyz":
        scheduler.submit({key: ""}, options=options)
    assert sorted(map(scheduler.place, "wx")) == [A, B]
    # Further tasks are assigned all the same: the worker runs them one after the other.
    assert sorted(map(scheduler.place, "yz")) == [A, B]
    scheduler.finish("w", "x", "y", "z")
    assert scheduler.core.state.workers[A].used_resources == {"gpu": 0.0}


def test_with_many_allowed_workers_the_holders_are_among_the_candidates() -> None:
    addresses = [f"w{number}:1" for number in range(10)]
    scheduler = Scheduler(addresses, candidates_considered=2)
    options = TaskOptions(workers=tuple(addresses))
    scheduler.scatter("x", addresses[7], nbytes=10**9)
    scheduler.submit({"y": "x"}, options=options)
    assert scheduler.place("y") == addresses[7]
    for number in range(10):
        scheduler.submit({f"z{number}": ""}, options=options)
    assert len({scheduler.place(f"z{number}") for number in range(10)}) >= 9


def test_a_restricted_task_leaves_the_worker_that_it_wants_to_leave() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({"x": ""}, options=TaskOptions(workers=(A, B)))
    worker, run_id = scheduler.runs["x"]
    (compute,) = of_type(ComputeTask, scheduler.send(events.TaskRescheduled(worker, "x", run_id)))
    assert compute.worker != worker


def test_resources_that_a_worker_offers_later_let_waiting_tasks_run() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""}, wanted=["x"], options=events.TaskOptions(resources={"GPU": 2.0}))
    assert scheduler.state("x") == "no-worker"
    scheduler.send(events.WorkerResourcesChanged(A, {"GPU": 1.0}))
    assert scheduler.state("x") == "no-worker"
    scheduler.send(events.WorkerResourcesChanged(A, {"GPU": 2.0}))
    assert scheduler.state("x") == "processing"
    scheduler.send(events.WorkerResourcesChanged("nobody:1", {"GPU": 2.0}))
