"""Coroutines that start immediately, within a callback, and continue without a task.

A task takes its first step one turn of the event loop after its creation, and continues one turn after the event that
it waits for. Each turn delays a message that passes through many processes. From Python 3.12 on,
``asyncio.Task(eager_start=True)`` starts immediately, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class TasklessCoroutine:
    """A coroutine that has run to its first wait, and continues when the awaited future is done.

    Parameters
    ----------
    coroutine : coroutine
        Awaits futures of the running loop only, and does not ask for its task. An exception that it raises goes to the
        loop's exception handler.
    """

    __slots__ = ("_coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._coroutine: Coroutine[Any, Any, None] | None = coroutine
        self._go_on()

    def _go_on(self, done: asyncio.Future[Any] | None = None) -> None:
        """Run to the next wait."""
        if self._coroutine is None:
            if done is not None and not done.cancelled():
                # The coroutine was closed while it waited; asyncio logs an exception that nobody looks at.
                done.exception()
            return
        try:
            # The awaited future is done and provides its outcome itself.
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
                # `asyncio.sleep(0)`.
                asyncio.get_running_loop().call_soon(self._go_on)
                return
            # An awaited future sets this flag; asyncio's task resets it, too.
            waits_for._asyncio_future_blocking = False
            waits_for.add_done_callback(self._go_on)

    def close(self) -> None:
        """Close the coroutine where it waits."""
        coroutine, self._coroutine = self._coroutine, None
        if coroutine is not None:
            coroutine.close()
