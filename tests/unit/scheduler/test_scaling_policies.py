"""The number of workers that a cluster should have, and the workers that may be closed."""

from dataclasses import replace

from dagrpc_scheduler.policies.adaptive_target import Load, adaptive_target
from dagrpc_scheduler.policies.retirement import Candidate, workers_to_close

IDLE = Load(workers=2, occupancy=0.0, runnable=0, unrunnable=0, nbytes=0, memory_limit=0, nthreads=(1, 1))


def worker(name: str, *, group: str = "", busy: bool = False, nbytes: int = 0, limit: int = 0) -> Candidate:
    return Candidate(name, group or name, busy, nbytes, limit)


def test_work_is_to_be_done_within_the_target_duration() -> None:
    assert adaptive_target(replace(IDLE, occupancy=100.0, runnable=1_000), 10.0, 0) == 10


def test_a_few_long_tasks_ask_for_no_more_threads_than_there_are_tasks() -> None:
    assert adaptive_target(replace(IDLE, occupancy=10_000.0, runnable=3), 5.0, 0) == 3


def test_workers_with_many_threads_are_fewer() -> None:
    assert adaptive_target(replace(IDLE, occupancy=100.0, runnable=1_000, nthreads=(4, 4)), 10.0, 0) == 3


def test_a_task_that_none_can_run_asks_for_the_first_worker() -> None:
    assert adaptive_target(replace(IDLE, workers=0, unrunnable=1, nthreads=()), 5.0, 0) == 1


def test_scarce_memory_asks_for_twice_the_workers() -> None:
    assert adaptive_target(replace(IDLE, nbytes=70, memory_limit=100), 5.0, 0) == 4
    assert adaptive_target(replace(IDLE, nbytes=50, memory_limit=100), 5.0, 0) == 2


def test_only_removable_workers_are_removed() -> None:
    assert adaptive_target(IDLE, 5.0, 1) == 1
    assert adaptive_target(replace(IDLE, occupancy=1.0, runnable=1), 5.0, 2) == 1


def test_work_of_unknown_duration_keeps_a_worker() -> None:
    assert adaptive_target(replace(IDLE, runnable=1), 5.0, 2) == 1


def test_busy_workers_stay_unless_a_count_is_given() -> None:
    workers = [worker("a", busy=True), worker("b")]
    assert workers_to_close(workers, waiting=False) == ["b"]
    assert workers_to_close(workers, waiting=False, count=2) == ["b", "a"]


def test_nobody_goes_while_tasks_wait_for_a_place() -> None:
    assert workers_to_close([worker("a"), worker("b")], waiting=True) == []


def test_the_idle_worker_with_least_data_goes_first() -> None:
    workers = [worker("a", nbytes=10), worker("b", nbytes=5), worker("c")]
    assert workers_to_close(workers, waiting=False, count=2) == ["c", "b"]


def test_the_last_one_stays_while_it_holds_results() -> None:
    assert workers_to_close([worker("a", nbytes=10), worker("b")], waiting=False) == ["b"]
    assert workers_to_close([worker("a"), worker("b")], waiting=False) == ["a", "b"]


def test_room_for_the_results_is_left() -> None:
    workers = [worker(name, nbytes=30, limit=100) for name in "abcd"]
    # 120 bytes of results require 240 bytes of memory.
    assert len(workers_to_close(workers, waiting=False)) == 1
    assert len(workers_to_close(workers, waiting=False, memory_ratio=1.0)) == 2


def test_groups_go_together_or_not_at_all() -> None:
    workers = [worker("a", group="x"), worker("b", group="x", busy=True), worker("c", group="y")]
    assert workers_to_close(workers, waiting=False) == ["c"]
    assert workers_to_close(workers, waiting=False, count=1) == ["c"]
    assert workers_to_close(workers, waiting=False, count=2) == ["c"]
    assert workers_to_close(workers, waiting=False, count=3) == ["c", "a", "b"]


def test_a_minimum_stays() -> None:
    workers = [worker(name) for name in "abc"]
    assert len(workers_to_close(workers, waiting=False, minimum=2)) == 1
    assert workers_to_close(workers, waiting=False, count=3, minimum=3) == []
