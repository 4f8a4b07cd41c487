"""Runs of shuffles: their participants and their end."""

from __future__ import annotations

import pytest

from dagrpc_scheduler.coordination.shuffle_runs import Closed, Ended, Inconsistent, Shuffles, places

WORKERS = ["a", "b", "c"]


class Tasks(dict[str, str]):
    """States of tasks by key."""

    def __init__(self) -> None:
        super().__init__({"barrier": "waiting", "t1": "processing"})


@pytest.fixture
def tasks() -> Tasks:
    return Tasks()


def joined(*workers: str) -> Shuffles:
    shuffles = Shuffles()
    for worker in workers:
        shuffles.join("s", "barrier", "t1", worker, WORKERS)
    return shuffles


def test_all_join_the_same_run() -> None:
    shuffles = joined("a", "late")
    run = shuffles.join("s", "barrier", "t2", "b", ["other"])
    assert (run.run_id, run.workers, list(run.members)) == (1, ("a", "b", "c"), ["a", "b", "c", "late"])
    assert shuffles.join("another", "barrier-2", "t3", "a", WORKERS).run_id == 2
    assert shuffles.current("s", 1) is run
    with pytest.raises(Closed):
        shuffles.current("s", 2)
    with pytest.raises(Closed):
        shuffles.current("unknown", 1)


def test_no_run_without_workers() -> None:
    with pytest.raises(Closed, match="no workers"):
        Shuffles().join("s", "barrier", "t1", "a", [])


def test_a_run_is_over_when_its_barrier_is_not_needed(tasks: Tasks) -> None:
    shuffles = joined("a")
    for state in ("waiting", "processing", "memory"):
        tasks["barrier"] = state
        assert shuffles.review(tasks.get) == []
    tasks["barrier"] = "released"
    assert shuffles.review(tasks.get) == [Ended("s", 1, "barrier", WORKERS, again=False)]
    assert not shuffles.runs
    # The outputs may be lost; then the shuffle starts over.
    assert shuffles.join("s", "barrier", "t1", "a", WORKERS).run_id == 2


@pytest.mark.parametrize("end", ["erred", None])
def test_a_run_is_over_when_its_barrier_fails_or_is_cancelled(tasks: Tasks, end: str | None) -> None:
    shuffles = joined("a")
    shuffles.review(tasks.get)
    tasks.pop("barrier")
    if end:
        tasks["barrier"] = end
    assert [ended.again for ended in shuffles.review(tasks.get)] == [False]


def test_the_barrier_may_be_on_its_way(tasks: Tasks) -> None:
    shuffles = joined("a")
    del tasks["barrier"]
    assert shuffles.review(tasks.get) == []
    tasks["t1"] = "memory"
    assert shuffles.review(tasks.get) == []
    del tasks["t1"]
    assert len(shuffles.review(tasks.get)) == 1


def test_a_worker_that_outputs_belong_to_ends_the_run_when_it_leaves(tasks: Tasks) -> None:
    for state in ("waiting", "memory"):
        shuffles = joined("a", "late")
        tasks["barrier"] = state
        assert shuffles.worker_gone("b", tasks.get) == [Ended("s", 1, "barrier", ["a", "c", "late"], again=True)]
        again = shuffles.join("s", "barrier", "t1", "a", ["a", "c"])
        assert (again.run_id, again.workers) == (2, ("a", "c"))


def test_a_worker_that_only_sent_is_missed_until_all_has_arrived(tasks: Tasks) -> None:
    shuffles = joined("a", "late")
    tasks["barrier"] = "memory"
    assert shuffles.worker_gone("late", tasks.get) == []
    assert "late" not in shuffles.runs["s"].members
    shuffles = joined("a", "late")
    tasks["barrier"] = "processing"
    assert len(shuffles.worker_gone("late", tasks.get)) == 1
    assert shuffles.worker_gone("stranger", tasks.get) == []


def test_a_run_that_does_not_hold_together_begins_again_but_not_for_ever(tasks: Tasks) -> None:
    shuffles = joined("a")
    pauses = []
    for number in range(1, 12):
        pauses.append(shuffles.pause("s"))
        assert shuffles.complain("s", 1_000, tasks.get) is None
        ended = shuffles.complain("s", number, tasks.get)
        assert ended is not None
        assert (ended.run_id, ended.again) == (number, True)
        if number < 11:
            assert shuffles.join("s", "barrier", "t1", "a", WORKERS).run_id == number + 1
    with pytest.raises(Inconsistent, match="11 times"):
        shuffles.join("s", "barrier", "t1", "a", WORKERS)
    # An inconsistency may end in a moment, or after half a minute.
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.1
    assert 20 < sum(pauses) < 40
    assert shuffles.complain("unknown", 1, tasks.get) is None
    assert shuffles.pause("unknown") == 0


def test_a_barrier_of_another_run_ends_the_present_one(tasks: Tasks) -> None:
    shuffles = joined("a")
    tasks["barrier"] = "memory"
    ended = shuffles.complain("s", 1_000, tasks.get)
    assert ended is not None
    assert ended.run_id == 1


def test_places_are_of_workers_that_there_are() -> None:
    assert places(("a", "b"), [("x", 0), ("y", 1), ("z", 2)]) == {"x": "a", "y": "b"}
