"""Copies of the state's facts."""

from __future__ import annotations

import pytest

from dagrpc_scheduler.core import events, views
from dagrpc_scheduler.core.events import TaskOptions
from tests.unit.scheduler.harness import A, B, C, Scheduler


@pytest.fixture
def scheduler() -> Scheduler:
    scheduler = Scheduler()
    scheduler.worker(A, 2, name="alice", host="one", resources={"gpu": 1.0}, memory_limit=100, nanny="n:1")
    scheduler.worker(B, 1, name="bob", host="one")
    scheduler.scatter("s", A, B, nbytes=5)
    scheduler.submit({"x-1": "s", "y-1": "x-1"}, options=TaskOptions(workers=("alice",), retries=2))
    return scheduler


def test_who_has_what(scheduler: Scheduler) -> None:
    core = scheduler.core
    assert views.who_has(core) == [("s", 5, (A, B))]
    assert views.who_has(core, ["x-1", "s", "unknown"]) == [("x-1", 0, ()), ("s", 5, (A, B)), ("unknown", 0, ())]
    assert views.has_what(core) == {A: ["s"], B: ["s"]}
    assert views.has_what(core, [B, "gone:1"]) == {B: ["s"], "gone:1": []}
    assert views.processing(core) == {A: ["x-1"], B: []}
    assert views.processing(core, ["gone:1"]) == {"gone:1": []}
    assert views.nbytes(core) == {"s": 5}
    assert views.nbytes(core, ["s", "x-1", "unknown"]) == {"s": 5}


def test_a_task(scheduler: Scheduler) -> None:
    info = views.task_info(scheduler.core, "x-1")
    assert info is not None
    assert (info.key, info.state, info.prefix, info.group) == ("x-1", "processing", "x", "x")
    assert (info.dependencies, info.dependents, info.wanted_by) == (("s",), ("y-1",), ())
    assert (info.workers, info.processing_on, info.run_id) == ((), A, 1)
    assert (info.nbytes, info.type_name, info.retries, info.suspicious, info.origin_key) == (0, "", 2, 0, "")
    assert info.priority == (0.0, 1, 0)
    assert info.has_work
    assert views.task_info(scheduler.core, "unknown") is None


def test_tasks(scheduler: Scheduler) -> None:
    core = scheduler.core
    assert [info.key for info in views.tasks(core)] == ["s", "x-1", "y-1"]
    assert [info.key for info in views.tasks(core, limit=1)] == ["s"]
    assert [info.key for info in views.tasks(core, state="waiting")] == ["y-1"]
    assert [info.key for info in views.tasks(core, ["y-1", "unknown", "s"])] == ["y-1", "s"]
    assert views.tasks(core, ["s"])[0].workers == (A, B)


def test_a_failed_task_names_the_one_that_failed_first(scheduler: Scheduler) -> None:
    for _ in range(3):
        scheduler.fail("x-1")
    info = views.task_info(scheduler.core, "y-1")
    assert info is not None
    assert (info.state, info.origin_key) == ("erred", "x-1")


def test_counts(scheduler: Scheduler) -> None:
    expected = dict.fromkeys(("released", "waiting", "no-worker", "queued", "processing", "memory", "erred"), 0)
    assert views.state_counts(scheduler.core) == expected | {"memory": 1, "processing": 1, "waiting": 1}
    assert views.prefix_counts(scheduler.core) == {
        "s": expected | {"memory": 1},
        "x": expected | {"processing": 1},
        "y": expected | {"waiting": 1},
    }
    assert views.durations(scheduler.core) == {}
    scheduler.finish("x-1", seconds=2.0)
    assert views.durations(scheduler.core) == {"x": 2.0}


def test_workers(scheduler: Scheduler) -> None:
    first, second = views.workers(scheduler.core)
    assert first == views.WorkerInfo(
        A, "alice", "one", "running", 2, 100, {"gpu": 1.0}, {}, "n:1", 1, 0, 1, 5, first.occupancy
    )
    assert first.occupancy == pytest.approx(0.5)
    assert second == views.worker_info(scheduler.core, B)
    assert views.worker_info(scheduler.core, "gone:1") is None
    assert views.worker_status(scheduler.core, A) == ("running", first.occupancy)
    assert views.worker_status(scheduler.core, "gone:1") == ("closed", 0.0)
    assert views.is_address_taken(scheduler.core, A)
    assert not views.is_address_taken(scheduler.core, C)
    assert views.is_name_taken(scheduler.core, "alice")
    assert not views.is_name_taken(scheduler.core, A)
    scheduler.status(A, "paused")
    assert views.running_workers(scheduler.core) == [B]


