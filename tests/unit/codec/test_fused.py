"""Fused tasks run as dask itself would run them."""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from typing import Any

import dask.array as da
import numpy as np
import pytest
from dask import _task_spec
from dask._task_spec import Alias, DataNode, GraphNode, Task, TaskRef
from hypothesis import given, strategies

from dagrpc._codec.fused import faster, run_fused


def total(*numbers: int) -> int:
    return sum(numbers) + 1


@strategies.composite
def graphs(draw: Any) -> tuple[dict[Any, Any], dict[Any, int]]:
    """Tasks that each need some of those before them and of two inputs; the last needs all that nobody else does."""
    tasks: dict[Any, Any] = {}
    inputs = {"x": 3, ("y", 0): 5}
    unused: set[Any] = set()
    for number in range(draw(strategies.integers(1, 12))):
        known = [*inputs, *tasks]
        kind = draw(strategies.sampled_from(["task", "task", "task without its key", "alias", "data"]))
        key = ("key", number)
        if kind == "data":
            tasks[key] = DataNode(key, number)
        else:
            count = 1 if kind == "alias" else draw(strategies.integers(0, 4))
            needed = [draw(strategies.sampled_from(known)) for _ in range(count)]
            unused.difference_update(needed)
            # Tasks of bags do not have their keys.
            own = key if kind == "task" else None
            tasks[key] = Alias(key, needed[0]) if kind == "alias" else Task(own, total, *map(TaskRef, needed))
        unused.add(key)
    tasks["last"] = Task("last", total, *map(TaskRef, unused))
    return tasks, inputs


@given(graphs())
def test_the_result_is_dasks(graph: tuple[dict[Any, Any], dict[Any, int]]) -> None:
    tasks, inputs = graph
    theirs = _task_spec._execute_subgraph(tasks, "last", list(inputs), *inputs.values())
    assert run_fused(tasks, "last", list(inputs), *inputs.values()) == theirs


def test_intermediate_values_are_released_after_their_last_use() -> None:
    made: list[weakref.ref[np.ndarray]] = []

    def make(*_: np.ndarray) -> np.ndarray:
        assert [reference() is not None for reference in made] == [False] * (len(made) - 1) + [True] * bool(made)
        array = np.zeros(10)
        made.append(weakref.ref(array))
        return array

    chain: dict[Hashable, GraphNode] = {0: Task(0, make)}
    chain |= {number: Task(number, make, TaskRef(number - 1)) for number in range(1, 5)}
    assert run_fused(chain, 4, []) is made[-1]()


def test_an_error_is_the_tasks() -> None:
    tasks: dict[Hashable, GraphNode] = {"a": Task("a", int, "one"), "b": Task("b", total, TaskRef("a"))}
    with pytest.raises(ValueError, match="invalid literal"):
        run_fused(tasks, "b", [])


def test_tasks_that_dask_fuses_are_recognized() -> None:
    blocks = da.ones((4, 4), chunks=2) + 1
    graph = dict((blocks * 2).__dask_optimize__((blocks * 2).__dask_graph__(), (blocks * 2).__dask_keys__()))
    functions = {task.func for task in graph.values() if isinstance(task, Task)}
    assert run_fused in map(faster, functions)
    assert faster(total) is total
