"""Waiting for keys and for coroutines, the same for callers that block and for callers that await.

An operation that waits is a generator: it yields a `Pause` for each thing that it waits for and gets the outcome back.
`run_blocking` drives it in the calling thread, `run_awaiting` on the caller's event loop.
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
    """Something that an operation waits for."""

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
            # KeyboardInterrupt too: the operation may have to clean up.
            except BaseException as error:
                pause = operation.throw(error)
            else:
                pause = operation.send(outcome)
    except StopIteration as end:
        result: T = end.value
        return result


async def run_awaiting(operation: Operation[T]) -> T:
    """Run an operation to its end on the running event loop."""
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
    """A point in time that may never come.

    Parameters
    ----------
    timeout : float or None
        Seconds from now; None means never.
    """

    __slots__ = ("_at", "timeout")

    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout
        self._at = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float | None:
        """Return the seconds that are left, at least 0; None means for ever."""
        return None if self._at is None else max(0.0, self._at - time.monotonic())

    def error(self, what: str) -> TimeoutError:
        """Return the error to raise once it has passed."""
        return TimeoutError(f"{what} within {self.timeout:g} s")


class Gate:
    """Opens once, for whoever waits in a thread or on an event loop."""

    __slots__ = ("_future", "_latch", "_loop", "is_open")

    def __init__(self) -> None:
        self.is_open = False
        self._latch: threading.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._future: asyncio.Future[None] | None = None

    def open(self) -> None:
        """Let the waiting caller go on. Does not block, and may be called from any thread."""
        if self.is_open:
            return
        self.is_open = True
        if self._latch is not None:
            after_turn(self._latch.release)
        elif self._loop is not None:
            # The loop may have been closed meanwhile: then nobody waits.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._set)

    def _set(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def prepare_to_block(self) -> None:
        """To be called before anybody can open the gate, by a thread that will `block`."""
        self._latch = threading.Lock()
        self._latch.acquire()

    def prepare_to_suspend(self) -> None:
        """To be called before anybody can open the gate, by a coroutine that will `suspend`."""
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
            # Takes the loop a turn less.
            await self._future
        else:
            await asyncio.wait((self._future,), timeout=timeout)
        return self.is_open


class Countdown(Gate):
    """Waits until so many keys are done.

    Parameters
    ----------
    states : sequence of KeyState
        The keys.
    deadline : Deadline
        When to give up.
    first : bool
        Whether one of them is enough.
    fail_fast : bool
        Whether one that is done without a result is enough.

    Notes
    -----
    As a pause of an operation its outcome is whether the keys were done before the deadline.
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
        # Not zero before all are being watched, however early some are done.
        self._remaining = len(states) + 1

    def wake(self, state: KeyState) -> None:
        """Take note that a key is done."""
        self._remaining -= 1
        if self._remaining == 0 or self._first or (self._fail_fast and state.status != FINISHED):
            self.open()

    def _settled(self) -> bool:
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
            return self._remaining > 0 and not self._settled()

    def block(self, timeout: float | None = None) -> bool:
        """Wait in the calling thread."""
        if self._settled():
            return True
        self.prepare_to_block()
        try:
            return not self._watch() or super().block(self._deadline.left())
        finally:
            self._unwatch()

    async def suspend(self, timeout: float | None = None) -> bool:
        """Wait on the running event loop."""
        if self._settled():
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
    """Waits for a coroutine that runs on dagrpc's own loop.

    Parameters
    ----------
    loop : LoopThread
        That loop.
    coroutine : coroutine
        What to run there; its result is the pause's outcome.
    deadline : Deadline, optional
        When to give up; the coroutine is cancelled then.
    what : str
        What did not happen, for the error.
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
            # Also for KeyboardInterrupt: what nobody waits for must not go on.
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
    """Waits for a function that would hold up an event loop: called at once by callers that block.

    Parameters
    ----------
    function : callable
        Without parameters; its result is the pause's outcome.
    """

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function

    def block(self) -> Any:
        """Call it."""
        return self._function()

    async def suspend(self) -> Any:
        """Call it in a thread."""
        return await asyncio.to_thread(self._function)


class CloseCluster:
    """Waits for a cluster to close."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster

    def block(self) -> None:
        """Close it."""
        self._cluster.close()

    async def suspend(self) -> None:
        """Close it, awaiting that if it is something to await."""
        closing = self._cluster.close()
        if closing is not None:
            await closing
