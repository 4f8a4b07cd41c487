"""Ways to run a function of a test: in a thread, or on an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

_LIMIT = 60


def in_thread(function: Callable[[], Any]) -> Callable[[], Any]:
    """Call a function in a thread; return a function that waits for its result, or for its exception as a value."""
    outcome: list[Any] = []

    def call() -> None:
        try:
            outcome.append(function())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=call)
    thread.start()

    def join() -> Any:
        thread.join(_LIMIT)
        return outcome[0]

    return join


def in_own_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Decorate a coroutine function as a test that runs on an event loop other than dagrpc's."""

    def run() -> None:
        asyncio.run(test())

    run.__name__ = test.__name__
    return run
