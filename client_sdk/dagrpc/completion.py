"""Waiting for many futures: `wait`, `as_completed` and `fire_and_forget`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple, TypeAlias

from dagrpc import config
from dagrpc._client import current
from dagrpc._client.client_core import ClientCore
from dagrpc._client.commands import Want
from dagrpc._client.done_queue import DoneQueue
from dagrpc._client.find_futures import futures_in
from dagrpc._client.key_table import CANCELLED, DONE, ERROR, FINISHED, KeyState, KeyTable, lock
from dagrpc._client.results import NOT_INLINE, cancelled_error, failure_of, inline_value, values_of
from dagrpc._client.waiting import Countdown, Deadline, Operation, run_awaiting, run_blocking
from dagrpc._common.remote_raise import at_surface, raise_from_elsewhere
from dagrpc.actor import ActorFuture
from dagrpc.exceptions import FuturesCancelledError
from dagrpc.future import Future

AnyFuture: TypeAlias = Future[Any] | ActorFuture[Any]

__all__ = ["DoneAndNotDoneFutures", "as_completed", "fire_and_forget", "futures_of", "wait"]


class DoneAndNotDoneFutures(NamedTuple):
    """The outcome of `wait`."""

    done: set[AnyFuture]
    """The futures that are done."""
    not_done: set[AnyFuture]
    """The other futures."""


def wait(fs: Any, timeout: float | str | None = None, return_when: str = "ALL_COMPLETED") -> Any:
    """Wait until futures are done.

    Parameters
    ----------
    fs : Future, or collection or nested structure of futures
        The futures to wait for. Futures of actors' methods are accepted, too.
    timeout : number, str or None
        How long to wait, in seconds or as ``"500 ms"``.
    return_when : {"ALL_COMPLETED", "FIRST_COMPLETED"}
        Whether to wait for all futures or for one.

    Returns
    -------
    DoneAndNotDoneFutures
        The futures that are done and the other futures. A failed future is done.

    Raises
    ------
    TimeoutError
        If the futures are not done in time.
    FuturesCancelledError
        If a future was cancelled.

    Examples
    --------
    >>> futures = client.map(inc, range(3))
    >>> done, not_done = wait(futures)
    >>> len(done), len(not_done)
    (3, 0)
    >>> wait(futures, return_when="FIRST_COMPLETED", timeout="10 s").done == done
    True
    """
    if return_when not in ("ALL_COMPLETED", "FIRST_COMPLETED"):
        raise NotImplementedError("Only return_when='ALL_COMPLETED' and 'FIRST_COMPLETED' are supported")
    if timeout is not None and not isinstance(timeout, (int, float, str, timedelta)):
        raise TypeError(f"timeout= must be a number of seconds, not {timeout!r}; wait takes one list: wait([x, y])")
    futures: list[AnyFuture] = [*futures_in(fs), *_calls_in(fs)]
    operation = _wait(futures, config.seconds(timeout), return_when == "FIRST_COMPLETED")
    owner = futures[0]._core if futures else current.current_client()
    if owner is not None and owner.asynchronous:
        return run_awaiting(operation)
    return run_blocking(operation)


def _calls_in(value: Any) -> Iterator[ActorFuture[Any]]:
    """Yield the futures of actors' methods in a nested structure."""
    if isinstance(value, ActorFuture):
        yield value
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _calls_in(item)
    elif isinstance(value, dict):
        yield from _calls_in(list(value.values()))


def _wait(futures: list[AnyFuture], timeout: float | None, first: bool) -> Operation[DoneAndNotDoneFutures]:
    states = [future.bound_state() for future in futures]
    deadline = Deadline(timeout)
    if not (yield Countdown(states, deadline, first=first)):
        left = sum(not state.done for state in states)
        raise deadline.error(f"{left} of {len(states)} futures were not done")
    _raise_if_cancelled(futures)
    done = {future for future in futures if future.status in DONE}
    return DoneAndNotDoneFutures(done, set(futures) - done)


def _raise_if_cancelled(futures: Iterable[AnyFuture]) -> None:
    states = {id(state): state for state in (future.bound_state() for future in futures)}
    cancelled = [cancelled_error(state) for state in states.values() if state.status == CANCELLED]
    if cancelled:
        raise FuturesCancelledError.of(cancelled)


