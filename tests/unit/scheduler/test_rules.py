"""The transition table, the invariants, and the load index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dagrpc_scheduler.core import events, machine
from dagrpc_scheduler.core.events import TaskOptions
from dagrpc_scheduler.core.invariants import InvariantViolation, check
from dagrpc_scheduler.core.load_index import LoadIndex, load_of
from dagrpc_scheduler.core.machine import ImpossibleTransition
from dagrpc_scheduler.core.model import ErrorRecord, GraphRecord, TaskState, WorkerState
from dagrpc_scheduler.core.transitions.diagram import state_diagram
from dagrpc_scheduler.core.transitions.loop import transition
from dagrpc_scheduler.core.transitions.table import TABLE, stale
from tests.unit.scheduler.harness import A, B, Scheduler

# --- transitions ---


def test_a_transition_that_there_is_not_raises_and_changes_nothing() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""})
    with pytest.raises(ImpossibleTransition, match="'x' cannot change from processing to queued"):
        transition(scheduler.core.state, scheduler.core.tasks["x"], "queued")
    check(scheduler.core.state)


def test_nothing_leaves_forgotten() -> None:
    assert not [pair for pair in TABLE if pair[0] == "forgotten"]
    assert {pair[1] for pair in TABLE} == {
        "waiting",
        "no-worker",
        "queued",
        "processing",
        "memory",
        "erred",
        "released",
        "forgotten",
    }


DESIGN = Path(__file__).parents[3] / "docs" / "design.md"


@pytest.mark.parametrize("page", [Path(machine.__file__).with_name("README.md"), DESIGN], ids=["core", "design"])
def test_the_diagram_of_a_page_is_the_table(page: Path) -> None:
    assert f"```mermaid\n{state_diagram()}\n```" in page.read_text(encoding="utf-8")


def test_stale_recommendations_do_nothing() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": "", "y": "x"})
    scheduler.finish("x")
    scheduler.finish("y")
    state = scheduler.core.state
    task = scheduler.core.tasks["x"]
    for finish in ("erred", "waiting", "forgotten"):
        transition(state, task, finish)
        assert task.state == "released"
    transition(state, scheduler.core.tasks["y"], "released")
    transition(state, scheduler.core.tasks["y"], "erred")
    assert scheduler.state("y") == "memory"
    stale(state, task)
    check(state)


def test_a_failed_task_is_released_for_a_retry_only() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": "", "y": "x"})
    scheduler.fail("x")
    for key in ("x", "y"):
        transition(scheduler.core.state, scheduler.core.tasks[key], "released")
        assert scheduler.state(key) == "erred"
    check(scheduler.core.state)


@pytest.mark.parametrize("start", ["waiting", "no-worker", "queued", "processing"])
def test_a_needed_task_is_not_released(start: str) -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"waiting-1": "", "x": "waiting-1"})
    scheduler.submit({"no-worker": ""}, options=TaskOptions(workers=("nowhere",)))
    graph = {f"queued-{number}": "" for number in range(9)}
    scheduler.submit(graph, wanted=graph)
    key = {"waiting": "x", "queued": "queued-8", "processing": "waiting-1"}.get(start, start)
    assert scheduler.state(key) == start
    transition(scheduler.core.state, scheduler.core.tasks[key], "released")
    assert scheduler.state(key) == start


# --- invariants ---


def broken(change: Callable[[Scheduler, TaskState], object]) -> Scheduler:
    """Return a scheduler whose task x, a dependency of y, was corrupted by `change`."""
    scheduler = Scheduler([A, B])
    scheduler.submit({"x": "", "y": "x", "z": ""}, wanted=["y", "z"])
    check(scheduler.core.state)
    change(scheduler, scheduler.core.tasks["x"])
    return scheduler


def set_attribute(name: str, value: object) -> Callable[[Scheduler, TaskState], object]:
    return lambda _, task: setattr(task, name, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_attribute("waiters", 2), "a task's number of waiters is wrong"),
        (set_attribute("pins", GraphRecord("g", 0).as_tuple), "a task is pinned by a graph that is complete"),
        (lambda s, task: s.core.state.runs.clear(), "the runs are listed wrongly"),
        (set_attribute("missing", 1), "a task counts missing dependencies although it does not wait"),
        (set_attribute("dependents", {}), "a dependency does not list its dependent|an empty collection"),
        (set_attribute("error", ErrorRecord("boom", "x")), "a task is in error if and only if it has an error"),
        (set_attribute("state", "memory"), "a task is in memory if and only if a worker holds its result"),
        (set_attribute("processing_on", None), "a task is processing if and only if it is assigned to a worker"),
        (lambda s, task: s.core.tasks.pop("x"), "a dependency is not a live task|a group has no tasks"),
        (
            lambda s, task: s.core.state.unrunnable.setdefault(task, 0.0),
            "a task is in state no-worker if and only if it is listed",
        ),
        (lambda s, task: s.core.state.recommend(task, "waiting"), "recommendations are left over"),
        (lambda s, task: s.core.state.ready.append(task), "ready tasks are left over"),
        (lambda s, task: setattr(s.core.tasks["y"], "missing", 0), "a task's number of missing dependencies is wrong"),
        (lambda s, task: setattr(task.processing_on, "occupancy", 9.0), "a worker's occupancy is wrong"),
        (lambda s, task: setattr(task.processing_on, "nbytes", 9), "a worker's number of bytes is wrong"),
        (lambda s, task: setattr(task.processing_on, "status", "paused"), "the running workers are listed wrongly"),
        (lambda s, task: setattr(task.group, "live", 9), "the number of live tasks of a group is wrong"),
        (lambda s, task: task.group.counts.update(queued=1), "the state counts of a group are wrong"),
        (lambda s, task: s.core.state.shared_blobs.offer(b"d", b"v"), "the shared blobs are listed wrongly"),
        (lambda s, task: setattr(s.core.state.queue, "size", 1), "the size of the queue is wrong"),
        (lambda s, task: s.core.state.clients["c"].wants.clear(), "a client does not list a task that it wants"),
        (
            lambda s, task: s.core.state.pending_scatters.update({task: {s.core.state.clients["c"]: set()}}),
            "a pending upload belongs to a task that does not wait",
        ),
    ],
)
def test_a_contradiction_is_found_and_named(change: Callable[[Scheduler, TaskState], object], message: str) -> None:
    scheduler = broken(change)
    with pytest.raises(InvariantViolation, match=message):
        check(scheduler.core.state)


def test_an_idle_worker_beside_a_full_queue_is_found() -> None:
    scheduler = Scheduler([A])
    graph = {f"x-{number}": "" for number in range(9)}
    scheduler.submit(graph, wanted=graph)
    worker = scheduler.core.state.workers[A]
    worker.slots = 5
    scheduler.core.state.by_free_slots.lowered[worker] = None
    with pytest.raises(InvariantViolation, match="a worker has a free slot for a queued task"):
        check(scheduler.core.state, filled=True)


def test_each_event_is_validated() -> None:
    scheduler = broken(set_attribute("waiters", 2))
    with pytest.raises(InvariantViolation):
        scheduler.send(events.TimePassed())


# --- loads ---


def make_worker(name: str, nthreads: int = 1) -> WorkerState:
    return WorkerState(name, name, name, nthreads, 0, {}, "", 1.1)


def give(worker: WorkerState, count: int, seconds: float = 1.0) -> None:
    for number in range(count):
        worker.processing[object(), number] = seconds  # type: ignore[index]
        worker.occupancy += seconds


def test_the_least_loaded_worker_is_found_after_any_change() -> None:
    index = LoadIndex(load_of)
    workers = [make_worker(f"w{number}") for number in range(4)]
    for worker in workers:
        index.add(worker, 0.0)
    for step in range(200):
        worker = workers[step * 7 % 4]
        if step % 3 == 2:
            worker.processing.clear()
            worker.occupancy = 0.0
            index.lowered[worker] = None
        else:
            give(worker, 1 + step % 5, 0.5)
        entry = index.least(0.0)
        assert entry is not None
        assert load_of(entry[2], 0.0) == min(load_of(worker, 0.0) for worker in workers) == entry[0]
    assert len(index._heap) < 100


def test_a_discarded_worker_is_not_found() -> None:
    index = LoadIndex(load_of)
    first, second = make_worker("first"), make_worker("second")
    index.add(first, 0.0)
    index.add(second, 0.0)
    index.discard(first)
    index.lowered[first] = None
    entry = index.least(0.0)
    assert entry is not None
    assert entry[2] is second
    assert first not in index
    index.discard(second)
    assert index.least(0.0) is None
    assert index.least_but(first, 0.0) is None


def test_an_avoided_worker_is_found_if_there_is_no_other() -> None:
    index = LoadIndex(load_of)
    first, second = make_worker("first"), make_worker("second")
    index.add(first, 0.0)
    entry = index.least_but(first, 0.0)
    assert entry is not None
    assert entry[2] is first
    index.add(second, 0.0)
    give(second, 9)
    entry = index.least_but(first, 0.0)
    assert entry is not None
    assert entry[2] is second
    # The worker is still in the index.
    entry = index.least(0.0)
    assert entry is not None
    assert entry[2] is first
