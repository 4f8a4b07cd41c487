"""Another queue policy takes one class and one entry in the table of policies; the core stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest

from dagrpc_scheduler.core.config import CoreConfig
from dagrpc_scheduler.core.events import ReplicasAdded, TaskOptions
from dagrpc_scheduler.core.load_index import SATURATED
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.core.model import NO_WORKER, PROCESSING, QUEUED, TaskState, WorkerState
from dagrpc_scheduler.core.policy import QueuePolicy
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.core.transitions.loop import transition
from dagrpc_scheduler.policies.choice import QUEUE_POLICIES

from .harness import A, B, Scheduler


class Stack:
    """Queued tasks, the latest one first."""

    def __init__(self) -> None:
        self._tasks: dict[TaskState, None] = {}

    @property
    def size(self) -> int:
        return len(self._tasks)

    def add(self, task: TaskState) -> None:
        self._tasks[task] = None

    def remove(self, task: TaskState) -> None:
        del self._tasks[task]

    def tasks(self) -> list[TaskState]:
        return list(reversed(self._tasks))


class LastInFirstOut(QueuePolicy):
    """Queues all unrestricted tasks, and gives each free thread the latest one."""

    queues_all_tasks = True

    def __init__(self, state: SchedulerState) -> None:
        self._state = state
        self.queue = Stack()
        self.submissions: list[tuple[list[str], str]] = []
        self.seconds: dict[int, float] = {}

    def choose(self, task: TaskState) -> WorkerState | Literal["queued", "no-worker"]:
        if not self.would_queue(task):
            return self._state.placement.choose(task) or NO_WORKER
        return QUEUED if self._state.running else NO_WORKER

    def would_queue(self, task: TaskState) -> bool:
        return not (task.options.workers or task.options.resources or task.options.actor)

    def fill(self) -> None:
        while (found := self.idle_slot()) is not None:
            worker, task = found
            task.processing_on = worker
            transition(self._state, task, PROCESSING)

    def idle_slot(self) -> tuple[WorkerState, TaskState] | None:
        least = self._state.by_load.least(self._state.now)
        if least is None or least[0] >= SATURATED or not self.queue.size:
            return None
        return least[2], self.queue.tasks()[0]

    def submitted(self, tasks: Sequence[TaskState], client: str, submitter: str) -> None:
        self.submissions.append(([task.key for task in tasks], client))

    def run_ended(self, run_id: int, seconds: float) -> None:
        self.seconds[run_id] = seconds


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUEUE_POLICIES, "last-in-first-out", LastInFirstOut)


def make(*workers: str) -> Scheduler:
    return Scheduler(workers, queue_policy="last-in-first-out")


def policy_of(scheduler: Scheduler) -> LastInFirstOut:
    policy = scheduler.core.state.queueing
    assert isinstance(policy, LastInFirstOut)
    return policy


def run_all(scheduler: Scheduler) -> list[str]:
    """Finish the assigned tasks, the one with the earliest run first; return the order in which tasks ran."""
    order: list[str] = []
    while scheduler.runs:
        key = min(scheduler.runs, key=lambda each: scheduler.runs[each][1])
        order.append(key)
        scheduler.finish(key)
    return order


@pytest.mark.usefixtures("registered")
def test_tasks_run_in_the_order_of_the_policy() -> None:
    scheduler = make(A)
    keys = [f"x-{number}" for number in range(5)]
    scheduler.submit(dict.fromkeys(keys, ""), wanted=keys)
    assert run_all(scheduler) == keys[::-1]
    assert policy_of(scheduler).submissions == [(keys, "c")]
    assert list(policy_of(scheduler).seconds.values()) == [1.0] * 5
    scheduler.release(*keys)
    assert scheduler.is_empty()


@pytest.mark.usefixtures("registered")
def test_the_core_calls_the_policy_for_dependents_failures_and_lost_workers() -> None:
    scheduler = make(A, B)
    scheduler.submit({"x": "", "y": "x", "z": "x", "end": "y z"}, wanted=["x", "end"])
    scheduler.finish("x")
    assert sorted(scheduler.runs) == ["y", "z"]
    scheduler.fail("y")
    assert scheduler.state("end") == "erred"
    scheduler.retry("end")
    assert scheduler.state("y") == "processing"
    scheduler.lose(B)
    assert scheduler.state("end") == "waiting"
    scheduler.runs = {key: run for key, run in scheduler.runs.items() if run[0] == A}
    run_all(scheduler)
    assert scheduler.state("end") == "memory"


@pytest.mark.usefixtures("registered")
def test_queued_tasks_leave_the_queue_by_every_way() -> None:
    scheduler = make(A)
    scheduler.submit({"busy": "", "released": "", "arrived": ""}, wanted=["busy", "released", "arrived"])
    (running,) = scheduler.runs
    queued = [key for key, state in scheduler.states().items() if state == "queued"]
    assert len(queued) == 2
    scheduler.send(ReplicasAdded(A, {queued[0]: 10}))
    scheduler.release(queued[1])
    assert (scheduler.state(queued[0]), scheduler.state(queued[1])) == ("memory", "forgotten")
    assert scheduler.core.state.queue.size == 0
    scheduler.finish(running)


@pytest.mark.usefixtures("registered")
def test_restricted_tasks_are_placed_by_the_placement_policy() -> None:
    scheduler = make(A, B)
    scheduler.submit({"x": ""}, options=TaskOptions(workers=(B,)))
    assert scheduler.place("x") == B


def test_an_unknown_policy_is_refused_with_the_known_names() -> None:
    with pytest.raises(ValueError, match="no queue policy 'random'; choose one of: fair-share, priority"):
        SchedulerCore(CoreConfig(queue_policy="random"))
