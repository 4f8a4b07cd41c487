"""Root tasks: how they are recognised, how many a worker gets at once, and which worker gets the next."""

from __future__ import annotations

import math

import pytest

from dagrpc_scheduler.core import events
from dagrpc_scheduler.core.events import NewTask, TaskOptions
from dagrpc_scheduler.core.instructions import ComputeTask
from dagrpc_scheduler.core.model import QUEUED, TaskGroup, TaskPrefix, TaskState
from dagrpc_scheduler.policies.task_queue import TaskQueue
from tests.unit.scheduler.harness import A, B, C, Scheduler, of_type


def roots(count: int, needs: str = "") -> dict[str, str]:
    return {f"root-{number}": needs for number in range(count)}


def load(scheduler: Scheduler, address: str) -> int:
    return len(scheduler.core.state.workers[address].processing)


# --- saturation ---


@pytest.mark.parametrize(
    ("saturation", "nthreads", "given"),
    [(1.1, 1, 2), (1.0, 1, 1), (1.0, 4, 4), (1.1, 4, 5), (1.1, 10, 11), (2.0, 3, 6), (0.5, 4, 2), (0.01, 4, 1)],
)
def test_a_worker_gets_so_many_root_tasks(saturation: float, nthreads: int, given: int) -> None:
    scheduler = Scheduler([A, B], nthreads=nthreads, worker_saturation=saturation)
    scheduler.submit(roots(100), wanted=roots(100))
    assert (load(scheduler, A), load(scheduler, B)) == (given, given)
    assert scheduler.core.state.queue.size == 100 - 2 * given


def test_a_free_slot_takes_the_next_task_in_order_of_priority() -> None:
    scheduler = Scheduler([A])
    graph = roots(6)
    scheduler.submit(graph, wanted=graph, orders={key: 10 - place for place, key in enumerate(graph)})
    assert set(scheduler.runs) == {"root-5", "root-4"}
    (compute,) = of_type(ComputeTask, scheduler.finish("root-4"))
    assert compute.key == "root-3"
    scheduler.submit({"root-99": ""}, options=TaskOptions(priority=1.0))
    (compute,) = of_type(ComputeTask, scheduler.finish("root-5"))
    assert compute.key == "root-99"


def test_room_that_a_batch_makes_is_filled_after_it() -> None:
    scheduler = Scheduler([A], nthreads=4, worker_saturation=1.0)
    scheduler.submit(roots(10), wanted=roots(10))
    batch = [scheduler.finish_event(f"root-{number}") for number in (0, 1, 2)]
    result = scheduler.send(*batch, events.KeysReleased("c", ["root-4"]))
    assert [instruction.key for instruction in of_type(ComputeTask, result)] == ["root-5", "root-6", "root-7"]


def test_everybody_gets_something() -> None:
    scheduler = Scheduler([A, B, C], nthreads=2)
    scheduler.submit(roots(13), wanted=roots(13))
    assert [load(scheduler, address) for address in (A, B, C)] == [3, 3, 3]
    scheduler = Scheduler([A, B, C], nthreads=2, worker_saturation=10.0)
    scheduler.submit(roots(13), wanted=roots(13))
    assert sorted(load(scheduler, address) for address in (A, B, C)) == [4, 4, 5]


def test_queued_tasks_wait_for_a_worker_that_takes_them() -> None:
    scheduler = Scheduler([A])
    scheduler.submit(roots(5), wanted=roots(5))
    scheduler.status(A, "paused")
    assert scheduler.finish("root-0", "root-1")[2:] == []
    assert scheduler.core.state.queue.size == 3
    assert len(of_type(ComputeTask, scheduler.status(A, "running"))) == 2


def test_a_new_worker_gets_queued_tasks() -> None:
    scheduler = Scheduler([A])
    scheduler.submit(roots(9), wanted=roots(9))
    assert [instruction.key for instruction in of_type(ComputeTask, scheduler.worker(B))] == ["root-2", "root-3"]


