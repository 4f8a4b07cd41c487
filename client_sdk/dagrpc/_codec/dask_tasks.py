"""Pickles dask's tasks that are nested in tasks, such as fused tasks, by their parts.

dask's own reduction looks up a dozen slots by name for each task, in Python and on both sides. Unpickling the tasks in
a fused task this way takes longer than running them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, MutableMapping
from typing import Any

from dask._task_spec import Dict, List, NestedContainer, Set, Task, TaskRef, Tuple

_SLOTS = frozenset(("_data_producer", "_dependencies", "_is_coro", "_repr", "_token", "args", "func", "key", "kwargs"))
"""The attributes of a task, without `_is_coro` and `_repr`, which are only caches."""
_CONTAINER_SLOTS = _SLOTS | {"constructor", "klass"}
_NO_DEPENDENCIES: frozenset[Hashable] = Task(None, len)._dependencies


def _parts_of_task(task: Task) -> Any:
    """Return the reduction of a task."""
    # No dictionary here, since other tasks may refer to the same one.
    kwargs = tuple(task.kwargs.items()) if task.kwargs else None
    parts = (task.key, task.func, task.args, kwargs, task._dependencies or None)
    if task._data_producer or task._token:
        return _task, (*parts, task._data_producer, task._token)
    return _task, parts


def _task(
    key: Any,
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: tuple[tuple[str, Any], ...] | None,
    dependencies: frozenset[Hashable] | None,
    data_producer: bool = False,
    token: str | None = None,
) -> Task:
    task = Task.__new__(Task)
    task.key = key
    task.func = func
    task.args = args
    task.kwargs = {} if kwargs is None else dict(kwargs)
    task._dependencies = _NO_DEPENDENCIES if dependencies is None else dependencies
    task._data_producer = data_producer
    task._token = token
    task._is_coro = task._repr = None
    return task


def _parts_of_container(container: NestedContainer) -> Any:
    """Return the reduction of a container of tasks, such as a list."""
    kind = type(container)
    if container.key is not None or container._token or container._data_producer or len(container.kwargs) != 1:
        return NotImplemented
    return _container, (kind, container.args, container._dependencies or None)


def _container(
    kind: type[NestedContainer], args: tuple[Any, ...], dependencies: frozenset[Hashable] | None
) -> NestedContainer:
    container = kind.__new__(kind)
    container.key = None  # type: ignore[assignment]
    container.func = kind.to_container
    container.args = args
    container.kwargs = {"constructor": kind.constructor}
    container._dependencies = _NO_DEPENDENCIES if dependencies is None else dependencies
    container._data_producer = False
    container._token = container._is_coro = container._repr = None
    return container


class TaskTemplate:
    """A task of which copies are made that share no task objects.

    Parameters
    ----------
    task : dask._task_spec.Task
        The task, to which no other reference may exist.
    """

    __slots__ = ("_args", "_head", "_kwargs", "_refers", "_tail")

    def __init__(self, task: Task) -> None:
        _, (key, func, args, kwargs, *tail) = _parts_of_task(task)
        self._head = key, func
        self._args = args
        self._kwargs = kwargs
        self._tail = tuple(tail)
        self._refers = any(type(arg) is TaskRef for arg in (*args, *task.kwargs.values()))

    def what_it_has(self) -> tuple[Any, ...]:
        """Return the values that all copies share."""
        values = (*self._args, *dict(self._kwargs or ()).values())
        return (*self._head, *(value.key if type(value) is TaskRef else value for value in values))

    def make(self) -> Task:
        """Return a copy of the task."""
        args, kwargs = self._args, self._kwargs
        if self._refers:
            args = tuple([TaskRef(arg.key) if type(arg) is TaskRef else arg for arg in args])
            if kwargs:
                kwargs = tuple([(name, TaskRef(v.key) if type(v) is TaskRef else v) for name, v in kwargs])
        return _task(*self._head, args, kwargs, *self._tail)


def _known() -> dict[type, Callable[[Any], Any]]:
    found: dict[type, Callable[[Any], Any]] = {}
    # Tasks of another version of dask, with other slots, use dask's own reduction.
    if frozenset(Task.get_all_slots()) == _SLOTS:
        found[Task] = _parts_of_task
        for kind in (List, Tuple, Set, Dict):
            if frozenset(kind.get_all_slots()) == _CONTAINER_SLOTS:
                found[kind] = _parts_of_container
    return found


PARTS: MutableMapping[type, Callable[[Any], Any]] = _known()
"""The functions that return the reductions of tasks, by type."""
TEMPLATES = frozenset(PARTS) & {Task}
"""Types of the tasks from which a `TaskTemplate` can be made."""
