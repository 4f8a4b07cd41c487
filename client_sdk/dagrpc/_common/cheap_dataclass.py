"""Dataclasses that cost little to make, for modules that have dozens of them and that every process imports.

`dataclass` compiles each of its methods for each class: 34 kinds of events take a scheduler's start 9 ms. A record has
only ``__init__`` made for it, the one that runs often; what compares and shows records is the same for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """Make a class what ``dataclass(slots=True)`` makes it.

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
    # As ever for what can be equal and can change.
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
