"""References in the pickles of a task, to shared values and to results of other tasks.

A reference is a call of a function of this module, which looks up the value while the task is unpickled.
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
"""State of each thread: ``reading``, the task being unpickled, and ``noted``, the keys of the futures being pickled."""


def digest_of(data: bytes) -> Digest:
    """Return the content hash of a shared value, which does not depend on the files that its code comes from."""
    return blake2b(code_files.content(data), digest_size=16).digest()


# --- while a task is being unpickled -----------------------------------------------------------------------------


class Reading:
    """The task that a thread unpickles, as its references need it; see `thread_state`.

    Parameters
    ----------
    load : callable
        Unpickles a shared value: by its digest, whether its pickle refers to others, and whether a copy is wanted.
    results : mapping
        Results of other tasks by wire key.
    """

    __slots__ = ("load", "loaded", "results")

    def __init__(self, load: Callable[[Digest, bool, bool], Any], results: Mapping[str, Any]) -> None:
        self.load = load
        self.loaded: dict[tuple[Digest, int] | Digest, Any] = {}
        """Shared values that the task has loaded, so that two references to one give one object. Their digests."""
        self.results = results


def shared_value(digest: Digest, number: int = 0, refers: bool = False) -> Any:
    """Return a shared value of the task that is being unpickled.

    `number` distinguishes objects with the same content; `refers` says whether the value's pickle refers to further
    shared values by `persistent_load`.
    """
    task = thread_state.reading
    name = digest, number
    loaded = task.loaded
    if name in loaded:
        return loaded[name]
    # Two objects with the same content stay two objects in a task, also if tasks may share this content.
    value = loaded[name] = task.load(digest, refers, digest in loaded)
    loaded[digest] = None
    return value


def unpickled(data: bytes | memoryview, refers: bool) -> Any:
    """Return the value of a pickle; `refers` says whether the pickle names shared values by persistent ids."""
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
        The wire key of the other task.
    """

    __slots__ = ("key",)

    def __init__(self, key: str) -> None:
        self.key = key

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return dependency, (self.key,)


class Rebuilt:
    """Stands for an object that is made once the results of other tasks are available.

    Parameters
    ----------
    cls : type
        The class of the object.
    args, kwargs
        Arguments for `__new__` of the class, with references in place of results.
    attributes : mapping or None
        The ``__dict__`` of the object.
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
    """Return the reduction that pickles a future as its result, and note its wire key; None outside a graph."""
    keys: list[str] | None = getattr(thread_state, "noted", None)
    if keys is None:
        return None
    keys.append(key)
    return dependency, (key,)


class noting_references:
    """Context manager within which the thread pickles futures as their results and notes their keys in a list."""

    __slots__ = ("_keys", "_outer")

    def __init__(self, keys: list[str]) -> None:
        self._keys = keys

    def __enter__(self) -> None:
        self._outer: list[str] | None = getattr(thread_state, "noted", None)
        thread_state.noted = self._keys

    def __exit__(self, *_: object) -> None:
        thread_state.noted = self._outer
