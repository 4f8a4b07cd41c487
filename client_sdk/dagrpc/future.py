"""Futures: results of tasks, which stay on the cluster until they are fetched."""

from __future__ import annotations

import logging
import queue
import sys
import threading
from collections.abc import Callable, Generator, Hashable
from typing import TYPE_CHECKING, Any, Generic

from dask._task_spec import TaskRef

from dagrpc import config
from dagrpc._client import current, html_repr
from dagrpc._client.client_core import ClientCore, core_of
from dagrpc._client.key_table import CANCELLED, DONE, FINISHED, KeyState, KeyTable, lock
from dagrpc._client.results import exception_and_traceback, inline_value, released_error, result
from dagrpc._client.waiting import Operation, run_awaiting
from dagrpc._codec import pickled_futures, references
from dagrpc._common import running_task
from dagrpc._common.remote_raise import at_surface

# Type checkers read a plain `Future` as `Future[Any]`. They support defaults of type variables in every Python; at run
# time that takes 3.13.
if TYPE_CHECKING:
    from typing_extensions import TypeVar

    # By its public name: the module of the class imports this one.
    from dagrpc import Client

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")

logger = logging.getLogger("dagrpc.client")


class Future(TaskRef, Generic[T]):
    """The result of a task on the cluster.

    `Client.submit` and other methods of a client return futures. A result stays on the cluster as long as there is a
    future of it. A future can be an argument of further submissions and a part of dask graphs.

    Parameters
    ----------
    key : str, bytes, int, float or tuple
        Name of the task and of its result.
    client : Client, optional
        The client that holds the future; the current client by default.
    state, inform
        Accepted for compatibility: a client keeps the states of its keys itself.

    Examples
    --------
    >>> future = client.submit(sum, [1, 2])
    >>> future.result()
    3
    >>> future
    <Future: finished, type: int, key: sum-...>

    On an event loop a future is awaited:

    >>> async with Client(cluster.scheduler_address, asynchronous=True) as client:
    ...     await client.submit(sum, [1, 2])
    3
    """

    # With a __dict__, since users of distributed put attributes on futures.
    __slots__ = ("__dict__", "__weakref__", "_client", "_core", "_released", "_state")

    key: Any
    """Name of the task and of its result."""

    __dask_future__ = True
    """Tells dask that this object in a graph is a future."""

    def __init__(self, key: Hashable, client: Client | Any = None, state: object = None, inform: bool = True) -> None:
        self.key = key
        self._client: Any = None
        """The client, which lives as long as one of its futures does."""
        self._core: ClientCore | None = None
        self._state: KeyState | None = None
        self._released = False
        if client is None:
            client = current.current_client()
        if client is not None:
            self.bind_client(client)

    @classmethod
    def _of(cls, state: KeyState, core: ClientCore, client: Any) -> Future[Any]:
        """Return a future for a state that counts a reference for it already."""
        future = cls.__new__(cls)
        future.key = state.key
        future._state = state
        future._core = core
        future._client = client
        future._released = False
        return future

    def bind_client(self, client: Client | Any) -> None:
        """Bind an unbound future to a client, which holds the result from then on.

        Parameters
        ----------
        client : Client
            The client.

        Examples
        --------
        >>> task = client.submit(inc, 1, key="x")
        >>> future = Future("x")  # the task of this key, whichever client submitted it
        >>> future.bind_client(client)
        >>> future.result()
        2
        """
        self._client, self._core = client, core_of(client)
        self._state = self._core.want(self.key)

    # --- state ----------------------------------------------------------------------------------------------------

    def bound_state(self) -> KeyState:
        """Return the client's state of the key. For dagrpc itself.

        Raises
        ------
        RuntimeError
            If no client holds the future.
        """
        if self._state is None and running_task.current.get() is not None:
            # The future was unpickled outside of a task, with data from another worker.
            client = current.current_client()
            assert client is not None
            self.bind_client(client)
        if self._state is None:
            raise RuntimeError(
                f"{self!r} is not bound to a client: it was unpickled where there is none. "
                "Unpickle it within `with client.as_current():`, or call its bind_client(client)"
            )
        return self._state

    @property
    def client(self) -> Client | Any:
        """The client that holds the future; None for an unbound future.

        Examples
        --------
        >>> client.submit(inc, 1).client is client
        True
        """
        return self._client

    @property
    def executor(self) -> Client | Any:
        """The same as `client`.

        Examples
        --------
        >>> client.submit(inc, 1).executor is client
        True
        """
        return self.client

    def _bound_core(self) -> ClientCore:
        self.bound_state()
        assert self._core is not None
        return self._core

    def _bound_client(self) -> Any:
        self.bound_state()
        return self._client

    @property
    def status(self) -> str | None:
        """``pending``, ``finished``, ``error``, ``cancelled`` or ``lost``; None for an unbound future.

        Examples
        --------
        >>> future = client.submit(int, "x")
        >>> future.exception()
        ValueError("invalid literal for int() with base 10: 'x'")
        >>> future.status
        'error'
        """
        return None if self._state is None else self._state.status

    @property
    def type(self) -> type[T] | None:
        """Type of the result; None while the type is unknown, or if this process has not imported it.

        Examples
        --------
        >>> future = client.submit(inc, 1)
        >>> future.result()
        2
        >>> future.type
        <class 'int'>
        """
        return None if self._state is None else find_type(self._state.type_name)

    def done(self) -> bool:
        """Return whether the task finished or failed, or the future was cancelled.

        Examples
        --------
        >>> future = client.submit(sum, [1, 2])
        >>> future.result()
        3
        >>> future.done()
        True
        """
        return self.bound_state().status in DONE

    def cancelled(self) -> bool:
        """Return whether the future was cancelled.

        Examples
        --------
        >>> future = client.submit(sum, [1, 2])
        >>> future.cancelled()
        False
        >>> future.cancel()
        >>> future.cancelled()
        True
        """
        return self.bound_state().status == CANCELLED

    # --- results ---------------------------------------------------------------------------------------------

    @at_surface
    def result(self, timeout: float | str | None = None) -> T:
        """Wait for the result and fetch it.

        Parameters
        ----------
        timeout : number, str or None
            How long to wait, in seconds or as ``"500 ms"``.

        Raises
        ------
        TimeoutError
            If the result is not there in time.
        FutureCancelledError
            If the future was cancelled.
        Exception
            The exception of the task, with its remote traceback.

        Examples
        --------
        >>> client.submit(sum, [1, 2]).result()
        3
        """
        core = self._bound_core()
        if not core.asynchronous:
            state = self.bound_state()
            if state.status == FINISHED and state.payload is not None and not self._released:
                value: T = inline_value(state, core)
                return value
        value = core.run(self._result(core, config.seconds(timeout)))
        return value

    def _result(self, core: ClientCore, timeout: float | None) -> Operation[T]:
        state = self.bound_state()
        if self._released:
            raise released_error(state)
        value: T = yield from result(core, state, timeout)
        return value

    def exception(self, timeout: float | str | None = None) -> Any:
        """Wait until the future is done and return the exception of the task; None if the task did not fail.

        Returns an awaitable where operations are asynchronous.

        Parameters
        ----------
        timeout : number, str or None
            How long to wait, in seconds or as ``"500 ms"``.

        Raises
        ------
        TimeoutError
            If the future is not done in time.

        Examples
        --------
        >>> client.submit(int, "x").exception()
        ValueError("invalid literal for int() with base 10: 'x'")
        """
        return self._bound_core().run(self._failure(timeout, 0))

    def traceback(self, timeout: float | str | None = None) -> Any:
        r"""Wait until the future is done and return the traceback of the task's exception; None if there is none.

        Returns an awaitable where operations are asynchronous.

        Parameters
        ----------
        timeout : number, str or None
            How long to wait, in seconds or as ``"500 ms"``.

        Raises
        ------
        TimeoutError
            If the future is not done in time.

        Examples
        --------
        >>> import traceback
        >>> future = client.submit(int, "x")
        >>> traceback.format_tb(future.traceback())
        [...]
        """
        return self._bound_core().run(self._failure(timeout, 1))

    def _failure(self, timeout: float | str | None, part: int) -> Operation[Any]:
        both = yield from exception_and_traceback(self.bound_state(), config.seconds(timeout), repr(self))
        return both[part]

    def __await__(self) -> Generator[Any, Any, T]:
        return run_awaiting(self._result(self._bound_core(), None)).__await__()

    def add_done_callback(self, fn: Callable[[Future[T]], object]) -> None:
        """Call a function with this future when the future is done.

        One thread calls the callbacks of all futures. An exception of a callback is logged.

        Parameters
        ----------
        fn : callable
            The function.

        Examples
        --------
        >>> import queue
        >>> done = queue.Queue()
        >>> future = client.submit(inc, 1)
        >>> future.add_done_callback(done.put)
        >>> done.get(timeout=10).status
        'finished'
        """
        state = self.bound_state()
        callback = _Callback(self, fn)
        if not KeyTable.watch((state,), callback):
            callback.wake(state)

    # --- ending --------------------------------------------------------------------------------------------------

    def cancel(self, reason: str | None = None, msg: str | None = None, **kwargs: Any) -> Any:
        """Cancel the task unless it runs already; ``force=True`` cancels a running task, too.

        Parameters
        ----------
        reason, msg, **kwargs
            As for `Client.cancel`.

        Examples
        --------
        >>> future = client.submit(inc, 1)
        >>> future.cancel(reason="too slow")
        >>> future.result()
        Traceback (most recent call last):
            ...
        dagrpc.exceptions.FutureCancelledError: ...too slow...
        """
        return self._bound_client().cancel([self], reason=reason, msg=msg, **kwargs)

    def retry(self, **kwargs: Any) -> Any:
        """Run the task again if it failed.

        Parameters
        ----------
        **kwargs
            As for `Client.retry`.

        Examples
        --------
        >>> from pathlib import Path
        >>> future = client.submit(Path("later.txt").absolute().read_text)
        >>> future.exception()
        FileNotFoundError(2, 'No such file or directory')
        >>> Path("later.txt").write_text("here now")
        8
        >>> future.retry()
        >>> future.result()
        'here now'
        """
        return self._bound_client().retry([self], **kwargs)

    def release(self) -> None:
        """Release the result, as deleting this object does.

        Examples
        --------
        >>> future = client.submit(inc, 1)
        >>> future.release()
        >>> list(client.futures)
        []
        """
        state, core = self._state, self._core
        if not self._released and state is not None and core is not None:
            self._released = True
            core.session.send(state)

    def __del__(self) -> None:
        # While the interpreter ends, any module may be gone already, contextlib included.
        try:  # noqa: SIM105
            self.release()
        except Exception:
            pass

    # --- dunder methods ------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._state is not None:
            reference = references.reference(self._state.wire_key)
            if reference is not None:
                return reference
            pickled_futures.note(self)
        return Future, (self.key,)

    def __dask_tokenize__(self) -> tuple[str, Hashable]:
        return "dagrpc.Future", self.key

    def __repr__(self) -> str:
        kind = html_repr.short_type(self._state.type_name) if self._state is not None else ""
        return f"<Future: {self.status}, {f'type: {kind}, ' if kind else ''}key: {self.key}>"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        return html_repr.future(self.key, self.status, self._state.type_name if self._state is not None else "")


