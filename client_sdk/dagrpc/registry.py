"""Functions that callers without code of their own may call by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

F = TypeVar("F", bound=Callable[..., Any])

_exported: dict[str, Callable[..., Any]] = {}


@overload
def export(function: F, *, name: str | None = None) -> F: ...


@overload
def export(function: None = None, *, name: str | None = None) -> Callable[[F], F]: ...


def export(function: F | None = None, *, name: str | None = None) -> F | Callable[[F], F]:
    """Allow callers to call a function by its name.

    The export must run on the workers, such as in a module that they preload.

    Parameters
    ----------
    function : callable, optional
        The function. Without it, this is a decorator.
    name : str, optional
        The function's name for callers; ``package.module:function`` by default.

    Raises
    ------
    ValueError
        If another function has the name.
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
        return lambda found: export(found, name=name)
    if not callable(function):
        raise TypeError(f"Only functions can be exported, not {function!r}")
    chosen = name or f"{function.__module__}:{function.__qualname__}"
    known = _exported.setdefault(chosen, function)
    # A module that is reloaded exports its functions again.
    if known is not function and (known.__module__, known.__qualname__) != (function.__module__, function.__qualname__):
        raise ValueError(f"Another function is exported as {chosen!r}: {known.__module__}:{known.__qualname__}")
    _exported[chosen] = function
    return function


def exported(name: str) -> Callable[..., Any] | None:
    """Return the function that was exported under a name; None if there is none."""
    return _exported.get(name)
