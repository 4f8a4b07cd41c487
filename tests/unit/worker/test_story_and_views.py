"""The worker's core answers questions about its state, and the same events lead to the same instructions."""

import random
from typing import Any

from dagrpc_worker.core import events
from dagrpc_worker.core.config import WorkerCoreConfig
from dagrpc_worker.core.machine import WorkerCore
from tests.unit.worker.harness import A, B, Worker, succeeded


def test_a_story_names_states_stimulus_and_time() -> None:
    worker = Worker()
    worker.now = 3.5
    worker.compute("x", stimulus="graph-1")
    worker.compute("y")
    assert worker.view.story("x") == [
        ("x", "released", "ready", "graph-1", 3.5),
        ("x", "ready", "executing", "graph-1", 3.5),
    ]
    assert worker.view.story_of_stimulus("graph-1") == worker.view.story("x")
    assert len(worker.view.story()) == 3


def test_a_story_is_bounded() -> None:
    worker = Worker(story_length=2)
    worker.compute("x")
    worker.finish("x")
    assert [entry[2] for entry in worker.view.story()] == ["executing", "memory"]


def test_counts() -> None:
    worker = Worker(nthreads=2)
    worker.compute("x", run_id=1)
    worker.compute("long", run_id=2)
    worker.send(events.TaskSeceded("long", 2, 1.0))
    worker.compute("y", run_id=3)
    worker.compute("ready", run_id=4)
    worker.compute("waiting", {"a": [A], "nowhere": []}, run_id=5)
    worker.send(events.DataPut({"d": 40}))
    view = worker.view
    assert (view.executing_count, view.long_running_count, view.ready_count, view.waiting_count) == (2, 1, 1, 1)
    assert (view.fetch_count, view.in_flight_count, view.in_memory_count, view.stored_nbytes) == (1, 1, 1, 40)
    assert view.counts() == {
        "executing": 2,
        "long-running": 1,
        "ready": 1,
        "waiting": 1,
        "flight": 1,
        "missing": 1,
        "memory": 1,
    }
    assert view.executing() == {"x": 1, "long": 2, "y": 3}
    assert view.in_state("ready", "memory") == ["ready", "d"]
    assert view.managed_keys() == ["x", "long", "y", "ready", "waiting", "a", "nowhere", "d"]
    assert view.stored() == {"d": 40}


def test_a_task_is_described() -> None:
    worker = Worker()
    worker.compute("y", {"x": [A, B]}, run_id=4, priority=2.0)
    assert worker.view.describe("unknown") is None
    assert worker.view.state_of("unknown") is None
    description = worker.view.describe("x")
    assert description is not None
    assert description["holders"] == (A, B)
    assert description["dependents"] == ["y"]
    assert repr(worker.core._state.tasks["x"]) == "<TaskState 'x' flight>"


def some_events(seed: int) -> list[list[events.Event]]:
    """Batches that touch everything, many of them nonsense."""
    choose = random.Random(seed)
    keys = [f"k{number}-x" for number in range(8)]
    peers = [A, B, "here:2"]
    batches: list[list[events.Event]] = []
    for run in range(200):
        key = choose.choice(keys)
        some = choose.sample(keys, 3)
        holders: Any = tuple(choose.sample(peers, choose.randint(0, 3)))
        needs = [(name, choose.randint(0, 99), holders) for name in some if name > key]
        candidates: list[events.Event] = [
            events.ComputeRequested(key, run, (float(choose.randint(0, 3)),), dependencies=needs, duration=0.001),
            events.ComputeRequested(key, run, (float(choose.randint(0, 3)),), resources={"GPU": 1}),
            events.KeysFreed(some),
            events.ReplicasRequested([(key, 5, holders)]),
            events.ReplicasUnwanted(some),
            events.WhoHasRefreshed([(key, 5, holders)]),
            events.DataPut({key: 7}),
            events.GatherSucceeded(choose.choice(peers), {key: 1}, missing=some[:1]),
            events.GatherFailed(choose.choice(peers), some),
            events.GatherRefused(choose.choice(peers), some),
            events.PeerRetryDue(choose.choice(peers)),
            succeeded(key, choose.randint(max(0, run - 9), run)),
            events.ExecuteFailed(key, choose.randint(max(0, run - 9), run), "failure"),
            events.StealRequested(key, choose.randint(max(0, run - 9), run)),
        ]
        event = choose.choice(candidates)
        if batches and choose.random() < 0.3:
            batches[-1].append(event)
        else:
            batches.append([event])
    return batches


def test_the_same_events_lead_to_the_same_instructions_and_checks_change_nothing() -> None:
    for seed in range(20):
        outcomes = []
        for validate in (False, True, False):
            core = WorkerCore("here:1", 2, {"GPU": 1}, WorkerCoreConfig(holders_considered=2), validate=validate)
            instructions = [core.handle_batch(batch, float(i)) for i, batch in enumerate(some_events(seed))]
            outcomes.append((instructions, core.view.story(), core.view.counts()))
        assert outcomes[0] == outcomes[1] == outcomes[2]