def futures_of(o: Any, client: Any = None) -> list[Future[Any]]:
    """Return the futures in a dask collection or nested structure.

    Parameters
    ----------
    o : object
        A collection, as `Client.persist` returns it, or lists, tuples, sets and dicts of futures and collections.
    client : Client, optional
        If it is given, cancelled futures raise.

    Raises
    ------
    FuturesCancelledError
        If `client` is given and a future was cancelled.

    Examples
    --------
    >>> import dask.array as da
    >>> futures_of(client.persist(da.ones(2, chunks=1)))
    [<Future: ..., key: ('ones_like-...', 0)>, <Future: ..., key: ('ones_like-...', 1)>]
    """
    futures = futures_in(o)
    if client is not None:
        _raise_if_cancelled(futures)
    return futures


def fire_and_forget(obj: Any) -> None:
    """Run tasks to their end even if their futures are released or their client closes.

    Parameters
    ----------
    obj : Future, collection or nested structure
        Futures, or persisted dask collections.

    Examples
    --------
    >>> fire_and_forget(client.submit(inc, 1))  # runs although no future is kept
    """
    wire_keys: dict[ClientCore, list[str]] = {}
    for future in futures_in(obj):
        wire_keys.setdefault(future._bound_core(), []).append(future.bound_state().wire_key)
    for core, keys in wire_keys.items():
        core.session.send(Want(keys, until_done=True))


class _Futures:
    """The futures of an `as_completed`, as joblib uses them."""

    def __init__(self, owner: as_completed) -> None:
        self._owner = owner

    def clear(self) -> None:
        """Remove all futures."""
        self._owner.clear()

    def __len__(self) -> int:
        return self._owner.count()


