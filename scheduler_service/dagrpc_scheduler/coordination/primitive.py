"""The base of the coordination primitives: each is a class, which is registered by its definition."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeVar

from dagrpc_scheduler.coordination.wait_queue import Request, WaitQueue

F = TypeVar("F", bound=Callable[..., None])

CLASSES: list[type[Primitive]] = []
"""All primitives, in the order of their definition."""


class RefusedError(Exception):
    """Raised by an operation to refuse its request; the client raises `ValueError` with the text."""


def handles(operation: type[Any]) -> Callable[[F], F]:
    """Mark the method that handles a type of operation; it is called with the request and the operation."""

    def mark(method: F) -> F:
        method._handles = operation  # type: ignore[attr-defined]
        return method

    return mark


def operation(method: F) -> F:
    """Mark an operation that needs no message of its own.

    The method is called with the request, the name of the primitive, and the client's arguments as keywords. Values
    that the client sends, which may hold results, are the keyword `values`.
    """
    method._is_operation = True  # type: ignore[attr-defined]
    return method


class Primitive:
    """All objects of one kind of primitive, by name.

    A subclass keeps the state, and answers each request through the wait queue, now or later.

    >>> class Counters(Primitive):
    ...     kind = "counter"
    ...     def __init__(self, wait_queue):
    ...         super().__init__(wait_queue)
    ...         self.counts = {}
    ...     @operation
    ...     def add(self, request, name, amount=1):
    ...         self.counts[name] = self.counts.get(name, 0) + amount
    ...         self._wait_queue.answer(request, result=self.counts[name])
    """

    kind: ClassVar[str] = ""
    """Names the primitive in the messages of its operations that have no message of their own."""

    def __init_subclass__(cls) -> None:
        CLASSES.append(cls)

    def __init__(self, wait_queue: WaitQueue) -> None:
        self._wait_queue = wait_queue

    def handlers(self) -> dict[type[Any], Callable[[Request, Any], None]]:
        """Return the methods that `handles` marks, by type of operation."""
        marked = ((getattr(function, "_handles", None), name) for name, function in vars(type(self)).items())
        return {operation: getattr(self, name) for operation, name in marked if operation is not None}

    def operations(self) -> dict[tuple[str, str], tuple[Callable[..., None], inspect.Signature]]:
        """Return the methods that `operation` marks, by kind and name."""
        names = [name for name, function in vars(type(self)).items() if hasattr(function, "_is_operation")]
        methods = {name: getattr(self, name) for name in names}
        return {(self.kind, name): (method, inspect.signature(method)) for name, method in methods.items()}

    def client_gone(self, client: str) -> None:
        """Release the possessions of a client that is gone; its waiting requests are cancelled already."""

    def renew(self, client: str, leases: Iterable[int]) -> None:
        """Renew a client's leases, which other primitives may have given."""

    def expire(self) -> None:
        """End the leases that were not renewed in time."""

    def next_expiry(self) -> float | None:
        """Return when `expire` must be called; None: never."""
        return None
