"""Pickles exceptions whose own pickling fails, by class, arguments and attributes."""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Iterator
from types import MemberDescriptorType
from typing import Any

_LONGEST = 500
"""Maximum length of the text that stands for an object that was not sent."""
_HEAP_TYPE = 1 << 9
"""The flag of classes that a class statement created."""


class Unsent:
    """Stands for an object in an exception that could not be sent, such as a lock. Has the repr of the object."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[object, ...]:
        return Unsent, (self.text,)


def reduced(error: BaseException) -> Any:
    """Return an exception's own reduction.

    Raises
    ------
    Exception
        Any exception that its own code raises; `TypeError` if its class has slots, which the pickle would lack.
    """
    registered = copyreg.dispatch_table.get(type(error))
    # The reductions that tblib registers pickle the whole chain with one exception.
    if registered is not None and not getattr(registered, "__module__", "").startswith("tblib"):
        return registered(error)
    if type(error).__reduce__ is BaseException.__reduce__ and any(_slots(type(error))):
        raise TypeError("slots are not pickled")
    return error.__reduce_ex__(5)


def in_parts(error: BaseException, travels: Callable[[object], bool], cut: int | None) -> tuple[Any, ...]:
    """Return the reduction that pickles an exception by its parts.

    Parameters
    ----------
    travels : callable
        Returns whether a part can be pickled.
    cut : int or None
        Maximum length of texts; None for any.
    """

    def part(value: object) -> object:
        if value is error:
            return Unsent(f"<{type(error).__qualname__} itself>")
        if cut is not None and isinstance(value, (str, bytes)) and len(value) > cut:
            value = value[:cut] + "…" if isinstance(value, str) else value[:cut]
        return value if travels(value) else Unsent(_shown(value))

    if isinstance(error, BaseExceptionGroup):
        return _assembled, (type(error), (part(error.message), list(error.exceptions)), _attributes(error, part))
    arguments = OSError.__reduce__(error)[1] if isinstance(error, OSError) else error.args
    assert isinstance(arguments, tuple)
    return _assembled, (type(error), tuple(map(part, arguments)), _attributes(error, part))


def _attributes(error: BaseException, part: Callable[[object], object]) -> dict[str, object]:
    found = {name: value for name, value in vars(error).items() if name != "__notes__"}
    for name in _slots(type(error)):
        if hasattr(error, name):
            found[name] = getattr(error, name)
    return {name: part(value) for name, value in found.items()}


def _slots(kind: type) -> Iterator[str]:
    for each in kind.__mro__:
        if each.__flags__ & _HEAP_TYPE:
            for name, descriptor in vars(each).items():
                if isinstance(descriptor, MemberDescriptorType):
                    yield name


def _shown(value: object) -> str:
    try:
        text = repr(value)
        return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    except BaseException:
        return f"<{type(value).__qualname__}>"


def _assembled(kind: type[BaseException], arguments: tuple[Any, ...], attributes: dict[str, object]) -> BaseException:
    """Return an exception made of its parts, without a call of the constructor of its class."""
    base: Any = next(each for each in kind.__mro__ if not each.__flags__ & _HEAP_TYPE)
    error: BaseException = base.__new__(kind, *arguments)
    base.__init__(error, *arguments)
    for name, value in attributes.items():
        try:
            object.__setattr__(error, name, value)
        except Exception:
            error.__dict__[name] = value
    return error
