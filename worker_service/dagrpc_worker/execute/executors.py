"""Pools of threads that run tasks.

The threads of a pool share one queue and never wait for the event loop: a thread that ends a task takes the next one.
A thread can leave its pool while it runs a task; another takes its place, and it ends with the task unless it comes
back before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any

REJOIN_TIMEOUT = 3600.0
"""Seconds that a thread waits for a place in its pool at most."""


class PoolThread(threading.Thread):
    """A thread of a pool. Daemonic: a task that never ends must not keep the process alive."""

    def __init__(self, pool: ThreadPool, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.pool = pool
        self.seceded = False
        self.detached = False
        """Whether another thread has taken this thread's place for good; this one ends with its task."""

    def run(self) -> None:
        """Work off the queue until the pool closes or this thread has left it."""
        take, work = self.pool.queue.get, self.pool.work
        while True:
            item = take()
            if item is None:
                return
            if type(item) is _Aside:
                if item.call is not None:
                    item.call()
                    del item
                    continue
                # A thread that left the pool returns; this one ends in its favour.
                item.free.set()
                return
            work(item)
            # An idle thread must not keep its last item alive.
            del item
            if self.seceded or self.detached:
                return


class _Aside:
    """An entry of a pool's queue that is no item: a thread that waits for a place, or a function to call."""

    __slots__ = ("call", "free")

    def __init__(self, call: Callable[[], object] | None = None) -> None:
        self.call = call
        self.free = threading.Event()


class ThreadPool:
    """Threads that work off one queue.

    Parameters
    ----------
    name : str
        Begins the names of its threads.
    size : int
        Maximum number of threads, which are started as they are needed.
    work : callable
        Called with each item, in a thread. Must not raise.
    """

    def __init__(self, name: str, size: int, work: Callable[[Any], None]) -> None:
        self.name = name
        self.size = size
        self.work = work
        self.queue: SimpleQueue[Any] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0
        self._members = 0
        self._closed = False
        self.executor: Executor = PoolExecutor(self)
        """The pool as a `concurrent.futures.Executor`."""

    def submit(self, item: Any) -> None:
        """Queue an item."""
        self.queue.put(item)
        if self._members < self.size:
            with self._lock:
                self._add_thread()

    def call(self, function: Callable[[], object]) -> None:
        """Call a function in a thread, in turn with the items. The function must not raise.

        Raises
        ------
        RuntimeError
            If the pool has closed.
        """
        if self._closed:
            raise RuntimeError(f"Pool {self.name!r} has closed: it takes nothing more")
        self.submit(_Aside(function))

    def secede(self, on_leave: Callable[[], None]) -> bool:
        """Let the calling thread leave the pool; a new thread takes its place. Return whether it was in the pool.

        Parameters
        ----------
        on_leave : callable
            Called before the new thread can take an item.

        Raises
        ------
        ValueError
            If the caller is not a thread of this pool.
        """
        thread = self._calling_thread()
        if thread.seceded:
            return False
        thread.seceded = True
        on_leave()
        with self._lock:
            if not thread.detached:
                self._members -= 1
            self._add_thread()
        return True

    def detach(self, ident: int) -> bool:
        """Replace a thread whose item does not end. Return whether the thread was in the pool.

        If the item ends after all, even at this moment, the thread ends; it may take one more item before that.
        """
        thread = next((thread for thread in threading.enumerate() if thread.ident == ident), None)
        if not isinstance(thread, PoolThread) or thread.pool is not self:
            return False
        with self._lock:
            if thread.seceded or thread.detached:
                return False
            thread.detached = True
            self._members -= 1
            self._add_thread()
        return True

    def rejoin(self) -> None:
        """Let the calling thread, which has left the pool, wait for a place and take it.

        Raises
        ------
        ValueError
            If the caller is not a thread of this pool.
        TimeoutError
            If no place becomes free within an hour.
        """
        thread = self._calling_thread()
        if not thread.seceded:
            return
        place = _Aside()
        # The thread that takes this entry ends, so that the number of threads stays the same.
        self.queue.put(place)
        if not place.free.wait(REJOIN_TIMEOUT):
            raise TimeoutError(f"No thread of pool {self.name!r} became free within {REJOIN_TIMEOUT:g} s")
        thread.seceded = thread.detached = False

    def close(self) -> None:
        """End the idle threads now, and the others after their items. Returns at once."""
        with self._lock:
            self._closed = True
            for _ in range(self._members):
                self.queue.put(None)

    def _add_thread(self) -> None:
        if self._members >= self.size or self._closed:
            return
        self._members += 1
        self._started += 1
        PoolThread(self, f"{self.name}-{self._started}").start()

    def _calling_thread(self) -> PoolThread:
        thread = threading.current_thread()
        if not isinstance(thread, PoolThread) or thread.pool is not self:
            raise ValueError("This works only in the thread in which the task's function was called")
        return thread


class PoolExecutor(Executor):
    """A pool of threads as a `concurrent.futures.Executor`: functions take their turn among the tasks."""

    def __init__(self, pool: ThreadPool) -> None:
        self._pool = pool

    @property
    def _max_workers(self) -> int:
        return self._pool.size

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call a function in a thread, and return the future of its result.

        Raises
        ------
        RuntimeError
            If the pool has closed.
        """
        future: Future[Any] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            # SystemExit too: it must not end the thread.
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._pool.call(run)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: the worker closes its pools itself."""