def test_the_tasks_of_a_lost_worker_queue_again_before_the_others() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit(roots(9), wanted=roots(9))
    lost = [key for key, (worker, _) in scheduler.runs.items() if worker == A]
    scheduler.lose(A)
    assert [task.key for task in scheduler.core.state.queue.tasks()] == [*lost, *(f"root-{n}" for n in range(4, 9))]


def test_a_cancelled_task_leaves_the_queue() -> None:
    scheduler = Scheduler([A])
    scheduler.submit(roots(5), wanted=roots(5))
    scheduler.cancel("root-2")
    (compute,) = of_type(ComputeTask, scheduler.finish("root-0"))
    assert compute.key == "root-3"


def test_a_suspicious_task_gets_a_thread_to_itself() -> None:
    scheduler = Scheduler([A, B], allowed_failures=10)
    scheduler.submit(roots(20), wanted=roots(20))
    scheduler.lose(A)
    scheduler.worker(C)
    # One task of the lost worker, although there are two slots: it might kill the worker together with another one.
    assert [key for key, (worker, _) in scheduler.runs.items() if worker == C] == ["root-0"]


# --- who is a root task ---


@pytest.mark.parametrize(("count", "queued"), [(4, 0), (5, 3)])
def test_a_group_is_large_if_it_has_more_than_two_tasks_per_thread(count: int, queued: int) -> None:
    scheduler = Scheduler([A, B], worker_saturation=0.5)
    scheduler.submit(roots(count), wanted=roots(count))
    assert scheduler.core.state.queue.size == queued


@pytest.mark.parametrize(("count", "is_root"), [(4, True), (5, False)])
def test_root_tasks_depend_on_few_tasks(count: int, is_root: bool) -> None:
    scheduler = Scheduler([A])
    for number in range(count):
        scheduler.scatter(f"s-{number}", A)
    graph = {f"x-{number}": f"s-{number % count}" for number in range(10)}
    scheduler.submit(graph, wanted=graph)
    assert bool(scheduler.core.state.queue.size) is is_root


def test_chains_of_one_group_are_not_root_tasks() -> None:
    scheduler = Scheduler([A])
    graph = {"x-0": ""} | {f"x-{number}": f"x-{number - 1}" for number in range(1, 20)}
    scheduler.submit(graph)
    assert scheduler.state("x-0") == "processing"
    scheduler.finish("x-0")
    assert scheduler.state("x-1") == "processing"


@pytest.mark.parametrize("options", [TaskOptions(workers=(A,)), TaskOptions(resources={"gpu": 1.0})])
def test_restricted_tasks_do_not_queue(options: TaskOptions) -> None:
    scheduler = Scheduler()
    scheduler.worker(A, resources={"gpu": 1.0})
    scheduler.submit(roots(9), wanted=roots(9), options=options)
    assert load(scheduler, A) == 9


def test_tasks_that_are_submitted_one_by_one_queue_as_well() -> None:
    scheduler = Scheduler([A])
    for key in roots(9):
        scheduler.submit({key: ""})
    assert (load(scheduler, A), scheduler.core.state.queue.size) == (2, 7)


# --- without a queue ---


def test_without_a_limit_neighbours_go_to_the_same_worker() -> None:
    scheduler = Scheduler([A, B, C], worker_saturation=math.inf)
    graph = roots(12)
    scheduler.submit(graph, wanted=graph)
    assert scheduler.core.state.queue.size == 0
    places = [scheduler.place(key) for key in graph]
    assert [places[start : start + 4] for start in (0, 4, 8)] == [[A] * 4, [B] * 4, [C] * 4]


def test_neighbours_move_on_if_their_worker_pauses() -> None:
    scheduler = Scheduler([A, B], worker_saturation=math.inf)
    scheduler.submit(roots(12), wanted=roots(12), graph_id="g", last=False)
    scheduler.status(B, "paused")
    more = {f"root-{number}": "" for number in range(20, 30)}
    scheduler.submit(more, wanted=more)
    assert {scheduler.place(key) for key in more} == {A}


def test_without_workers_roots_wait_for_one() -> None:
    scheduler = Scheduler(worker_saturation=math.inf)
    scheduler.submit(roots(3), wanted=roots(3))
    assert set(scheduler.states().values()) == {"no-worker"}
    scheduler.worker(A)
    assert load(scheduler, A) == 3


