"""Read-only attributes of the objects that stand for a service: each is a line of the class, with its documentation."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class Attribute(Generic[T]):
    """An attribute that is read from the object's service, or computed by a function of the object.

    Parameters
    ----------
    source : str or callable
        The path of the service's attribute, ``"options.lifetime"``; or a function that takes the object.
    doc : str, optional
        The documentation; by default that of the function.

    Examples
    --------
    >>> class Service:
    ...     nthreads = 4
    >>> class Facade:
    ...     _service = Service()
    ...     nthreads = Attribute[int]("nthreads", "Number of tasks that run at once.")
    >>> Facade().nthreads
    4
    """

    def __init__(self, source: str | Callable[[Any], T], doc: str | None = None) -> None:
        self._read: Callable[[Any], T] = attrgetter(f"_service.{source}") if isinstance(source, str) else source
        self.__doc__ = doc or self._read.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Attribute[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Attribute[T] | T:
        return self if instance is None else self._read(instance)
