"""Short tasks that are handed over ahead of free threads."""

from typing import Any

import pytest

from dagrpc_worker.core import events, instructions
from dagrpc_worker.core.instructions import Reclaim, ReportStealAnswer
from tests.unit.worker.harness import Worker, executed, finished, of_type


def batch(worker: Worker, count: int, prefix: str = "inc", **options: Any) -> list[events.ComputeRequested]:
    return [worker.request(f"{prefix}-{number}", **options) for number in range(count)]


def test_tasks_of_unknown_duration_wait_for_a_thread() -> None:
    worker = Worker(nthreads=2, lookahead=1.0)
    assert len(executed(worker.send(*batch(worker, 10)))) == 2


def test_short_tasks_are_handed_over_up_to_a_time() -> None:
    worker = Worker(nthreads=2, lookahead=1.0)
    # Two seconds for two threads.
    assert len(executed(worker.send(*batch(worker, 100, duration=0.25)))) == 8
    assert len(executed(worker.finish("inc-0", seconds=0.25))) == 1


def test_short_tasks_are_handed_over_up_to_a_number() -> None:
    worker = Worker(nthreads=2, lookahead=1.0, lookahead_tasks=16)
    assert len(executed(worker.send(*batch(worker, 100, duration=1e-6)))) == 32


def test_without_lookahead_none_are() -> None:
    worker = Worker(nthreads=2, lookahead=0.0)
    assert len(executed(worker.send(*batch(worker, 100, duration=0.0)))) == 2


def test_own_measurements_count_more_than_the_schedulers_estimate() -> None:
    worker = Worker(nthreads=1, lookahead=1.0)
    worker.send(*batch(worker, 50, duration=9.0))
    assert len(executed(worker.finish("inc-0", seconds=0.25))) == 4
    assert worker.view.durations() == {"inc": 0.25}


def test_a_kind_that_turns_out_to_be_slow_is_no_longer_handed_over_ahead() -> None:
    worker = Worker(nthreads=1, lookahead=1.0)
    assert len(executed(worker.send(*batch(worker, 50, duration=0.125)))) == 8
    for number in range(7):
        assert executed(worker.finish(f"inc-{number}", seconds=9.0)) == []
    assert len(executed(worker.finish("inc-7", seconds=9.0))) == 1


def test_an_average_is_kept_of_each_kind() -> None:
    worker = Worker(nthreads=1, duration_weight=0.5)
    worker.send(worker.request("a-1"), worker.request("a-2"), worker.request("b-1"))
    worker.finish("a-1", seconds=1.0)
    worker.finish("a-2", seconds=2.0)
    worker.finish("b-1", seconds=5.0)
    assert worker.view.durations() == {"a": 1.5, "b": 5.0}


def test_failures_teach_nothing() -> None:
    worker = Worker()
    worker.compute("a-1")
    worker.fail("a-1")
    assert worker.view.durations() == {}


def test_long_tasks_are_never_handed_over_ahead() -> None:
    worker = Worker(nthreads=1, lookahead=1.0)
    worker.send(*batch(worker, 3, "long", duration=9.0))
    assert worker.view.executing_count == 1


def test_nothing_is_queued_behind_threads_that_are_busy_for_long() -> None:
    worker = Worker(nthreads=2, lookahead=1.0)
    worker.send(*batch(worker, 1, "long", duration=9.0))
    # One thread is left for the short ones.
    assert len(executed(worker.send(*batch(worker, 100, duration=0.25)))) == 4
    other = Worker(nthreads=1, lookahead=1.0)
    other.send(*batch(other, 1, "long", duration=9.0))
    assert executed(other.send(*batch(other, 100, duration=0.25))) == []


def test_a_long_task_is_not_passed_by_less_urgent_short_ones() -> None:
    worker = Worker(nthreads=1, lookahead=1.0)
    worker.send(
        worker.request("inc-1", duration=0.25, priority=0.0),
        worker.request("long-1", duration=9.0, priority=1.0),
        worker.request("inc-2", duration=0.25, priority=2.0),
    )
    assert list(worker.view.executing()) == ["inc-1"]
    assert executed(worker.finish("inc-1", seconds=0.25)) == ["long-1"]


@pytest.mark.parametrize("options", [{"actor": True}, {"executor": "gpu"}, {"resources": {"GPU": 0.001}}])
def test_some_kinds_are_never_handed_over_ahead(options: dict[str, Any]) -> None:
    worker = Worker(nthreads=1, lookahead=1.0, resources={"GPU": 100})
    assert len(executed(worker.send(*batch(worker, 10, duration=0.125, **options)))) == 1