# --- cover for the round trip ---


@pytest.mark.parametrize(
    ("seconds", "nbytes", "nthreads", "given"),
    [
        # Short tasks with small results: enough to cover a round trip, up to the limit.
        (50e-6, 28, 1, 256),
        (50e-6, 28, 2, 512),
        (0.99e-3, 28, 4, 121),
        (2.9e-3, 28, 1, 10),
        # Large results: as many as the limit allows.
        (50e-6, 2**20, 1, 4),
        (50e-6, 2**30, 1, 2),
        # Long tasks: the slots only.
        (0.1, 28, 1, 2),
        (1.0, 28, 4, 5),
    ],
)
def test_a_worker_gets_enough_to_do_for_a_round_trip(seconds: float, nbytes: int, nthreads: int, given: int) -> None:
    # Tasks that were assigned earlier count with the duration that was assumed then.
    scheduler = Scheduler([A], nthreads=nthreads, unknown_task_duration=0.0)
    scheduler.core._validate = False
    graph = roots(2000)
    scheduler.submit(graph, wanted=graph)
    scheduler.finish("root-0", seconds=seconds, nbytes=nbytes)
    assert load(scheduler, A) == given


def test_as_long_as_nothing_is_known_a_worker_gets_its_slots_only() -> None:
    scheduler = Scheduler([A])
    scheduler.submit(roots(50), wanted=roots(50))
    assert load(scheduler, A) == 2


def test_long_tasks_of_another_kind_leave_no_room_for_cover() -> None:
    scheduler = Scheduler([A, B], default_task_durations={"long": 10.0})
    scheduler.core.state.group("root").prefix.nbytes = 28
    scheduler.core.state.group("root").prefix.duration = 50e-6
    scheduler.core._validate = False
    scheduler.submit({"long-1": ""})
    busy = scheduler.place("long-1")
    scheduler.submit(roots(300), wanted=roots(300))
    assert load(scheduler, busy) == 2
    assert load(scheduler, B if busy == A else A) == 256


def test_a_covered_worker_is_refilled_when_half_is_done() -> None:
    scheduler = Scheduler([A], unknown_task_duration=0.0)
    scheduler.core._validate = False
    graph = roots(400)
    scheduler.submit(graph, wanted=graph)
    scheduler.finish("root-0", seconds=2.9e-3)
    assert load(scheduler, A) == 10
    running = list(scheduler.runs)
    for key in running[:4]:
        assert of_type(ComputeTask, scheduler.finish(key, seconds=2.9e-3)) == []
    assert len(of_type(ComputeTask, scheduler.finish(running[4], seconds=2.9e-3))) == 5


def test_a_short_queue_is_shared_out_evenly() -> None:
    scheduler = Scheduler([A, B], unknown_task_duration=0.0)
    scheduler.submit({"root-x": ""})
    scheduler.finish("root-x", seconds=50e-6)
    graph = roots(40)
    scheduler.submit(graph, wanted=graph)
    assert abs(load(scheduler, A) - load(scheduler, B)) <= 1


def test_a_rescheduled_root_task_goes_to_another_worker() -> None:
    scheduler = Scheduler([A, B])
    graph = roots(9)
    scheduler.submit(graph, wanted=graph)
    worker, run_id = scheduler.runs["root-0"]
    other = B if worker == A else A
    done = next(key for key, (place, _) in scheduler.runs.items() if place == other)
    scheduler.send(scheduler.finish_event(done), events.TaskRescheduled(worker, "root-0", run_id))
    assert scheduler.place("root-0") == other


# --- the queue itself ---


def make_task(priority: float) -> TaskState:
    group = TaskGroup("g", TaskPrefix("g", -1.0))
    task = TaskState(f"x-{priority}", group, "work", (), events.NO_OPTIONS, (), (0.0, 0.0), priority)
    task.state = QUEUED
    return task


def take(queue: TaskQueue) -> TaskState | None:
    task = queue.first()
    if task is not None:
        task.state = "processing"
        queue.remove(task)
    return task


