"""What stands in the pickles of a task for what comes from elsewhere: shared values and results of other tasks.

The references are calls of functions of this module, which look the value up while the task is being unpickled.
"""

from __future__ import annotations

import io
import pickle
import threading
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, TypeAlias

from dagrpc._codec import code_files

Digest: TypeAlias = bytes

thread_state = threading.local()
"""Each thread has its own ``reading``, a task, and ``noted``, the keys of the futures that it pickles."""


def digest_of(data: bytes) -> Digest:
    """Return the content hash of a shared value: the same wherever the code in it was written."""
    return blake2b(code_files.content(data), digest_size=16).digest()


# --- while a task is being unpickled -----------------------------------------------------------------------------


class Reading:
    """The task that a thread unpickles, for the references in it; see `thread_state`.

    Parameters
    ----------
    load : callable
        Unpickles a shared value.
    results : mapping
        Results of other tasks by key as on the wire.
    """

    __slots__ = ("load", "loaded", "results")

    def __init__(self, load: Callable[[Digest, bool], Any], results: Mapping[str, Any]) -> None:
        self.load = load
        self.loaded: dict[tuple[Digest, int], Any] = {}
        """Shared values that the task has already: two references to one stay references to one."""
        self.results = results


def shared_value(digest: Digest, number: int = 0, refers: bool = False) -> Any:
    """Return a shared value of the task that is being unpickled.

    Parameters
    ----------
    digest : bytes
        Its content hash.
    number : int
        Tells objects apart that have the same content.
    refers : bool
        Whether its pickle refers to further ones by `persistent_load`.
    """
    task = thread_state.reading
    name = digest, number
    loaded = task.loaded
    if name in loaded:
        return loaded[name]
    value = loaded[name] = task.load(digest, refers)
    return value


def unpickled(data: bytes | memoryview, refers: bool) -> Any:
    """Return the value of a pickle. `refers`: whether there are persistent ids in it, which name shared values."""
    if not refers:
        return pickle.loads(data)
    unpickler = pickle.Unpickler(io.BytesIO(data))
    unpickler.persistent_load = lambda identity: shared_value(*identity)  # type: ignore[method-assign]
    return unpickler.load()


def dependency(key: str) -> Any:
    """Return the result of a dependency of the task that is being unpickled."""
    return thread_state.reading.results[key]


# --- while a task is being pickled -------------------------------------------------------------------------------


class DependencyRef:
    """Stands for the result of another task among the arguments of a call.

    Parameters
    ----------
    key : str
        The other task, as on the wire.
    """

    __slots__ = ("key",)

    def __init__(self, key: str) -> None:
        self.key = key

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return dependency, (self.key,)


class Rebuilt:
    """Stands for an object that is made when the results of other tasks are there.

    Parameters
    ----------
    cls : type
        Its class.
    args, kwargs
        What `__new__` of its class is called with, references in place of results.
    attributes : mapping or None
        What it has in its ``__dict__``.
    """

    __slots__ = ("args", "attributes", "cls", "kwargs")

    def __init__(
        self, cls: type, args: Sequence[Any], kwargs: Mapping[str, Any], attributes: Mapping[str, Any] | None
    ) -> None:
        self.cls = cls
        self.args = tuple(args)
        self.kwargs = dict(kwargs)
        self.attributes = attributes

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _rebuild, (self.cls, self.args, self.kwargs, self.attributes or None)


def _rebuild(cls: type, args: Sequence[Any], kwargs: Mapping[str, Any], attributes: Mapping[str, Any] | None) -> Any:
    made = cls.__new__(cls, *args, **kwargs)
    if attributes:
        vars(made).update(attributes)
    return made


def reference(key: str) -> tuple[Callable[[str], Any], tuple[str]] | None:
    """Return how a future is pickled that is met while a graph is encoded: as its result. None otherwise.

    Parameters
    ----------
    key : str
        The future's key, as on the wire; noted for who encodes the graph.
    """
    keys: list[str] | None = getattr(thread_state, "noted", None)
    if keys is None:
        return None
    keys.append(key)
    return dependency, (key,)


class noting_references:
    """Within the block, this thread pickles futures as their results, and notes their keys in a list."""

    __slots__ = ("_keys", "_outer")

    def __init__(self, keys: list[str]) -> None:
        self._keys = keys

    def __enter__(self) -> None:
        self._outer: list[str] | None = getattr(thread_state, "noted", None)
        thread_state.noted = self._keys

    def __exit__(self, *_: object) -> None:
        thread_state.noted = self._outer
