"""Runs tasks that dask has fused from several tasks.

dask runs the graph inside a fused task like any graph, and computes the best order on each run, which usually takes
longer than the tasks themselves. Fused tasks have one result and few inner tasks, so any order is good enough that runs
each task after its dependencies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from dask import _task_spec
from dask._task_spec import GraphNode

# The name is not public. Without it, dask runs fused tasks itself.
_DASKS_OWN = getattr(_task_spec, "_execute_subgraph", None)


def faster(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of a task, with `run_fused` in place of dask's function for fused tasks."""
    return run_fused if function is _DASKS_OWN and function is not None else function


def run_fused(
    tasks: Mapping[Hashable, GraphNode], result: Hashable, inputs: Iterable[Hashable], *dependencies: object
) -> object:
    """Run the tasks that have been fused, and return the result of one of them.

    Parameters
    ----------
    tasks : mapping
        The tasks inside by key.
    result : hashable
        The key of the inner task whose result is the result of the fused task.
    inputs : iterable of hashable
        Keys of the dependencies of the fused task, in the order of `dependencies`.

    Examples
    --------
    >>> from dask._task_spec import Task, TaskRef
    >>> tasks = {"double": Task("double", int.__mul__, TaskRef("x"), 2), "text": Task("text", str, TaskRef("double"))}
    >>> run_fused(tasks, "text", ["x"], 21)
    '42'
    """
    values = dict(zip(inputs, dependencies, strict=True))
    order = _in_order(tasks, result, values)
    uses = Counter(needed for key in order for needed in tasks[key].dependencies)
    # A task may not know its own key, as in graphs of bags.
    for key in order:
        node = tasks[key]
        value = node(values)
        for needed in node.dependencies:
            uses[needed] -= 1
            if not uses[needed]:
                # Drops results that no other inner task needs, since they may be large.
                del values[needed]
        values[key] = value
        del value
    return values[result]


def _in_order(
    tasks: Mapping[Hashable, GraphNode], result: Hashable, given: Mapping[Hashable, object]
) -> list[Hashable]:
    """Return the tasks that the result needs, each after its own dependencies."""
    order: list[Hashable] = []
    placed = set(given)
    path = [result]
    while path:
        key = path[-1]
        missing = [needed for needed in tasks[key].dependencies if needed not in placed] if key not in placed else ()
        if missing:
            path.extend(missing)
            continue
        path.pop()
        if key not in placed:
            placed.add(key)
            order.append(key)
    return order