def test_workers_are_found_by_address_name_and_host(scheduler: Scheduler) -> None:
    assert views.resolve_workers(scheduler.core, [B, "bob", "one"]) == [B, A]
    with pytest.raises(views.UnknownWorkerError, match="no worker has the address, the name or the host 'carol'"):
        views.resolve_workers(scheduler.core, ["alice", "carol"])


def test_a_name_and_a_host_go_with_their_worker(scheduler: Scheduler) -> None:
    scheduler.lose(A)
    assert not views.is_name_taken(scheduler.core, "alice")
    assert views.resolve_workers(scheduler.core, ["one"]) == [B]
    scheduler.lose(B)
    with pytest.raises(views.UnknownWorkerError):
        views.resolve_workers(scheduler.core, ["one"])


def test_clients_and_waiting_work(scheduler: Scheduler) -> None:
    assert views.clients(scheduler.core) == ["c"]
    assert views.wanted_keys(scheduler.core, "c") == ["s", "y-1"]
    assert views.wanted_keys(scheduler.core, "unknown") == []
    scheduler.now = 7.0
    scheduler.submit({"z": ""}, options=TaskOptions(workers=("carol",)))
    assert views.unrunnable(scheduler.core) == {"z": 7.0}
    assert views.queued_count(scheduler.core) == 0
    # One task runs and one cannot; the duration of both is unknown.
    assert views.total_occupancy(scheduler.core) == pytest.approx(1.0)


def test_a_story(scheduler: Scheduler) -> None:
    scheduler.now = 3.0
    scheduler.send(events.KeysReleased("c", ["y-1"], "stimulus"))
    assert [(entry.start, entry.finish, entry.worker) for entry in views.story(scheduler.core, ["x-1"])] == [
        ("released", "waiting", ""),
        ("waiting", "processing", A),
        ("processing", "released", A),
        ("released", "forgotten", ""),
    ]
    by_stimulus = views.story(scheduler.core, ["stimulus"])
    assert [entry.key for entry in by_stimulus] == ["y-1", "x-1", "y-1", "x-1"]
    assert {entry.time for entry in by_stimulus} == {3.0}
    assert len(views.story(scheduler.core)) == 9


def test_a_story_is_bounded() -> None:
    scheduler = Scheduler([A], story_length=3)
    scheduler.submit({"x": ""})
    scheduler.finish("x")
    assert [entry.finish for entry in views.story(scheduler.core)] == ["waiting", "processing", "memory"]


# --- places for data ---


def test_data_goes_round_by_threads() -> None:
    scheduler = Scheduler([A, B], nthreads=2)
    assert views.place_data(scheduler.core, [1] * 6, [A, B, A]) == [(A,), (A,), (B,), (B,), (A,), (A,)]
    # Data in transit took its turns already.
    scheduler.send(events.ScatterAnnounced("c", {"s": 1, "t": 1}))
    assert views.place_data(scheduler.core, [1], [A, B]) == [(B,)]


def test_data_goes_to_the_worker_that_holds_least() -> None:
    scheduler = Scheduler([A, B])
    scheduler.scatter("s", A)
    assert views.place_data(scheduler.core, [1], [A, B]) == [(B,)]


@pytest.mark.parametrize(("copies", "count"), [(0, 1), (1, 1), (2, 2), (9, 3), (-1, 3)])
def test_copies_of_data_go_to_different_workers(copies: int, count: int) -> None:
    scheduler = Scheduler([A, B, C], nthreads=2)
    for place in views.place_data(scheduler.core, [1, 1, 1], [A, B, C], copies):
        assert len(set(place)) == len(place) == count


def test_data_goes_to_running_workers_only() -> None:
    scheduler = Scheduler([A, B])
    scheduler.status(A, "paused")
    assert views.place_data(scheduler.core, [1, 1], [A, B, "gone:1"]) == [(B,), (B,)]
    assert views.place_data(scheduler.core, [1, 1], [A]) == [(), ()]
