"""A cluster as an executor of `concurrent.futures`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from dagrpc._client.client_core import core_of
from dagrpc._client.key_table import ERROR, FINISHED
from dagrpc._client.results import NOT_INLINE, cancelled_error, failure_of, inline_value, result
from dagrpc._client.submission_options import explicit_options
from dagrpc._client.waiting import Deadline, run_awaiting
from dagrpc.future import Future

if TYPE_CHECKING:
    # By its public name: the module of the class imports this one.
    from dagrpc import Client

__all__ = ["ClientExecutor"]

T = TypeVar("T")

_OPTIONS = frozenset(("allow_other_workers", "priority", "pure", "resources", "retries", "timeout", "workers"))


class ClientExecutor(concurrent.futures.Executor):
    """Runs calls on a cluster, with the interface of `concurrent.futures.Executor`.

    `Client.get_executor` returns one. Its futures are those of `concurrent.futures`: `concurrent.futures.wait`,
    `concurrent.futures.as_completed` and ``loop.run_in_executor`` work with them. Each result is fetched as soon as it
    is there, and leaves the cluster then.

    Parameters
    ----------
    client : Client
        The client.
    **options
        Options of all calls: ``workers``, ``allow_other_workers``, ``resources``, ``retries``, ``priority``,
        ``pure``, ``timeout``, as for `Client.submit`.

    Raises
    ------
    TypeError, ValueError
        If there is another option, or an option has an impossible value.

    Examples
    --------
    >>> with client.get_executor(retries=2) as executor:
    ...     executor.submit(pow, 2, 10).result()
    ...     list(executor.map(abs, [-1, -2]))
    1024
    [1, 2]
    """

    def __init__(self, client: Client, **options: Any) -> None:
        unknown = sorted(options.keys() - _OPTIONS)
        if unknown:
            raise TypeError(f"unsupported arguments to ClientExecutor: {unknown}")
        explicit_options(**{name: value for name, value in options.items() if name != "pure"})
        self._client = client
        self._core = core_of(client)
        self._options = options
        self._lock = threading.Lock()
        self._shut = False
        # The code that removes a future from here resolves it. A call runs even if its caller drops the future.
        self._pending: dict[concurrent.futures.Future[Any], Future[Any]] = {}

    def __repr__(self) -> str:
        return f"<ClientExecutor of {self._client.id}, {len(self._pending)} pending>"

    # --- calls ---------------------------------------------------------------------------------------------------

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[T]:
        """Submit a call of a function to the cluster.

        Parameters
        ----------
        fn : callable
            The function.
        *args, **kwargs
            Arguments of the function, and options of `Client.submit` such as ``pure=False``, which override those of
            the executor. Equal calls run once unless they are submitted with ``pure=False``.

        Raises
        ------
        RuntimeError
            If the executor was shut down.
        ClosedClientError
            If the client is closed.
        TypeError
            If `fn` is not callable, or if `fn` or an argument cannot be pickled.

        Examples
        --------
        >>> with client.get_executor() as executor:
        ...     executor.submit(pow, 2, 10).result()
        1024
        """
        with self._lock:
            self._check_open()
            future = self._client.submit(fn, *args, **{**self._options, **kwargs})
            outer = self._note(future)
        self._connect(outer, future)
        return outer

    def map(
        self, fn: Callable[..., T], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Generator[T, None, None]:
        """Submit a call of a function for each element of some iterables, and yield the results in order.

        All calls are submitted at once.

        Parameters
        ----------
        fn : callable
            The function.
        *iterables
            Positional arguments of the calls; the shortest iterable sets the number of calls.
        timeout : float, optional
            Seconds from now after which waiting for a result raises `TimeoutError`.
        chunksize : int
            Accepted for compatibility: calls are always sent in batches.

        Raises
        ------
        RuntimeError
            If the executor was shut down.

        Examples
        --------
        >>> with client.get_executor() as executor:
        ...     list(executor.map(pow, range(4), [2, 2, 2, 2]))
        [0, 1, 4, 9]
        """
        deadline = Deadline(timeout)
        columns = list(zip(*zip(*iterables, strict=False), strict=True))
        with self._lock:
            self._check_open()
            futures = self._client.map(fn, *columns, **self._options) if columns else []
            outers = [self._note(future) for future in futures]
        for outer, future in zip(outers, futures, strict=True):
            self._connect(outer, future)
        return _results(outers, deadline)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuse further calls. The client stays open.

        Parameters
        ----------
        wait : bool
            Whether to wait until all calls are done. If not, calls that are not done are cancelled.
        cancel_futures : bool
            Whether to cancel calls that are not done in any case.

        Examples
        --------
        >>> import time
        >>> executor = client.get_executor()
        >>> call = executor.submit(time.sleep, 3)
        >>> executor.shutdown(wait=False)
        >>> call.cancelled()
        True
        """
        with self._lock:
            self._shut = True
            pending = list(self._pending)
        if cancel_futures or not wait:
            for outer in pending:
                outer.cancel()
        if wait:
            concurrent.futures.wait(pending)

    def _check_open(self) -> None:
        if self._shut:
            raise RuntimeError("cannot schedule new futures after shutdown")

    # --- futures of the cluster become futures of concurrent.futures ---------------------------------------------

    def _note(self, future: Future[Any]) -> concurrent.futures.Future[Any]:
        outer: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._pending[outer] = future
        return outer

    def _connect(self, outer: concurrent.futures.Future[Any], future: Future[Any]) -> None:
        outer.add_done_callback(self._when_cancelled)
        future.add_done_callback(lambda done: self._when_done(outer, done))

    def _when_cancelled(self, outer: concurrent.futures.Future[Any]) -> None:
        future = self._pending.pop(outer, None)
        if future is not None:
            # Released rather than cancelled: other futures may want the same key.
            future.release()
            outer.set_running_or_notify_cancel()

    def _when_done(self, outer: concurrent.futures.Future[Any], future: Future[Any]) -> None:
        """Resolve a future, after fetching its result if need be. Runs on the callbacks' thread."""
        if outer not in self._pending:
            return
        state = future.bound_state()
        if state.status == FINISHED:
            try:
                value = inline_value(state, self._core)
            except Exception as undecodable:
                self._resolve(outer, None, undecodable)
                return
            if value is NOT_INLINE:
                # On the IO loop, so that other finished futures do not wait for this result.
                self._core.loop.submit(self._fetch(outer, future))
            else:
                self._resolve(outer, value, None)
        elif state.status == ERROR:
            failure, traceback = failure_of(state)
            self._resolve(outer, None, failure.with_traceback(traceback))
        else:
            self._resolve(outer, None, cancelled_error(state))

    async def _fetch(self, outer: concurrent.futures.Future[Any], future: Future[Any]) -> None:
        value: Any = None
        error: Exception | None = None
        try:
            value = await run_awaiting(result(self._core, future.bound_state(), None))
        except Exception as raised:
            error = raised
        # In a thread, since resolving a future runs callbacks of users.
        await asyncio.to_thread(self._resolve, outer, value, error)

    def _resolve(self, outer: concurrent.futures.Future[Any], value: Any, error: BaseException | None) -> None:
        future = self._pending.pop(outer, None)
        if future is None:
            return
        future.release()
        if isinstance(error, concurrent.futures.CancelledError):
            outer.cancel()
        if not outer.set_running_or_notify_cancel():
            return
        if error is not None:
            outer.set_exception(error)
        else:
            outer.set_result(value)


def _results(futures: list[concurrent.futures.Future[T]], deadline: Deadline) -> Generator[T, None, None]:
    """Yield results in order; each future is dropped before its result is used."""
    futures.reverse()
    try:
        while futures:
            yield futures.pop().result(deadline.left())
    finally:
        for future in futures:
            future.cancel()
