"""Waiting for keys and coroutines, with one body of code for callers that block and callers that await.

An operation is a generator: it yields a `Pause` for each thing that it waits for, and receives the outcome of the
pause. `run_blocking` drives the operation in the calling thread, `run_awaiting` on the caller's event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from dagrpc._client.key_table import DONE, FINISHED, KeyState, KeyTable, lock
from dagrpc._common.remote_raise import as_raised
from dagrpc._loop.io_loop import LoopThread, after_turn

T = TypeVar("T")

_FOREVER = float(threading.TIMEOUT_MAX)


class Pause(Protocol):
    """A thing that an operation waits for."""

    def block(self) -> Any:
        """Wait in the calling thread."""

    async def suspend(self) -> Any:
        """Wait on the running event loop."""


Operation: TypeAlias = Generator[Pause, Any, T]


def run_blocking(operation: Operation[T]) -> T:
    """Run an operation to its end in the calling thread."""
    try:
        pause = next(operation)
        while True:
            try:
                outcome = pause.block()
            # KeyboardInterrupt included: the operation may have to clean up.
            except BaseException as error:
                pause = operation.throw(error)
            else:
                pause = operation.send(outcome)
    except StopIteration as end:
        result: T = end.value
        return result


async def run_awaiting(operation: Operation[T], keep: object = None) -> T:
    """Run an operation to its end on the running event loop. The object `keep` lives until then."""
    try:
        return await _awaiting(operation)
    except BaseException as error:
        raised, trace = as_raised(error)
    try:
        raise raised.with_traceback(trace)
    finally:
        del raised, trace


async def _awaiting(operation: Operation[T]) -> T:
    try:
        pause = next(operation)
        while True:
            try:
                outcome = await pause.suspend()
            except BaseException as error:
                pause = operation.throw(error)
            else:
                pause = operation.send(outcome)
    except StopIteration as end:
        result: T = end.value
        return result


class Deadline:
    """A point in time, so many seconds from now; never if the timeout is None."""

    __slots__ = ("_at", "timeout")

    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout
        self._at = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float | None:
        """Return the seconds that are left, at least 0; None if the deadline never passes."""
        return None if self._at is None else max(0.0, self._at - time.monotonic())

    def error(self, what: str) -> TimeoutError:
        """Return the error to raise once the deadline has passed."""
        return TimeoutError(f"{what} within {self.timeout:g} s")


class Gate:
    """Opens once, for one caller that waits in a thread or on an event loop."""

    __slots__ = ("_future", "_latch", "_loop", "is_open")

    def __init__(self) -> None:
        self.is_open = False
        self._latch: threading.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._future: asyncio.Future[None] | None = None

    def open(self) -> None:
        """Wake the waiting caller. Does not block, and may be called from any thread."""
        if self.is_open:
            return
        self.is_open = True
        if self._latch is not None:
            after_turn(self._latch.release)
        elif self._loop is not None:
            # Nothing waits on a loop that has been closed.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._set)

    def _set(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def prepare_to_block(self) -> None:
        """Prepare for `block`. Called before the gate can open, by the thread that will block."""
        self._latch = threading.Lock()
        self._latch.acquire()

    def prepare_to_suspend(self) -> None:
        """Prepare for `suspend`. Called before the gate can open, by the coroutine that will suspend."""
        self._loop = asyncio.get_running_loop()
        self._future = self._loop.create_future()

    def block(self, timeout: float | None) -> bool:
        """Wait in the calling thread. Return whether the gate is open."""
        assert self._latch is not None
        return self._latch.acquire(timeout=-1 if timeout is None else min(timeout, _FOREVER))

    async def suspend(self, timeout: float | None) -> bool:
        """Wait on the running event loop. Return whether the gate is open."""
        assert self._future is not None
        if timeout is None:
            # One turn of the loop less than with asyncio.wait.
            await self._future
        else:
            await asyncio.wait((self._future,), timeout=timeout)
        return self.is_open


class Countdown(Gate):
    """Waits until keys are done; the outcome of the pause is whether they were before the deadline.

    With `first` one key that is done is enough, with `fail_fast` one that is done without a result.
    """

    __slots__ = ("_deadline", "_fail_fast", "_first", "_remaining", "_states")

    def __init__(
        self, states: Sequence[KeyState], deadline: Deadline, *, first: bool = False, fail_fast: bool = False
    ) -> None:
        super().__init__()
        self._states = states
        self._deadline = deadline
        self._first = first
        self._fail_fast = fail_fast
        # One more than the keys, so that the count stays above 0 until all keys are watched.
        self._remaining = len(states) + 1

    def wake(self, state: KeyState) -> None:
        """Count a key that is done."""
        self._remaining -= 1
        if self._remaining == 0 or self._first or (self._fail_fast and state.status != FINISHED):
            self.open()

    def _is_over(self) -> bool:
        """Return whether there is nothing to wait for."""
        states = self._states
        if self._first:
            return not states or any(state.status in DONE for state in states)
        if self._fail_fast and any(state.status in DONE and state.status != FINISHED for state in states):
            return True
        return all(state.status in DONE for state in states)

    def _watch(self) -> bool:
        """Start to watch. Return whether there is something to wait for."""
        with lock:
            watched = KeyTable.watch(self._states, self)
            self._remaining -= len(self._states) - watched + 1
            return self._remaining > 0 and not self._is_over()

    def block(self, timeout: float | None = None) -> bool:
        """Wait in the calling thread."""
        if self._is_over():
            return True
        self.prepare_to_block()
        try:
            return not self._watch() or super().block(self._deadline.left())
        finally:
            self._unwatch()

    async def suspend(self, timeout: float | None = None) -> bool:
        """Wait on the running event loop."""
        if self._is_over():
            return True
        self.prepare_to_suspend()
        try:
            return not self._watch() or await super().suspend(self._deadline.left())
        finally:
            self._unwatch()

    def _unwatch(self) -> None:
        if self._remaining > 0:
            KeyTable.unwatch(self._states, self)


class RunOnLoop:
    """Runs a coroutine on the IO loop; the outcome of the pause is its result.

    The coroutine is cancelled at the deadline, or when the wait is interrupted. `what` names the thing that did not
    happen, for the error.
    """

    __slots__ = ("_coroutine", "_deadline", "_loop", "_what")

    def __init__(
        self,
        loop: LoopThread,
        coroutine: Coroutine[Any, Any, Any],
        deadline: Deadline | None = None,
        what: str = "There was no answer",
    ) -> None:
        self._loop = loop
        self._coroutine = coroutine
        self._deadline = deadline or Deadline(None)
        self._what = what

    def block(self) -> Any:
        """Wait in the calling thread."""
        future = self._loop.submit(self._coroutine)
        try:
            return future.result(self._deadline.left())
        except BaseException as error:
            expired = isinstance(error, TimeoutError) and not future.done()
            # KeyboardInterrupt included: the coroutine must not go on if nothing waits for it.
            future.cancel()
            if expired:
                raise self._deadline.error(self._what) from None
            raise

    async def suspend(self) -> Any:
        """Wait on the running event loop."""
        future = asyncio.wrap_future(self._loop.submit(self._coroutine))
        try:
            await asyncio.wait((future,), timeout=self._deadline.left())
            if not future.done():
                raise self._deadline.error(self._what)
            return future.result()
        finally:
            future.cancel()


class RunInThread:
    """Calls a function that would block an event loop; the outcome of the pause is the function's result."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function

    def block(self) -> Any:
        """Call the function in the calling thread."""
        return self._function()

    async def suspend(self) -> Any:
        """Call the function in another thread."""
        return await asyncio.to_thread(self._function)


class CloseCluster:
    """Closes a cluster object."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster

    def block(self) -> None:
        """Close the cluster."""
        self._cluster.close()

    async def suspend(self) -> None:
        """Close the cluster, and await the result if it is awaitable."""
        closing = self._cluster.close()
        if closing is not None:
            await closing
