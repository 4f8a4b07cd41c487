"""Dataclasses that are cheap to define, for modules with dozens of them that every process imports.

`dataclass` compiles each method for each class: 34 kinds of events add 9 ms to a scheduler's start. A record gets only
an ``__init__`` of its own, which runs often; all records share the methods that compare and show them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """Turn a class into a dataclass with slots.

    Examples
    --------
    >>> @record
    ... class Place:
    ...     row: int
    ...     column: int = 0
    >>> Place(1), Place(1) == Place(1, 0), Place(1) == Place(2)
    (Place(row=1, column=0), True, False)
    """
    made: Any = dataclass(slots=True, repr=False, eq=False)(cls)
    made.__repr__, made.__eq__ = _text, _equals
    # Mutable objects with an `__eq__` have no hash.
    made.__hash__ = None
    result: type[T] = made
    return result


def _text(self: Any) -> str:
    fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
    return f"{type(self).__qualname__}({fields})"


def _equals(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    return all(getattr(self, name) == getattr(other, name) for name in self.__match_args__)
