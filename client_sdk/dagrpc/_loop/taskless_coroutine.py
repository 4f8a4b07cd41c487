"""Coroutines that begin at once, in the middle of a callback, and go on without a task.

A task takes its first step a turn of the event loop after it is made, and one that waits for an event a turn after
that is set. Where a message has to pass through many processes, each such turn delays it. From Python 3.12 on,
``asyncio.Task(eager_start=True)`` begins at once, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class TasklessCoroutine:
    """A coroutine that has run up to where it has to wait, and goes on when that is done.

    Parameters
    ----------
    coroutine : coroutine
        It may wait for futures of the running loop only, must not ask for its task, and sees to its errors itself:
        what it raises goes to the loop's exception handler.
    """

    __slots__ = ("_coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._coroutine: Coroutine[Any, Any, None] | None = coroutine
        self._go_on()

    def _go_on(self, done: asyncio.Future[Any] | None = None) -> None:
        """Run up to where it has to wait next."""
        if self._coroutine is None:
            if done is not None and not done.cancelled():
                # The coroutine was closed while it waited; asyncio logs an exception that nobody looks at.
                done.exception()
            return
        try:
            # What it waits for is done: the future that it awaits gives or raises the outcome itself.
            waits_for = self._coroutine.send(None)
        except StopIteration:
            self._coroutine = None
        except Exception as error:
            self._coroutine = None
            asyncio.get_running_loop().call_exception_handler(
                {"message": "A coroutine without a task failed", "exception": error}
            )
        else:
            if waits_for is None:
                # It lets others have their turn.
                asyncio.get_running_loop().call_soon(self._go_on)
                return
            # By this mark a future tells that it was awaited and not just yielded; a task takes it away as well.
            waits_for._asyncio_future_blocking = False
            waits_for.add_done_callback(self._go_on)

    def close(self) -> None:
        """Give it up, wherever it waits."""
        coroutine, self._coroutine = self._coroutine, None
        if coroutine is not None:
            coroutine.close()
