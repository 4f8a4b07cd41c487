"""The event loop of a process that runs all of gRPC, and the ways for threads to reach it."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from dagrpc import config
from dagrpc._process.fork_locks import free_in_children
from dagrpc._rpc import forked_grpc
from dagrpc.exceptions import ForkedProcessError

T = TypeVar("T")

logger = logging.getLogger("dagrpc.io")

_END_TIMEOUT = 1.0
"""Seconds that the loop's thread has for ending with the interpreter."""


class LoopThread:
    """An event loop and the thread that runs it.

    `get_loop` makes it; a service that runs a loop of its own registers the loop with `adopt_running_loop`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
        self.loop = loop
        self.thread = thread
        self.pid = os.getpid()

    @property
    def inside(self) -> bool:
        """Whether the calling thread is the one that runs the loop."""
        return threading.current_thread() is self.thread

    @property
    def forked(self) -> bool:
        """Whether this process was forked from the one that runs the loop."""
        return os.getpid() != self.pid

    def check(self) -> None:
        """Raise if this process was forked from the one that runs the loop."""
        if self.forked:
            raise ForkedProcessError(
                "This belongs to the parent process, and cannot be used after a fork: make a client of this process's "
                "own, or start processes with multiprocessing's 'spawn' method instead"
            )

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run a coroutine on the loop and return its future."""
        self.check()
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run a coroutine on the loop and wait for its result from another thread.

        Raises
        ------
        TimeoutError
            If it takes longer than `timeout` seconds; the coroutine is cancelled.
        """
        if self.inside:
            coroutine.close()
            raise RuntimeError(
                "a blocking call was made on dagrpc's own event loop; await the asynchronous form instead"
            )
        future = self.submit(coroutine)
        try:
            return future.result(timeout)
        except BaseException:
            # Also after KeyboardInterrupt: the coroutine must not run on without a waiter.
            future.cancel()
            raise

    def call_soon(self, callback: Callable[..., object], *args: object) -> None:
        """Call a function on the loop, from any thread."""
        self.loop.call_soon_threadsafe(callback, *args)


def new_loop() -> asyncio.AbstractEventLoop:
    """Make an event loop of the kind that the setting `admin.event-loop` names.

    Raises
    ------
    ValueError
        If the setting names no kind of loop.
    ImportError
        If it names uvloop, which is not installed.
    """
    kind = config.get("admin.event-loop")
    # tornado is distributed's default, and selects no kind here.
    if kind not in ("auto", "tornado", "uvloop", "asyncio"):
        raise ValueError(f"admin.event-loop must be auto, uvloop or asyncio, not {kind!r}")
    if kind != "asyncio":
        try:
            import uvloop
        except ImportError:
            if kind == "uvloop":
                raise ImportError("admin.event-loop is uvloop, which is not installed: install it, or unset") from None
        else:
            return uvloop.new_event_loop()
    return asyncio.new_event_loop()


def run_service(main: Coroutine[Any, Any, T], on_exit: Callable[[BaseException], None] | None = None) -> T:
    """Run a service process's coroutine on an event loop of its own, and return its result.

    Parameters
    ----------
    on_exit : callable, optional
        Called with a `SystemExit` or `KeyboardInterrupt` from the loop before it is raised.

    Raises
    ------
    SystemExit
        If the configured loop cannot be made; the message says why.
    """
    try:
        loop = new_loop()
    except (ValueError, ImportError) as error:
        main.close()
        raise SystemExit(str(error)) from None
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        try:
            return runner.run(main)
        except (SystemExit, KeyboardInterrupt) as error:
            if on_exit is not None:
                on_exit(error)
            raise


_lock = free_in_children(threading.Lock())
_current: LoopThread | None = None


def get_loop() -> LoopThread:
    """Return the process's loop, starting its thread at the first call."""
    global _current
    with _lock:
        if _current is not None and _current.pid == os.getpid() and not _current.loop.is_closed():
            return _current
        if _current is not None and _current.pid != os.getpid():
            _begin_in_child(_current)
        loop = new_loop()
        started = threading.Event()

        def serve() -> None:
            asyncio.set_event_loop(loop)
            loop.call_soon(started.set)
            while True:
                try:
                    return loop.run_forever()
                except (SystemExit, KeyboardInterrupt):
                    # A user's coroutine started a task that raised. Others use the loop, too.
                    logger.exception("A callback on dagrpc's event loop raised an exit, which has no effect there")

        thread = threading.Thread(target=serve, name="dagrpc-io", daemon=True)
        _current = LoopThread(loop, thread)
        thread.start()
        started.wait(10)
        return _current


def _begin_in_child(parents: LoopThread) -> None:
    """Prepare a process that was forked from one with a loop for a loop of its own.

    Raises
    ------
    ForkedProcessError
        If gRPC cannot be used in this process.
    """
    # The parent's loop must not be closed here: it shares its poll descriptor with the parent.
    forked_grpc.keep(parents, parents.loop)
    try:
        forked_grpc.renew_grpc()
    except (OSError, ImportError) as error:
        raise ForkedProcessError(
            f"dagrpc was started in the parent process, and gRPC cannot be started again after a fork ({error}): start "
            "processes with multiprocessing's 'spawn' method instead"
        ) from error


def stop_at_exit() -> None:
    """Stop the process's loop when the interpreter ends.

    uvloop runs in C: an event after the end of the interpreter would crash the process.
    """
    current = _current
    if current is None or current.pid != os.getpid() or not current.thread.is_alive() or not current.thread.daemon:
        return
    with contextlib.suppress(RuntimeError):
        current.loop.call_soon_threadsafe(current.loop.stop)
    current.thread.join(_END_TIMEOUT)


# Clients and clusters, which need the loop to close, are closed earlier: see `before_threads_end`.
atexit.register(stop_at_exit)


def adopt_running_loop() -> LoopThread:
    """Make the running loop the process's loop. Services call this; they run their loop in the main thread."""
    global _current
    with _lock:
        _current = LoopThread(asyncio.get_running_loop(), threading.current_thread())
        return _current


def after_turn(callback: Callable[[], object]) -> None:
    """Call a function at the loop's next turn; outside the loop's thread, call it immediately.

    Used to wake threads: a thread that wakes during a turn competes with the loop for the interpreter's lock.
    """
    current = _current
    if current is not None and current.inside:
        current.loop.call_soon(callback)
    else:
        callback()


def spawn(coroutine: Coroutine[Any, Any, T], tasks: set[asyncio.Task[Any]]) -> asyncio.Task[T]:
    """Start a task on the running loop, and keep it in `tasks` until it ends so that it is not garbage-collected."""
    task = asyncio.get_running_loop().create_task(coroutine)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task


async def cancel_all(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended."""
    current = asyncio.current_task()
    pending = [task for task in tasks if task is not current]
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending, timeout=10)
