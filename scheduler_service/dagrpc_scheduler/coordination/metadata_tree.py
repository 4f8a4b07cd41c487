"""Metadata: a tree of plain data."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any


class Metadata:
    """A tree whose inner nodes are dicts. What is noted under the key of a task goes when the task does.

    Parameters
    ----------
    is_task : callable
        Says of a key whether there is a task of it now.

    Examples
    --------
    >>> metadata = Metadata()
    >>> metadata.set(["a", "b"], 1)
    >>> metadata.get(["a"])
    {'b': 1}
    """

    def __init__(self, is_task: Callable[[Hashable], bool] = lambda key: False) -> None:
        self._tree: dict[Hashable, Any] = {}
        self._is_task = is_task
        self._of_tasks: set[Hashable] = set()
        """Those keys of the tree's root that there were tasks of."""

    def set(self, path: Sequence[Hashable], value: Any) -> None:
        """Set a value. What stands in its way is replaced.

        Parameters
        ----------
        path : sequence
            The keys that lead to it, at least one.
        value : plain data
            The value; dicts become part of the tree.
        """
        if self._is_task(path[0]):
            self._of_tasks.add(path[0])
        node = self._tree
        for key in path[:-1]:
            inner = node.get(key)
            if not isinstance(inner, dict):
                inner = node[key] = {}
            node = inner
        node[path[-1]] = value

    def clear(self) -> None:
        """Forget all values."""
        self._tree = {}
        self._of_tasks.clear()

    def tidy(self) -> None:
        """Forget what was noted for tasks that are forgotten. To be called now and then."""
        for key in list(self._tree):
            if self._is_task(key):
                self._of_tasks.add(key)
            elif key in self._of_tasks:
                self._of_tasks.discard(key)
                del self._tree[key]

    def get(self, path: Sequence[Hashable]) -> Any:
        """Return a value; the whole tree for an empty path. It is not to be changed.

        Raises
        ------
        LookupError
            If there is none. Its argument is the number of keys that were found.
        """
        node: Any = self._tree
        for depth, key in enumerate(path):
            if not isinstance(node, dict) or key not in node:
                raise LookupError(depth)
            node = node[key]
        return node
