"""Metadata: a tree of plain data."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any


class Metadata:
    """A tree whose inner nodes are dicts.

    Examples
    --------
    >>> metadata = Metadata()
    >>> metadata.set(["a", "b"], 1)
    >>> metadata.get(["a"])
    {'b': 1}
    """

    def __init__(self) -> None:
        self._tree: dict[Hashable, Any] = {}

    def set(self, path: Sequence[Hashable], value: Any) -> None:
        """Set a value. What stands in its way is replaced.

        Parameters
        ----------
        path : sequence
            The keys that lead to it, at least one.
        value : plain data
            The value; dicts become part of the tree.
        """
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
