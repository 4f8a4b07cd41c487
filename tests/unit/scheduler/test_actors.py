"""Tasks whose results are actors: where they are created, and that each exists once."""

from __future__ import annotations

from collections import Counter

from dagrpc_scheduler.core import events, views
from dagrpc_scheduler.core.events import TaskOptions
from dagrpc_scheduler.core.instructions import FreeKeys, ReportErred
from dagrpc_scheduler.policies.replica_policies import only_on
from tests.unit.scheduler.harness import A, B, C, Scheduler, of_type

ACTOR = TaskOptions(actor=True)


def make(scheduler: Scheduler, *keys: str, options: TaskOptions = ACTOR) -> list[str]:
    """Create actors and return their workers."""
    places = []
    for key in keys:
        scheduler.submit({key: ""}, options=options)
        places.append(scheduler.place(key))
        scheduler.finish(key)
    return places


def test_actors_are_spread_whatever_else_the_workers_have_to_do() -> None:
    scheduler = Scheduler([A, B, C])
    for number in range(20):
        scheduler.submit({f"busy-{number}": ""}, options=TaskOptions(workers=(A,)))
    places = make(scheduler, *(f"x{number}" for number in range(9)))
    assert Counter(places) == {A: 3, B: 3, C: 3}


def test_actors_that_are_not_made_yet_count() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({f"x{number}": "" for number in range(6)}, options=ACTOR, wanted=[f"x{n}" for n in range(6)])
    assert Counter(scheduler.place(f"x{number}") for number in range(6)) == {A: 3, B: 3}


def test_a_worker_whose_actor_is_gone_gets_the_next() -> None:
    scheduler = Scheduler([A, B])
    places = dict(zip("uvwx", make(scheduler, *"uvwx"), strict=True))
    gone = [key for key, place in places.items() if place == A]
    scheduler.release(*gone)
    assert make(scheduler, "y", "z") == [A, A]
    scheduler.release(*"yz", *(set("uvwx") - set(gone)))
    assert [worker.actors for worker in scheduler.core.state.workers.values()] == [0, 0]
    assert scheduler.is_empty()


def test_an_actor_that_could_not_be_made_does_not_count() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""}, options=ACTOR)
    scheduler.fail("x")
    assert not views.holds_actors(scheduler.core, A)
    assert not views.holds_actors(scheduler.core, "nowhere:1")


def test_restrictions_hold_for_actors() -> None:
    scheduler = Scheduler([A, B])
    scheduler.worker(C, resources={"GPU": 1.0})
    assert set(make(scheduler, *"uvw", options=TaskOptions(actor=True, workers=(B,)))) == {B}
    assert set(make(scheduler, *"xyz", options=TaskOptions(actor=True, resources={"GPU": 1.0}))) == {C}
    scheduler.submit({"lonely": ""}, options=TaskOptions(actor=True, workers=("d:1",)))
    assert scheduler.state("lonely") == "no-worker"
    scheduler.worker("d:1")
    assert scheduler.place("lonely") == "d:1"


def test_actors_never_queue() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({f"x-{n}": "" for n in range(100)}, options=ACTOR, wanted=[f"x-{n}" for n in range(100)])
    assert Counter(scheduler.place(f"x-{n}") for n in range(100)) == {A: 50, B: 50}


def test_many_workers() -> None:
    scheduler = Scheduler([f"w{number}:1" for number in range(100)])
    places = make(scheduler, *(f"x{number}" for number in range(100)))
    assert max(Counter(places).values()) <= 3


def test_a_fetched_proxy_does_not_hold_the_actor() -> None:
    scheduler = Scheduler([A, B])
    (home,) = make(scheduler, "x")
    (other,) = {A, B} - {home}
    result = scheduler.send(events.ReplicasAdded(other, {"x": 10}))
    assert of_type(FreeKeys, result) == [FreeKeys(other, ["x"])]
    assert scheduler.holders("x") == [home]
    assert scheduler.send(events.ReplicasAdded(home, {"x": 10})) == []
    assert views.holds_actors(scheduler.core, home)
    assert not views.holds_actors(scheduler.core, other)
    assert scheduler.send(events.ReplicasPlanned({other: ["x"]}, {home: ["x"]})) == []
    assert list(only_on(scheduler.core.state.workers[home])) == []


def test_a_proxy_that_is_left_is_not_taken_for_a_new_actor() -> None:
    scheduler = Scheduler([A, B])
    (home,) = make(scheduler, "x")
    (other,) = {A, B} - {home}
    (report,) = of_type(ReportErred, scheduler.lose(home))
    assert report.failure.kind == "lost-actor"
    # A user asked for it, so the actor is created again.
    scheduler.retry("x")
    assert scheduler.place("x") == other
    scheduler.worker(home)
    result = scheduler.send(events.ReplicasAdded(home, {"x": 10}))
    assert of_type(FreeKeys, result) == [FreeKeys(home, ["x"])]
    assert scheduler.state("x") == "processing"
    scheduler.finish("x")
    assert scheduler.holders("x") == [other]