def test_a_thread_is_found_for_other_executors_though_short_tasks_are_ahead() -> None:
    worker = Worker(nthreads=1, lookahead=1.0)
    worker.send(*batch(worker, 100, duration=0.25))
    assert executed(worker.compute("x", executor="gpu")) == ["x"]


def test_a_task_that_was_handed_over_ahead_and_freed_may_be_skipped() -> None:
    worker = Worker(nthreads=1, lookahead=1.0)
    worker.send(*batch(worker, 3, duration=0.25))
    worker.free("inc-2")
    worker.skip("inc-2")
    assert worker.view.handed_over == 2
    worker.finish("inc-0", seconds=0.25)
    worker.finish("inc-1", seconds=0.25)
    assert worker.view.handed_over == 0
    assert worker.core._state.default_pool.short_seconds == 0.0


def test_keys_without_common_beginnings_do_not_pile_up() -> None:
    worker = Worker(nthreads=1)
    for number in range(5000):
        worker.core.handle(worker.request(f"{number}"), 0.0)
        worker.core.handle(events.KeysFreed([f"{number}"]), 0.0)
        if number % 1000 == 0:
            assert len(worker.core._state.durations) <= 4096
    assert len(worker.core._state.durations) <= 4096


def test_seceding_frees_what_was_reserved_for_a_short_task() -> None:
    worker = Worker(nthreads=1, lookahead=1.0)
    worker.send(*batch(worker, 10, duration=0.25))
    assert worker.view.handed_over == 4
    result = worker.send(events.TaskSeceded("inc-0", worker.view.executing()["inc-0"], 0.1))
    assert len(executed(result)) == 1
    assert of_type(result, type(result[0]))


def ahead(count: int = 3) -> Worker:
    """Make a worker with one thread to which short tasks were handed over, as runs 1, 2, ..."""
    worker = Worker(nthreads=1, lookahead=1.0)
    assert len(executed(worker.send(*batch(worker, count, duration=0.001)))) == count
    return worker


def steal(worker: Worker, key: str, run_id: int) -> list[instructions.Instruction]:
    return worker.send(events.StealRequested(key, run_id))


def test_a_task_handed_over_ahead_is_given_back_if_no_thread_has_taken_it_up() -> None:
    worker = ahead()
    assert steal(worker, "inc-2", 3) == [Reclaim("inc-2", 3)]
    assert worker.states()["inc-2"] == "executing"
    assert worker.skip("inc-2") == [ReportStealAnswer("inc-2", 3, "ready")]
    assert set(worker.states()) == {"inc-0", "inc-1"}


def test_a_task_handed_over_ahead_stays_if_a_thread_has_taken_it_up() -> None:
    worker = ahead()
    steal(worker, "inc-0", 1)
    assert worker.send(events.ExecuteKept("inc-0", 1)) == [ReportStealAnswer("inc-0", 1, "executing")]
    assert worker.finish("inc-0")[0] == finished("inc-0", 1)


def test_a_task_that_ends_before_it_is_reclaimed_is_reported_once() -> None:
    worker = ahead()
    steal(worker, "inc-0", 1)
    assert worker.finish("inc-0")[0] == finished("inc-0", 1)
    assert worker.send(events.ExecuteKept("inc-0", 1)) == []


def test_a_task_requested_again_is_not_given_back_for_an_earlier_request() -> None:
    worker = ahead()
    steal(worker, "inc-2", 3)
    worker.free("inc-2")
    worker.compute("inc-2", run_id=9, duration=0.001)
    assert executed(worker.send(events.ExecuteSkipped("inc-2", 3))) == ["inc-2"]
    assert worker.view.executing()["inc-2"] == 9


def test_a_run_whose_task_is_still_handed_over_for_an_earlier_one_can_be_taken_back() -> None:
    worker = ahead()
    worker.free("inc-2")
    worker.compute("inc-2", run_id=9, duration=0.001)
    assert steal(worker, "inc-2", 9) == [Reclaim("inc-2", 3)]
    assert worker.send(events.ExecuteSkipped("inc-2", 3)) == [ReportStealAnswer("inc-2", 9, "ready")]
    assert worker.send(events.ExecuteKept("inc-2", 3)) == []
    assert "inc-2" not in worker.states()
