"""Makes functions that a class binds look like methods written in the class."""

from __future__ import annotations

import inspect
from typing import TypeVar

C = TypeVar("C", bound=type)


def bound_verbs(cls: C) -> C:
    """Name the functions of other modules in a class body after the class, for help texts, errors and pickles."""
    for name, value in vars(cls).items():
        function = getattr(value, "__func__", value)
        if inspect.isfunction(function) and function.__module__ != cls.__module__:
            # Aliases such as `ncores` keep the name of the method that they stand for.
            if function.__name__ == name:
                function.__module__, function.__qualname__ = cls.__module__, f"{cls.__qualname__}.{name}"
            # The type of `self` is a detail of type checking.
            for receiver in ("self", "cls"):
                function.__annotations__.pop(receiver, None)
    return cls
