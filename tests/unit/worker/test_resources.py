"""Tasks that need resources, and executors of their own."""

import pytest

from dagrpc_worker.core import events
from dagrpc_worker.core.resources import Resources
from tests.unit.worker.harness import Worker, executed


def test_resources_are_never_given_out_twice() -> None:
    worker = Worker(nthreads=4, resources={"GPU": 2})
    batch = [worker.request(key, resources={"GPU": 1}) for key in "abc"]
    assert executed(worker.send(*batch)) == ["a", "b"]
    assert worker.states()["c"] == "constrained"
    assert worker.view.resources_used() == {"GPU": 2.0}
    assert executed(worker.finish("a")) == ["c"]
    worker.finish("b")
    worker.finish("c")
    assert worker.view.resources_used() == {"GPU": 0.0}


def test_constrained_tasks_need_a_thread_too() -> None:
    worker = Worker(nthreads=1, resources={"GPU": 2})
    assert executed(worker.send(*(worker.request(key, resources={"GPU": 1}) for key in "ab"))) == ["a"]


def test_tasks_without_resources_pass_those_that_wait_for_theirs() -> None:
    worker = Worker(nthreads=2, resources={"GPU": 1})
    worker.compute("a", resources={"GPU": 1})
    worker.compute("b", resources={"GPU": 1}, priority=0.0)
    assert executed(worker.compute("c", priority=5.0)) == ["c"]


def test_tasks_with_other_resources_pass_too() -> None:
    worker = Worker(nthreads=3, resources={"GPU": 1, "DISK": 1})
    worker.compute("a", resources={"GPU": 1})
    worker.compute("b", resources={"GPU": 1})
    assert executed(worker.compute("c", resources={"DISK": 1}, priority=9.0)) == ["c"]


def test_a_large_demand_is_not_starved_by_small_ones() -> None:
    worker = Worker(nthreads=4, resources={"GPU": 2})
    worker.compute("a", resources={"GPU": 1})
    worker.compute("large", resources={"GPU": 2}, priority=1.0)
    assert worker.compute("small", resources={"GPU": 1}, priority=2.0) == []
    assert executed(worker.finish("a")) == ["large"]
    assert executed(worker.finish("large")) == ["small"]


def test_a_demand_that_can_never_be_met_holds_nobody_up() -> None:
    worker = Worker(nthreads=4, resources={"GPU": 2})
    worker.compute("impossible", resources={"GPU": 3}, priority=0.0)
    worker.compute("unknown", resources={"QUANTUM": 1}, priority=0.0)
    assert executed(worker.compute("small", resources={"GPU": 1}, priority=2.0)) == ["small"]


def test_the_most_urgent_of_both_kinds_goes_first() -> None:
    worker = Worker(nthreads=1, resources={"GPU": 1})
    worker.compute("running")
    worker.compute("plain", priority=2.0)
    worker.compute("constrained", priority=1.0, resources={"GPU": 1})
    assert executed(worker.finish("running")) == ["constrained"]
    assert executed(worker.finish("constrained")) == ["plain"]


def test_a_seceded_task_keeps_its_resources() -> None:
    worker = Worker(nthreads=1, resources={"GPU": 1})
    worker.compute("a", run_id=1, resources={"GPU": 1})
    worker.compute("b", resources={"GPU": 1})
    assert executed(worker.send(events.TaskSeceded("a", 1, 1.0))) == []
    assert executed(worker.finish("a")) == ["b"]


@pytest.mark.parametrize("end", ["finish", "fail", "skip"])
def test_an_unwanted_execution_keeps_its_resources_until_it_ends(end: str) -> None:
    worker = Worker(nthreads=2, resources={"GPU": 1})
    worker.compute("a", resources={"GPU": 1})
    worker.free("a")
    assert executed(worker.compute("b", resources={"GPU": 1})) == []
    assert executed(getattr(worker, end)("a")) == ["b"]


def test_occupied_resources_are_given_back_although_the_request_changed() -> None:
    worker = Worker(nthreads=1, resources={"GPU": 2})
    worker.compute("a", run_id=1, resources={"GPU": 2})
    worker.compute("a", run_id=2, resources={"GPU": 1})
    worker.finish("a")
    assert worker.view.resources_used() == {"GPU": 0.0}


def test_fractions_add_up() -> None:
    worker = Worker(nthreads=10, resources={"GPU": 1.0})
    batch = [worker.request(f"x{i}", resources={"GPU": 0.1}) for i in range(11)]
    assert len(executed(worker.send(*batch))) == 10
    for i in range(10):
        worker.finish(f"x{i}")
    worker.finish("x10")
    assert worker.view.resources_used() == {"GPU": 0.0}
    assert worker.view.resources_total() == {"GPU": 1.0}


def test_resources_account() -> None:
    resources = Resources({"a": 1.0})
    assert resources.fit((("a", 1.0), ("b", 0.0)))
    assert not resources.suffice((("b", 1.0),))


def test_resources_that_another_executor_takes_hold_nobody_up() -> None:
    worker = Worker(nthreads=1, resources={"GPU": 2}, lookahead=1.0)
    batch = [
        worker.request("short-1", duration=0.1),
        worker.request("held-1", resources={"GPU": 1}),
        worker.request("short-2", duration=0.1, priority=1.0),
        worker.request("gpu-1", resources={"GPU": 2}, executor="gpu"),
    ]
    # Once "gpu-1" has taken what "held-1" waits for, "short-2" need not wait behind it.
    assert executed(worker.send(*batch)) == ["short-1", "gpu-1", "short-2"]


def test_named_executors_have_threads_of_their_own() -> None:
    worker = Worker(nthreads=1, executors={"gpu": 2})
    batch = [worker.request(f"{name}{i}", executor=name) for i in range(3) for name in ("", "gpu", "other")]
    assert executed(worker.send(*batch)) == ["0", "gpu0", "gpu1", "other0"]
    assert worker.view.handed_over == 4
    assert executed(worker.finish("gpu1")) == ["gpu2"]
    assert executed(worker.finish("other0")) == ["other1"]


def test_resources_that_are_offered_later_let_waiting_tasks_start() -> None:
    worker = Worker(nthreads=1)
    assert executed(worker.compute("x", resources={"GPU": 2})) == []
    assert executed(worker.send(events.ResourcesSet({"GPU": 1.0}))) == []
    assert executed(worker.send(events.ResourcesSet({"GPU": 2.0}))) == ["x"]


def test_executors_can_be_offered_later_and_changed() -> None:
    worker = Worker(nthreads=1)
    worker.send(events.ExecutorOffered("io", 2))
    assert executed(worker.send(*(worker.request(f"io{i}", executor="io") for i in range(5)))) == ["io0", "io1"]
    assert executed(worker.send(events.ExecutorOffered("io", 4))) == ["io2", "io3"]
    # What runs goes on, and no more begins until there is room.
    worker.send(events.ExecutorOffered("io", 1))
    assert executed(worker.finish("io0")) == executed(worker.finish("io1")) == executed(worker.finish("io2")) == []
    assert executed(worker.finish("io3")) == ["io4"]