def find_type(name: str) -> type[Any] | None:
    """Return a type by its qualified name, None if its module is not imported here."""
    module_name, _, rest = name.rpartition(".")
    while module_name:
        found: Any = sys.modules.get(module_name)
        if found is not None:
            for part in rest.split("."):
                found = getattr(found, part, None)
            return found if isinstance(found, type) else None
        module_name, _, part = module_name.rpartition(".")
        rest = f"{part}.{rest}"
    return None


# --- callbacks ---------------------------------------------------------------------------------------------------

_callbacks: queue.SimpleQueue[_Callback] = queue.SimpleQueue()
_callback_thread: threading.Thread | None = None


class _Callback:
    """A callback of a future, as a waiter of the future's key."""

    __slots__ = ("_function", "_future")

    def __init__(self, future: Future[Any], function: Callable[[Future[Any]], object]) -> None:
        self._future = future
        self._function = function

    def wake(self, _: KeyState) -> None:
        """Queue the callback for the callbacks' thread."""
        global _callback_thread
        _callbacks.put(self)
        if _callback_thread is None:
            with lock:
                if _callback_thread is None:
                    _callback_thread = threading.Thread(target=_run_callbacks, name="dagrpc-callbacks", daemon=True)
                    _callback_thread.start()

    def run(self) -> None:
        """Call the callback."""
        try:
            self._function(self._future)
        # SystemExit included: a callback must not end the thread.
        except BaseException:
            logger.exception("A callback of %r failed", self._future)


def _run_callbacks() -> None:
    while True:
        _callbacks.get().run()


__all__ = ["Future"]
