"""dask's tasks inside of tasks, such as those that dask has fused, pickled by their parts.

dask's own way looks up a dozen slots by their names for each of them, in Python and on both sides: unpickling the tasks
inside of a fused one takes longer than running it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, MutableMapping
from typing import Any

from dask._task_spec import Dict, List, NestedContainer, Set, Task, TaskRef, Tuple

_SLOTS = frozenset(("_data_producer", "_dependencies", "_is_coro", "_repr", "_token", "args", "func", "key", "kwargs"))
"""The attributes of a task. `_is_coro` and `_repr` only remember what can be computed again."""
_CONTAINER_SLOTS = _SLOTS | {"constructor", "klass"}
_NO_DEPENDENCIES: frozenset[Hashable] = Task(None, len)._dependencies


def _parts_of_task(task: Task) -> Any:
    """Return how to pickle a task."""
    # No dictionary: it could be found in other tasks, too.
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
    """Return how to pickle a list of tasks, for instance."""
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
    """A task from which others are made, each with nothing of its own in common with another.

    Parameters
    ----------
    task : dask._task_spec.Task
        The task. Nobody else may have a reference to it.
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
        """Return all that the tasks which are made have in common."""
        values = (*self._args, *dict(self._kwargs or ()).values())
        return (*self._head, *(value.key if type(value) is TaskRef else value for value in values))

    def make(self) -> Task:
        """Return another task."""
        args, kwargs = self._args, self._kwargs
        if self._refers:
            args = tuple([TaskRef(arg.key) if type(arg) is TaskRef else arg for arg in args])
            if kwargs:
                kwargs = tuple([(name, TaskRef(v.key) if type(v) is TaskRef else v) for name, v in kwargs])
        return _task(*self._head, args, kwargs, *self._tail)


def _known() -> dict[type, Callable[[Any], Any]]:
    found: dict[type, Callable[[Any], Any]] = {}
    # Of another version, with other slots, they are pickled dask's way.
    if frozenset(Task.get_all_slots()) == _SLOTS:
        found[Task] = _parts_of_task
        for kind in (List, Tuple, Set, Dict):
            if frozenset(kind.get_all_slots()) == _CONTAINER_SLOTS:
                found[kind] = _parts_of_container
    return found


PARTS: MutableMapping[type, Callable[[Any], Any]] = _known()
"""By type of a task what returns how to pickle it."""
TEMPLATES = frozenset(PARTS) & {Task}
"""Types of what a `TaskTemplate` can be made of."""
