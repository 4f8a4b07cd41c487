"""Small functions and classes that libraries import from modules such as `distributed.utils`."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import inspect
import logging
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from dask.sizeof import sizeof
from dask.utils import has_keyword as has_keyword

from dagrpc import config
from dagrpc._client import current
from dagrpc._common import running_task as running
from dagrpc._process.machine import cpu_count, processes_and_threads, total_memory

WINDOWS = sys.platform.startswith("win")
MACOS = sys.platform == "darwin"
LINUX = sys.platform.startswith("linux")


class _ThreadState(threading.local):
    """The state of the calling thread. The attribute `execution_state` exists only inside of tasks."""

    @property
    def execution_state(self) -> dict[str, Any]:
        """Worker and key of the task that runs here."""
        task = running.current.get()
        if task is None:
            raise AttributeError("execution_state: no task runs here")
        return {"worker": task.worker, "key": getattr(task, "key", None)}


thread_state = _ThreadState()


class LoopRunner:
    """The event loop that dagrpc runs in a thread of its own.

    Parameters
    ----------
    loop, asynchronous
        Accepted for compatibility.
    """

    def __init__(self, loop: object = None, asynchronous: bool = False) -> None:
        from dagrpc._client.event_loops import EventLoop
        from dagrpc._loop.io_loop import get_loop

        self.loop = EventLoop(get_loop().loop)

    def start(self) -> None:
        """Do nothing: the loop runs."""

    def stop(self, timeout: float = 10) -> None:
        """Do nothing: others use the loop, too."""

    def is_started(self) -> bool:
        """Return whether the loop runs."""
        return True

    def run_sync(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a coroutine function on the loop, and wait for its result."""
        from dagrpc._client.event_loops import sync

        return sync(self.loop, func, *args, **kwargs)


class SyncMethodMixin:
    """A mix-in for classes with a `loop` whose methods block, or return awaitables to asynchronous callers."""

    loop: Any
    _asynchronous = False

    @property
    def asynchronous(self) -> bool:
        """Whether the caller is asynchronous: by its setting, or because it runs on the loop."""
        running = asyncio._get_running_loop()
        return self._asynchronous or (running is not None and getattr(self.loop, "asyncio_loop", self.loop) is running)

    def sync(
        self, func: Any, *args: Any, asynchronous: bool | None = None, callback_timeout: Any = None, **kwargs: Any
    ) -> Any:
        """Run a coroutine function on the loop, and wait for its result, or return an awaitable."""
        if not (self.asynchronous if asynchronous is None else asynchronous):
            from dagrpc._client.event_loops import sync

            return sync(self.loop, func, *args, callback_timeout=callback_timeout, **kwargs)
        outcome = func(*args, **kwargs)
        seconds = config.seconds(callback_timeout)
        return outcome if seconds is None else asyncio.wait_for(outcome, seconds)


def global_client() -> Any:
    """Return the default client, or None."""
    return current.current_client()


def import_term(name: str) -> Any:
    """Return the object of a dotted name.

    Examples
    --------
    >>> import_term("math.sin")
    <built-in function sin>
    """
    module_name, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module_name), attribute) if module_name else importlib.import_module(name)


def nbytes(frame: Any) -> int:
    """Return the size of bytes, or of anything else in memory."""
    if isinstance(frame, (bytes, bytearray)):
        return len(frame)
    size = getattr(frame, "nbytes", None)
    return int(sizeof(frame) if size is None else size)


def log_errors(func: Any = None, /, *, pdb: bool = False, unroll_stack: int = 1) -> Any:
    """Log the errors of a function, as its decorator with or without parentheses, or those of a ``with`` block."""
    return _LogErrors() if func is None else _LogErrors()(func)


class _LogErrors(contextlib.ContextDecorator):
    def __call__(self, func: Any) -> Any:
        if not inspect.iscoroutinefunction(func):
            return super().__call__(func)

        @functools.wraps(func)
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self:
                return await func(*args, **kwargs)

        return wrapped

    def __enter__(self) -> _LogErrors:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, Exception):
            name = trace.tb_frame.f_globals.get("__name__", "dagrpc")
            logging.getLogger(name).error("%s", error, exc_info=(kind, error, trace))


def get_ip(host: str = "8.8.8.8", port: int = 80) -> str:
    """Return the address of this host for other hosts."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent; the system chooses the interface.
            probe.connect((host, port))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def ensure_ip(hostname: str) -> str:
    """Return the address of a host, given its name or its address.

    Examples
    --------
    >>> ensure_ip("127.0.0.1")
    '127.0.0.1'
    """
    if hostname in ("*", ""):
        return hostname
    return str(socket.getaddrinfo(hostname, None, type=socket.SOCK_STREAM)[0][4][0])


@contextlib.contextmanager
def warn_on_duration(duration: float | str, msg: str) -> Iterator[None]:
    """Warn if a block takes longer than a duration, which replaces ``{duration}`` in the text."""
    start = time.monotonic()
    yield
    took = time.monotonic() - start
    if took > (config.seconds(duration) or 0.0):
        warnings.warn(msg.format(duration=took), stacklevel=3)


def nprocesses_nthreads(n: int | None = None) -> tuple[int, int]:
    """Return a good number of processes, and of threads in each, for a number of processors."""
    return processes_and_threads(cpu_count() if n is None else n)


def open_port(host: str = "") -> int:
    """Return a port that is free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def memory_limit() -> int:
    """Return how many bytes of memory this process may use."""
    return total_memory()


MEMORY_LIMIT = total_memory()
