"""Runs coroutines on an event loop from another thread."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from dagrpc import config
from dagrpc._client.submission_options import Duration

logger = logging.getLogger("dagrpc.client")


def sync(loop: Any, func: Callable[..., Any], *args: Any, callback_timeout: Duration = None, **kwargs: Any) -> Any:
    """Run a coroutine function on an event loop that runs in another thread, and wait for its result.

    Parameters
    ----------
    loop : event loop
        Such as ``client.loop``.
    func : coroutine function
        The function.
    *args, **kwargs
        Arguments of the function.
    callback_timeout : number or str, optional
        How long to wait.

    Raises
    ------
    RuntimeError
        If the loop does not run, or runs in the calling thread, which cannot wait for itself.
    TimeoutError
        If the coroutine takes longer.

    Examples
    --------
    >>> import asyncio
    >>> sync(client.loop, asyncio.sleep, 0, result="slept")
    'slept'
    """
    # A loop of tornado wraps a loop of asyncio.
    loop = getattr(loop, "asyncio_loop", loop)
    if not loop.is_running():
        raise RuntimeError("The event loop does not run, so nothing can be awaited on it")
    if asyncio._get_running_loop() is loop:
        raise RuntimeError("Cannot wait for an event loop in its own thread: await the coroutine instead")

    async def call() -> Any:
        return await func(*args, **kwargs)

    future = asyncio.run_coroutine_threadsafe(call(), loop)
    seconds = config.seconds(callback_timeout)
    try:
        return future.result(seconds)
    except BaseException as error:
        expired = isinstance(error, TimeoutError) and not future.done()
        future.cancel()
        if expired:
            raise TimeoutError(f"{func!r} did not end within {seconds:g} s") from None
        raise


class EventLoop:
    """The event loop of dagrpc, with the methods of tornado's loops besides its own methods.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        The loop.

    Attributes
    ----------
    asyncio_loop : asyncio.AbstractEventLoop
        The loop.

    Examples
    --------
    >>> client.loop.add_callback(client.log_event, "topic", "said on the loop")
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.asyncio_loop = loop

    def add_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call a function, or run a coroutine function, on the loop soon. May be called from any thread."""
        self.asyncio_loop.call_soon_threadsafe(self._run, partial(callback, *args, **kwargs))

    add_callback_from_signal = spawn_callback = add_callback

    def _run(self, call: Callable[[], Any]) -> None:
        found = call()
        if inspect.isawaitable(found):
            task: asyncio.Future[Any] = asyncio.ensure_future(found, loop=self.asyncio_loop)
            _running.add(task)
            task.add_done_callback(_ended)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.asyncio_loop, name)

    def __eq__(self, other: object) -> bool:
        return getattr(other, "asyncio_loop", other) is self.asyncio_loop

    def __hash__(self) -> int:
        return hash(self.asyncio_loop)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.asyncio_loop!r}>"


_running: set[asyncio.Future[Any]] = set()
"""Callbacks that run. Event loops keep only weak references to them."""


def _ended(task: asyncio.Future[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and task.exception() is not None:
        logger.error("A callback of the event loop failed", exc_info=task.exception())
