"""Functions that callers without code of their own may call by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar, overload

F = TypeVar("F", bound=Callable[..., Any])

ENTRY_POINTS = "dagrpc.functions"
"""Group of the entry points by which installed packages export functions."""

_exported: dict[str, Callable[..., Any]] = {}
_watchers: dict[Callable[[], object], None] = {}


@overload
def export(function: F, *, name: str | None = None, version: str | None = None) -> F: ...


@overload
def export(function: None = None, *, name: str | None = None, version: str | None = None) -> Callable[[F], F]: ...


def export(function: F | None = None, *, name: str | None = None, version: str | None = None) -> F | Callable[[F], F]:
    """Allow callers to call a function by its name.

    The export must run on the workers, such as in a module that they preload. The scheduler is told at once, and gives
    calls only to workers that have the function. A package exports functions with every worker of its environment by
    entry points of the group ``dagrpc.functions``, whose names are the functions' names.

    Parameters
    ----------
    function : callable, optional
        The function. Without it, this is a decorator.
    name : str, optional
        The function's name for callers; ``package.module:function`` by default.
    version : str, optional
        A version, for callers that insist on it: the function is also called ``NAME@VERSION``. A process may export
        several versions; the name alone stands for the version that was exported last.

    Raises
    ------
    ValueError
        If another function has the name, or a version is empty or contains ``@``.
    TypeError
        If the function cannot be called.

    Examples
    --------
    >>> @export(name="double")
    ... def double(x):
    ...     return 2 * x
    >>> double(4)
    8
    """
    if function is None:
        return lambda found: export(found, name=name, version=version)
    if not callable(function):
        raise TypeError(f"Only functions can be exported, not {function!r}")
    chosen = name or f"{function.__module__}:{function.__qualname__}"
    if version is not None and (not version or "@" in version):
        raise ValueError(f"A version is text without '@'; got {version!r}")
    full = chosen if version is None else f"{chosen}@{version}"
    known = _exported.get(full, function)
    # A module that is reloaded exports its functions again.
    if known is not function and (known.__module__, known.__qualname__) != (function.__module__, function.__qualname__):
        raise ValueError(f"Another function is exported as {full!r}: {known.__module__}:{known.__qualname__}")
    _exported[chosen] = _exported[full] = function
    for watcher in list(_watchers):
        watcher()
    return function


def exported(name: str) -> Callable[..., Any] | None:
    """Return the function that was exported under a name, maybe by an entry point; None if there is none."""
    function = _exported.get(name)
    if function is None and (entry := _entries().get(name)) is not None:
        loaded: Callable[..., Any] = entry.load()
        function = _exported.setdefault(name, loaded)
    return function


def exported_names() -> frozenset[str]:
    """Return the names of all exported functions, those of entry points included."""
    return frozenset((*_exported, *_entries()))


def watch_exports(watcher: Callable[[], object]) -> Callable[[], None]:
    """Call a function after each export, in the exporting thread; return the function that ends the watch."""
    _watchers[watcher] = None
    return lambda: _watchers.pop(watcher, None) and None


@lru_cache(1)
def _entries() -> dict[str, EntryPoint]:
    """Return the entry points that export functions, by name; their modules are imported by the first call."""
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}
