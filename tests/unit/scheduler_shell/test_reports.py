"""The history of measurements and computations that the scheduler keeps for reports."""

from __future__ import annotations

import dask

from dagrpc_scheduler.shell.diagnostics.measurement_history import Computations, Series


def test_measurements_come_back_by_process_from_a_time_on():
    series = Series()
    for second in range(10):
        series.add("a", float(second), {"cpu": second, "memory": 100, "managed_bytes": 10, "executing": 1})
        series.add("", float(second), {"cpu": 1, "memory": 50})
    found = {each.worker: each for each in series.since(7.0)}
    assert list(found["a"].times) == [7.0, 8.0, 9.0]
    assert list(found["a"].cpu) == [7.0, 8.0, 9.0]
    assert list(found["a"].managed) == [10.0] * 3
    assert list(found[""].executing) == [0.0] * 3
    assert series.since(100.0) == []


def test_measurements_are_kept_further_apart_when_there_are_too_many():
    series = Series(limit=100)
    for second in range(10_000):
        for worker in "abc":
            series.add(worker, float(second), {"cpu": 1.0})
    found = series.since(0.0)
    assert [each.worker for each in found] == ["a", "b", "c"]
    for each in found:
        assert 10 < len(each.times) <= 50
        # All of the time is covered.
        assert each.times[0] < 1_000
        assert each.times[-1] > 9_000


def test_parts_of_a_graph_are_one_computation():
    computations = Computations()
    computations.add("me", "graph-1", ("code",), 10)
    computations.add("me", "graph-1", ("code",), 5)
    computations.add("me", "graph-2", ("other",), 1)
    assert [(each.tasks, list(each.code)) for each in computations.since(0.0)] == [(15, ["code"]), (1, ["other"])]


def test_only_the_latest_computations_are_kept():
    with dask.config.set({"distributed.diagnostics.computations.max-history": 3}):
        computations = Computations()
    for number in range(10):
        computations.add("me", f"graph-{number}", (f"code {number}",), 1)
    assert [each.code[0] for each in computations.since(0.0)] == ["code 7", "code 8", "code 9"]
