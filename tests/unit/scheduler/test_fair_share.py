"""Clients that share the cluster fairly, whatever the priorities of their tasks are."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from dagrpc_scheduler.core import events
from dagrpc_scheduler.core.events import TaskOptions
from dagrpc_scheduler.core.instructions import ComputeTask, Instruction
from dagrpc_scheduler.policies.fair_queue import FairQueue, weight_of
from dagrpc_scheduler.policies.priority_queue import PriorityQueuePolicy
from dagrpc_scheduler.policies.task_queue import TaskQueue
from tests.unit.scheduler.harness import A, B, Scheduler, of_type


class Shared(Scheduler):
    """A scheduler with fair shares, one worker with a slot for one task, and two clients, ``c`` and ``d``."""

    def __init__(self, workers: tuple[str, ...] = (A,), **config: Any) -> None:
        super().__init__(
            workers, queue_policy="fair-share", **{"worker_saturation": 1.0, "lookahead_seconds": 0.0, **config}
        )
        self.client("d")

    @property
    def queue(self) -> FairQueue:
        queue = self.core.state.queue
        assert isinstance(queue, FairQueue)
        return queue

    def many(self, name: str, count: int, client: str, **options: object) -> list[Instruction]:
        graph = {f"{name}-{number}": "" for number in range(count)}
        return self.submit(graph, wanted=graph, client=client, **options)  # type: ignore[arg-type]

    def run(self, count: int, seconds: float = 1.0) -> str:
        """Let `count` tasks finish one after the other; return their names in order."""
        order = ""
        for _ in range(count):
            key = min(self.runs, key=lambda each: self.runs[each][1])
            order += key.partition("-")[0]
            self.now += seconds
            self.finish(key, seconds=seconds)
        return order


def test_by_default_nothing_of_it_is_there() -> None:
    scheduler = Scheduler([A])
    assert type(scheduler.core.state.queue) is TaskQueue
    assert type(scheduler.core.state.queueing) is PriorityQueuePolicy


def test_clients_take_turns() -> None:
    scheduler = Shared()
    scheduler.many("x", 50, "c")
    assert scheduler.run(10) == "x" * 10
    scheduler.many("y", 5, "d")
    assert scheduler.run(12) == "xxyxyxyxyxyx"


def test_priorities_count_within_a_client_only() -> None:
    scheduler = Shared()
    scheduler.many("x", 10, "c", options=TaskOptions(priority=100.0))
    scheduler.many("y", 3, "d")
    scheduler.many("z", 3, "d", options=TaskOptions(priority=1.0))
    assert scheduler.run(13) == "xzxzxzxyxyxyx"


def test_time_counts_and_not_the_number_of_tasks() -> None:
    scheduler = Shared()
    scheduler.many("long", 20, "c")
    scheduler.many("short", 100, "d")
    had: Counter[str] = Counter()
    for _ in range(60):
        (key,) = scheduler.runs
        name = key.partition("-")[0]
        seconds = 10.0 if name == "long" else 1.0
        had[name] += int(seconds)
        scheduler.now += seconds
        scheduler.finish(key, seconds=seconds)
    assert abs(had["long"] - had["short"]) <= 20


def test_weights() -> None:
    scheduler = Shared(fair_share_weights={"d": 3.0})
    scheduler.many("x", 100, "c")
    scheduler.many("y", 100, "d")
    assert 57 <= scheduler.run(80).count("y") <= 63


def test_dependents_wait_for_their_turn_too() -> None:
    scheduler = Shared()
    scheduler.submit({"a": "", **{f"x-{number}": "a" for number in range(10)}}, wanted=["a", "x-0", "x-9"])
    scheduler.finish("a")
    assert len(scheduler.runs) == 1
    assert scheduler.queue.size == 1


def test_a_long_task_is_charged_while_it_runs() -> None:
    scheduler = Shared()
    scheduler.many("x", 10, "c")
    scheduler.now = 100.0
    # The run has taken 100 seconds; the newcomer owes nothing for it, and the other client is not ahead of it.
    scheduler.many("y", 10, "d")
    assert scheduler.queue.used("c") == pytest.approx(100.0)
    assert scheduler.queue.used("d") == pytest.approx(100.0)
    (key,) = scheduler.runs
    scheduler.finish(key, seconds=100.0)
    # The run is not charged twice; one of the two clients has been given the next task.
    assert scheduler.queue.used("c") + scheduler.queue.used("d") == pytest.approx(300.0)


def test_nobody_saves_up_turns() -> None:
    scheduler = Shared()
    scheduler.many("x", 40, "c")
    assert scheduler.run(30) == "x" * 30
    scheduler.many("y", 10, "d")
    assert scheduler.run(8).count("y") in (3, 4)


def test_a_restricted_task_does_not_hold_up_others() -> None:
    scheduler = Shared((A, B))
    scheduler.many("x", 4, "c", options=TaskOptions(workers=("a",)))
    scheduler.many("y", 4, "c")
    assert {scheduler.runs["x-0"][0], scheduler.runs["y-0"][0]} == {A, B}
    scheduler.finish("y-0")
    assert set(scheduler.runs) == {"x-0", "y-1"}


def test_resources_are_waited_for_on_the_scheduler() -> None:
    scheduler = Shared(())
    scheduler.worker(A, 4, resources={"GPU": 1.0})
    scheduler.many("x", 4, "c", options=TaskOptions(resources={"GPU": 1.0}))
    scheduler.many("y", 2, "d")
    assert set(scheduler.runs) == {"x-0", "y-0", "y-1"}
    scheduler.finish("x-0")
    assert "x-1" in scheduler.runs


def test_a_queued_task_whose_worker_goes_waits_for_one_like_it() -> None:
    scheduler = Shared((A, B))
    scheduler.many("x", 4, "c", options=TaskOptions(workers=("a",)))
    scheduler.lose(A, expected=True)
    assert scheduler.queue.size == 0
    assert len(scheduler.core.state.unrunnable) == 4
    scheduler.worker(A)
    assert len(scheduler.runs) == 1
    scheduler.status(A, "paused")
    assert len(scheduler.core.state.unrunnable) == 3


def test_an_actor_is_placed_at_once() -> None:
    scheduler = Shared()
    scheduler.many("x", 4, "c")
    scheduler.submit({"actor": ""}, client="d", options=TaskOptions(actor=True))
    assert "actor" in scheduler.runs


def test_tasks_of_a_task_are_charged_to_its_client() -> None:
    scheduler = Shared()
    scheduler.client("worker's")
    scheduler.many("x", 30, "c")
    scheduler.many("inner", 30, "worker's", submitter="x-0")
    scheduler.many("y", 10, "d")
    assert scheduler.run(20).count("y") in (9, 10)


def test_workers_are_told_to_keep_the_turns() -> None:
    scheduler = Shared(worker_saturation=3.0)
    orders = of_type(ComputeTask, scheduler.many("x", 5, "c", options=TaskOptions(priority=9.0)))
    orders += of_type(ComputeTask, scheduler.many("y", 5, "d"))
    for _ in range(4):
        orders += of_type(ComputeTask, scheduler.finish(next(iter(scheduler.runs))))
    assert [order.priority for order in orders] == sorted(order.priority for order in orders)


def test_notes_do_not_pile_up() -> None:
    scheduler = Shared()
    for number in range(1_600):
        scheduler.submit({f"x-{number}": ""})
        scheduler.finish(f"x-{number}")
        scheduler.release(f"x-{number}")
    assert len(scheduler.queue._owners) < 1_200
    assert scheduler.queue.charged == 0


@pytest.mark.parametrize("seed", range(12))
def test_clients_with_enough_to_do_get_the_same(seed: int) -> None:
    """Shares are fair whatever durations the tasks have and however many workers there are."""
    choose = random.Random(seed)
    workers = tuple(f"w{number}:1" for number in range(choose.randint(1, 4)))
    scheduler = Shared(workers, worker_saturation=choose.choice((1.0, 1.1, 2.0)))
    names = ["c", "d", "e"][: choose.randint(2, 3)]
    longest = {name: choose.choice((0.1, 1.0, 5.0)) for name in names}
    for name in names:
        scheduler.client(name)
        scheduler.many(name, 100, name, options=TaskOptions(priority=choose.choice((0.0, 5.0))))
    had = dict.fromkeys(names, 0.0)
    for _ in range(120):
        if len({lane.share.name for lane in scheduler.queue.lanes()}) < len(names):
            # One client has no more queued tasks.
            break
        # One task of each worker at a time: the one that was assigned first.
        address = choose.choice(workers)
        here = [key for key, (worker, _) in scheduler.runs.items() if worker == address]
        key = min(here, key=lambda each: scheduler.runs[each][1])
        name = key.partition("-")[0]
        seconds = choose.uniform(0.5, 1.0) * longest[name]
        had[name] += seconds
        scheduler.now += seconds / len(workers)
        scheduler.send(
            events.TaskFinished(*_run(scheduler, key), 10, "int", scheduler.now, scheduler.now + seconds, None)
        )
    # The tolerance is for tasks on the workers, and for charges before durations were known.
    slack = 3 * 2 * len(workers) * max(0.5, *longest.values())
    assert max(had.values()) - min(had.values()) <= slack


def _run(scheduler: Scheduler, key: str) -> tuple[str, str, int]:
    worker, run_id = scheduler.runs.pop(key)
    return worker, key, run_id


def test_the_weight_of_a_client() -> None:
    assert weight_of("mine", {"mine": 2.0}) == 2.0
    assert weight_of("mine", {"mine": -1.0}) == 1.0
    assert weight_of("other", {"mine": 2.0}) == 1.0


def test_a_task_that_asked_to_run_elsewhere_returns_where_there_is_room_and_nowhere_else() -> None:
    scheduler = Shared((A, B))
    scheduler.many("x", 2, "c")
    worker, run_id = scheduler.runs["x-0"]
    (compute,) = of_type(ComputeTask, scheduler.send(events.TaskRescheduled(worker, "x-0", run_id)))
    assert (compute.key, compute.worker) == ("x-0", worker)
