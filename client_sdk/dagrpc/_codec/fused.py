"""Tasks that dask has fused from several: run in the order of their dependencies.

dask runs the graph inside such a task as it runs any graph, and so finds the best order to run it in every time, which
takes longer than running most of them does. They have one result and few tasks: any order that comes upon a task after
what it needs will do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from dask import _task_spec
from dask._task_spec import GraphNode

# It is no public name: without it, such tasks are run by dask itself.
_DASKS_OWN = getattr(_task_spec, "_execute_subgraph", None)


def faster(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of a task, or `run_fused` for that of a fused one."""
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
        The key of the one whose result is that of all.
    inputs : iterable of hashable
        Keys of what comes from outside, in the order of `dependencies`.

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
    # A task may not know its own key: those of bags do not.
    for key in order:
        node = tasks[key]
        value = node(values)
        for needed in node.dependencies:
            uses[needed] -= 1
            if not uses[needed]:
                # What nobody inside needs any more may be large.
                del values[needed]
        values[key] = value
        del value
    return values[result]


def _in_order(
    tasks: Mapping[Hashable, GraphNode], result: Hashable, given: Mapping[Hashable, object]
) -> list[Hashable]:
    """Return what the result needs of the tasks, each after all that it needs itself."""
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
