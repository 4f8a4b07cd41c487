"""Metadata: a tree of plain data."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any


class Metadata:
    """A tree whose inner nodes are dicts. Metadata under the key of a task is dropped with the task.

    `is_task` tells whether a key belongs to a live task.

    >>> metadata = Metadata()
    >>> metadata.set(["a", "b"], 1)
    >>> metadata.get(["a"])
    {'b': 1}
    """

    def __init__(self, is_task: Callable[[Hashable], bool] = lambda key: False) -> None:
        self._tree: dict[Hashable, Any] = {}
        self._is_task = is_task
        self._of_tasks: set[Hashable] = set()
        """Keys in the root of the tree that belonged to live tasks when they were set."""

    def set(self, path: Sequence[Hashable], value: Any) -> None:
        """Set the value at a path of at least one key. Values on the way that are not dicts are replaced."""
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
        """Drop all values."""
        self._tree = {}
        self._of_tasks.clear()

    def tidy(self) -> None:
        """Drop the metadata of forgotten tasks. Called at intervals."""
        for key in list(self._tree):
            if self._is_task(key):
                self._of_tasks.add(key)
            elif key in self._of_tasks:
                self._of_tasks.discard(key)
                del self._tree[key]

    def get(self, path: Sequence[Hashable]) -> Any:
        """Return the value at a path, or the whole tree for an empty path; for reading only.

        Raises
        ------
        LookupError
            If there is no value. Its argument is the number of keys that were found.
        """
        node: Any = self._tree
        for depth, key in enumerate(path):
            if not isinstance(node, dict) or key not in node:
                raise LookupError(depth)
            node = node[key]
        return node
