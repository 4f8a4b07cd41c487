"""Coroutines that begin at once, in the middle of a callback, and that a task awaits to their end.

A task takes its first step a turn of the event loop after it is made or woken. Where a message has to pass through many
processes, each such turn delays it. From Python 3.12 on, ``asyncio.Task(eager_start=True)`` does about the same.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Begun(Generic[T]):
    """A coroutine that has run up to where it has to wait. To be awaited once.

    Parameters
    ----------
    coroutine : coroutine
        It must not care which task runs it: it begins in the caller's.
    """

    __slots__ = ("_coroutine", "_error", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._error: BaseException | None = None
        self._waits_for: Any = None
        try:
            self._waits_for = coroutine.send(None)
        except BaseException as error:
            self._error = error

    def __await__(self) -> Generator[Any, Any, T]:
        """Go on to the end, and return or raise what comes of it."""
        error = self._error
        while error is None:
            try:
                try:
                    sent = yield self._waits_for
                except BaseException as thrown:
                    self._waits_for = self._coroutine.throw(thrown)
                else:
                    self._waits_for = self._coroutine.send(sent)
            except BaseException as outcome:
                error = outcome
        if isinstance(error, StopIteration):
            result: T = error.value
            return result
        raise error

    def close(self) -> None:
        """Give it up, wherever it waits."""
        self._coroutine.close()