def test_a_queue_is_in_order_of_priority_whatever_the_order_of_arrival() -> None:
    queue = TaskQueue()
    tasks = [make_task(priority) for priority in (5, 7, 1, 6, 9, 2, 9, 0)]
    for task in tasks:
        queue.add(task)
    assert [task.order for task in queue.tasks()] == [0, 1, 2, 5, 6, 7, 9, 9]
    taken = [take(queue) for _ in tasks]
    assert [task.order for task in taken if task] == [0, 1, 2, 5, 6, 7, 9, 9]
    assert taken[-2:] == [tasks[4], tasks[6]]
    assert take(queue) is None


def test_equal_priorities_leave_in_order_of_arrival() -> None:
    queue = TaskQueue()
    early, late, last = make_task(9), make_task(5), make_task(9)
    for task in (early, late):
        queue.add(task)
    early.state = "released"
    queue.remove(early)
    assert queue.first() is late
    # The run is empty, and its furthest position still decides which tasks join it.
    second = make_task(5)
    for task in (second, last, make_task(7), make_task(7)):
        queue.add(task)
    assert queue.tasks()[:2] == [late, second]
    order = [take(queue) for _ in range(queue.size)]
    assert order[:2] == [late, second]
    assert [task.order for task in order if task] == [5, 5, 7, 7, 9]
    # An empty queue starts over.
    queue.add(second)
    queue.add(late)
    assert not queue._heap


def test_a_queue_does_not_keep_what_has_left_it() -> None:
    queue = TaskQueue()
    tasks = [make_task(priority) for priority in (*range(300), *range(300))]
    for task in tasks:
        queue.add(task)
    for task in tasks[10:]:
        task.state = "released"
        queue.remove(task)
    assert queue.size == 10
    assert len(queue._run) + len(queue._heap) < 100
    # A task that returns is listed once.
    tasks[5].state = "released"
    queue.remove(task)
    tasks[5].state = QUEUED
    queue.add(tasks[5])
    assert queue.tasks() == tasks[:10]


def test_new_tasks_with_equal_options_share_one_object() -> None:
    assert NewTask("x").options is NewTask("y").options


# --- other ways out of the queue ---


def readers(count: int) -> dict[str, str]:
    return {f"reader-{number}": "x" for number in range(count)}


def test_queued_tasks_wait_again_when_their_dependency_is_lost() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({"x": ""}, options=TaskOptions(workers=(A,), allow_other_workers=True))
    scheduler.finish("x")
    scheduler.submit(readers(9), wanted=readers(9))
    assert scheduler.core.state.queue.size == 5
    scheduler.lose(A)
    assert scheduler.states() == {"x": "processing"} | dict.fromkeys(readers(9), "waiting")
    scheduler.finish("x")
    # Tasks of the lost worker get a thread to themselves; the others follow.
    assert sorted(key for key, (worker, _) in scheduler.runs.items() if worker == B)[0] == "reader-0"


def test_queued_tasks_fail_with_the_actor_that_they_use() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": ""}, options=TaskOptions(actor=True))
    scheduler.finish("x")
    scheduler.submit(readers(9), wanted=readers(9))
    scheduler.lose(A)
    assert set(scheduler.states().values()) == {"erred"}
    assert scheduler.core.state.queue.size == 0


def test_a_queued_task_whose_result_turns_up_is_not_run() -> None:
    scheduler = Scheduler([A])
    scheduler.submit(roots(5), wanted=roots(5))
    scheduler.send(events.ReplicasAdded(A, {"root-4": 10}))
    assert scheduler.state("root-4") == "memory"
    assert scheduler.core.state.queue.size == 2


def test_a_task_that_no_worker_may_run_can_be_released_or_turn_up() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x": "", "y": ""}, wanted=["x", "y"], options=TaskOptions(workers=("nowhere",)))
    scheduler.release("x")
    scheduler.send(events.ReplicasAdded(A, {"y": 10}))
    assert scheduler.states() == {"y": "memory"}
    assert not scheduler.core.state.unrunnable