class as_completed:
    """Iterates over futures in the order in which they are done.

    Parameters
    ----------
    futures : collection of Future, optional
        The first futures; futures of actors' methods are accepted, too. `add` and `update` add further futures, also
        during the iteration.
    loop : object, optional
        Accepted for compatibility.
    with_results : bool
        Whether to yield pairs of future and result.
    raise_errors : bool
        With results: whether a task's exception is raised; otherwise the pair holds exception information as
        `sys.exc_info` returns it. A cancelled future's result is a `FutureCancelledError`.
    timeout : number, str or None
        How long the whole iteration may take.

    Raises
    ------
    TimeoutError
        From the iteration, once `timeout` has passed.

    Examples
    --------
    >>> sorted(future.result() for future in as_completed(client.map(inc, [1, 2])))
    [2, 3]
    >>> for future, result in as_completed(client.map(inc, [1]), with_results=True):
    ...     result
    2

    On an event loop:

    >>> async with Client(cluster.scheduler_address, asynchronous=True) as client:
    ...     async for future in as_completed(client.map(inc, [1])):
    ...         await future
    2
    """

    def __init__(
        self,
        futures: Iterable[AnyFuture] | None = None,
        loop: object = None,
        with_results: bool = False,
        raise_errors: bool = True,
        *,
        timeout: float | str | None = None,
    ) -> None:
        self.with_results = with_results
        self.raise_errors = raise_errors
        self._waiting: dict[int, list[AnyFuture]] = {}
        """Futures that are not done, by the id of their state."""
        self._done: DoneQueue[AnyFuture] = DoneQueue()
        self._deadline = Deadline(config.seconds(timeout))
        if futures is not None:
            self.update(futures)

    # --- attributes that joblib's backend uses -----------------------------------------------------------------------

    @property
    def lock(self) -> Any:
        """The lock that guards the futures."""
        return lock

    @property
    def futures(self) -> _Futures:
        """The futures that have not been yielded."""
        return _Futures(self)

    @property
    def queue(self) -> Any:
        """The futures that are done and have not been yielded."""
        return self._done

    # --- adding futures ----------------------------------------------------------------------------------------

    def add(self, future: AnyFuture) -> None:
        """Add a future.

        Parameters
        ----------
        future : Future or ActorFuture
            The future.

        Examples
        --------
        >>> completed = as_completed(client.map(inc, [1]))
        >>> for future in completed:
        ...     result = future.result()
        ...     if result < 4:
        ...         completed.add(client.submit(inc, result))
        >>> result
        4
        """
        self.update((future,))

    def update(self, futures: Iterable[AnyFuture]) -> None:
        """Add several futures. A future that was added before is yielded once more.

        Parameters
        ----------
        futures : iterable of Future
            The futures.

        Examples
        --------
        >>> completed = as_completed()
        >>> completed.update(client.map(inc, [1, 2]))
        >>> completed.count()
        2
        """
        futures = list(futures)
        for future in futures:
            if not isinstance(future, (Future, ActorFuture)):
                raise TypeError(f"Input must be a future, got {future!r}")
        with lock:
            self._done.expect(len(futures))
            fresh: list[KeyState] = []
            for future in futures:
                state = future.bound_state()
                if state.status in DONE:
                    self._done.put(future)
                elif id(state) in self._waiting:
                    self._waiting[id(state)].append(future)
                else:
                    self._waiting[id(state)] = [future]
                    fresh.append(state)
            KeyTable.watch(fresh, self)

    def wake(self, state: KeyState) -> None:
        """Note that a key is done. For dagrpc itself."""
        for future in self._waiting.pop(id(state), ()):
            self._done.put(future)

    def __repr__(self) -> str:
        with lock:
            waiting = sum(map(len, self._waiting.values()))
            return f"<as_completed: waiting={waiting} done={self._done.count - waiting}>"

    # --- counting ------------------------------------------------------------------------------------------------

    def count(self) -> int:
        """Return how many futures have not been yielded.

        Examples
        --------
        >>> as_completed(client.map(inc, [1, 2])).count()
        2
        """
        return self._done.count

    def is_empty(self) -> bool:
        """Return whether all futures have been yielded.

        Examples
        --------
        >>> completed = as_completed(client.map(inc, [1]))
        >>> completed.is_empty()
        False
        >>> next(completed).result(), completed.is_empty()
        (2, True)
        """
        return self._done.count == 0

    def has_ready(self) -> bool:
        """Return whether the next future can be yielded without waiting.

        Examples
        --------
        >>> futures = client.map(inc, [1, 2])
        >>> client.gather(futures)
        [2, 3]
        >>> as_completed(futures).has_ready()
        True
        """
        return not self._done.empty()

    def clear(self) -> None:
        """Remove all futures.

        Examples
        --------
        >>> completed = as_completed(client.map(inc, [1, 2]))
        >>> completed.clear()
        >>> list(completed)
        []
        """
        with lock:
            states = [futures[0].bound_state() for futures in self._waiting.values()]
            KeyTable.unwatch(states, self)
            self._waiting.clear()
            self._done.clear()

    # --- iterating ---------------------------------------------------------------------------------------------

    def _with_result(self, future: AnyFuture) -> Operation[Any]:
        """Return the item that the iteration yields for a future."""
        if not self.with_results:
            return future
        state = future.bound_state()
        if state.status == FINISHED and isinstance(future, ActorFuture):
            return future, (yield from future._outcome(self._deadline))
        if state.status == FINISHED:
            value = inline_value(state, future._core)
            if value is not NOT_INLINE:
                return future, value
        if state.status not in (ERROR, CANCELLED):
            # Fetches the result. If it was lost since the future was done, waits for it again.
            core = future._core
            assert core is not None
            values = yield from values_of(core, [state], "skip", None, self._deadline)
            if state.wire_key in values:
                return future, values[state.wire_key]
        if state.status == ERROR:
            error, traceback = failure_of(state)
            if self.raise_errors:
                raise_from_elsewhere(error, traceback)
            return future, (type(error), error, traceback)
        return future, cancelled_error(state)

    def __iter__(self) -> Iterator[Any]:
        return self

    @at_surface
    def __next__(self) -> Any:
        # Other threads iterate, too: the last future may be gone although there was one left.
        future = self._done.take(self._deadline)
        if future is None:
            raise StopIteration
        return run_blocking(self._with_result(future))

    next = __next__

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        future = await self._done.take_async(self._deadline)
        if future is None:
            raise StopAsyncIteration
        return await run_awaiting(self._with_result(future))

    @at_surface
    def next_batch(self, block: bool = True) -> list[Any]:
        """Return all futures that are done and have not been yielded.

        Parameters
        ----------
        block : bool
            Whether to wait for a future if none is done.

        Examples
        --------
        >>> completed = as_completed(client.map(inc, [1]))
        >>> [future.result() for future in completed.next_batch()]
        [2]
        >>> completed.next_batch(block=False)
        []
        """
        return run_blocking(self._batch(block))

    def _batch(self, block: bool) -> Generator[Any, Any, list[Any]]:
        future = self._done.take(self._deadline) if block else self._done.poll()
        futures = []
        while future is not None:
            futures.append(future)
            future = self._done.poll()
        batch = []
        for future in futures:
            batch.append((yield from self._with_result(future)))
        return batch

    def batches(self) -> Iterator[list[Any]]:
        """Iterate over batches of all futures that have become done meanwhile.

        Examples
        --------
        >>> futures = client.map(inc, range(4))
        >>> sum(len(batch) for batch in as_completed(futures).batches())
        4
        """
        while not self.is_empty():
            batch = self.next_batch(block=True)
            if batch:
                yield batch
