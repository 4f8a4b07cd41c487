"""Running coroutines on somebody's event loop from another thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from dagrpc import config
from dagrpc._client.options import Duration


def sync(loop: Any, func: Callable[..., Any], *args: Any, callback_timeout: Duration = None, **kwargs: Any) -> Any:
    """Run a coroutine function on an event loop that runs in another thread, and wait for its result.

    Parameters
    ----------
    loop : event loop
        Such as ``client.loop``.
    func : coroutine function
        What to run.
    *args, **kwargs
        Its arguments.
    callback_timeout : number or str, optional
        How long to wait.

    Raises
    ------
    RuntimeError
        If the loop does not run, or runs in this very thread, which cannot wait for itself.
    TimeoutError
        If it takes longer.

    Examples
    --------
    >>> sync(client.loop, client.scheduler_info)  # doctest: +SKIP
    {'type': 'Scheduler', ...}
    """
    # Tornado's, which wraps one of asyncio's.
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
