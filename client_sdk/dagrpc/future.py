"""Futures: results that are not there yet, on the cluster."""

from __future__ import annotations

import logging
import queue
import sys
import threading
from collections.abc import Callable, Generator, Hashable
from typing import TYPE_CHECKING, Any, Generic, cast

from dask._task_spec import TaskRef

from dagrpc._client import current, html_repr
from dagrpc._client.key_table import CANCELLED, DONE, KeyState, KeyTable, lock
from dagrpc._codec import pickled_futures, references
from dagrpc._common import running_task
from dagrpc._common.remote_raise import at_surface

if TYPE_CHECKING:
    from dagrpc._client.connection import Connection
    from dagrpc.client import Client

# For type checkers a plain `Future` is one of anything; they know of defaults in every Python, and Python itself does
# from 3.13 on.
if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")

logger = logging.getLogger("dagrpc.client")


class Future(TaskRef, Generic[T]):
    """A result that is computed on the cluster.

    Made by `Client.submit` and its like, never by users. The result stays on the cluster as long as there is a future
    of it. A future can be an argument of further submissions, and can stand in dask graphs.

    Parameters
    ----------
    key : str, bytes, int, float or tuple
        Name of the task and of its result.
    client : Client, optional
        The client that holds it; the current one by default.
    state, inform
        Accepted for compatibility: a client knows the states of its keys itself.

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

    # Users may put attributes on it, as on distributed's.
    __slots__ = ("__dict__", "__weakref__", "_client", "_released", "_state")

    key: Any
    """Name of the task and of its result."""

    __dask_future__ = True
    """By this dask knows it in graphs."""

    def __init__(
        self, key: Hashable, client: Connection | None = None, state: object = None, inform: bool = True
    ) -> None:
        self.key = key
        self._client: Connection | None = None
        self._state: KeyState | None = None
        self._released = False
        if client is None:
            client = current.current_client()
        if client is not None:
            self.bind_client(client)

    @classmethod
    def _of(cls, state: KeyState, client: Connection) -> Future[Any]:
        """Return a future for a state whose references it was counted among already."""
        future = cls.__new__(cls)
        future.key = state.key
        future._state = state
        future._client = client
        future._released = False
        return future

    def bind_client(self, client: Connection) -> None:
        """Have a client hold an unbound future.

        Examples
        --------
        >>> task = client.submit(inc, 1, key="x")
        >>> future = Future("x")  # stands for a task that anybody may have submitted
        >>> future.bind_client(client)
        >>> future.result()
        2
        """
        self._client = client
        self._state = client._want(self.key)

    # --- what it is ----------------------------------------------------------------------------------------------

    def bound_state(self) -> KeyState:
        """Return what the client knows of the key. For dagrpc itself.

        Raises
        ------
        RuntimeError
            If no client holds the future.
        """
        if self._state is None and running_task.current.get() is not None:
            # It came to the worker before, with data from another one.
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
        """The client that holds it; None for an unbound one.

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

    def _bound_client(self) -> Connection:
        self.bound_state()
        assert self._client is not None
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
        """Type of the result; None while it is not known, or not here.

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
        """Return whether there is nothing to wait for: it finished, failed or was cancelled.

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
        """Return whether it was cancelled.

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

    # --- what comes of it ----------------------------------------------------------------------------------------

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
            If it is not there in time.
        FutureCancelledError
            If the future was cancelled.
        Exception
            Whatever the task raised, with its remote traceback.

        Examples
        --------
        >>> client.submit(sum, [1, 2]).result()
        3
        """
        result: T = self._bound_client()._result(self, timeout)
        return result

    def exception(self, timeout: float | str | None = None) -> Any:
        """Wait until it is done and return the exception of the task, None if it has a result or was cancelled.

        Where operations are asynchronous, return something to await.

        Raises
        ------
        TimeoutError
            If it is not done in time.

        Examples
        --------
        >>> client.submit(int, "x").exception()
        ValueError("invalid literal for int() with base 10: 'x'")
        """
        return self._bound_client()._failure(self, timeout, 0)

    def traceback(self, timeout: float | str | None = None) -> Any:
        r"""Wait until it is done and return the traceback of the task's exception, None if there was none.

        Where operations are asynchronous, return something to await.

        Raises
        ------
        TimeoutError
            If it is not done in time.

        Examples
        --------
        >>> import traceback
        >>> future = client.submit(int, "x")
        >>> traceback.format_tb(future.traceback())
        [...]
        """
        return self._bound_client()._failure(self, timeout, 1)

    def __await__(self) -> Generator[Any, Any, T]:
        return self._bound_client()._result_async(self).__await__()

    def add_done_callback(self, fn: Callable[[Future[T]], object]) -> None:
        """Call a function with this future when it is done, whatever came of it.

        The call is made on a thread of its own for all callbacks; an exception that it raises is logged.

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

    # --- giving it up --------------------------------------------------------------------------------------------

    def cancel(self, reason: str | None = None, msg: str | None = None, **kwargs: Any) -> Any:
        """Stop the task if it does not run yet, and forget it; with ``force=True`` also if it runs.

        See `Client.cancel`.

        Examples
        --------
        >>> future = client.submit(inc, 1)
        >>> future.cancel(reason="too slow")
        >>> future.result()
        Traceback (most recent call last):
            ...
        dagrpc.exceptions.FutureCancelledError: ...too slow...
        """
        return cast("Client", self._bound_client()).cancel([self], reason=reason, msg=msg, **kwargs)

    def retry(self, **kwargs: Any) -> Any:
        """Run the task again if it failed.

        See `Client.retry`.

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
        return cast("Client", self._bound_client()).retry([self], **kwargs)

    def release(self) -> None:
        """Let go of the result, as if this object were deleted.

        Examples
        --------
        >>> future = client.submit(inc, 1)
        >>> future.release()
        >>> list(client.futures)
        []
        """
        state, client = self._state, self._client
        if not self._released and state is not None and client is not None:
            self._released = True
            client._session.send(state)

    def __del__(self) -> None:
        # At the interpreter's end anything may be gone already, contextlib too.
        try:  # noqa: SIM105
            self.release()
        except Exception:
            pass

    # --- everyday manners ----------------------------------------------------------------------------------------

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
    """A function that waits for a future."""

    __slots__ = ("_function", "_future")

    def __init__(self, future: Future[Any], function: Callable[[Future[Any]], object]) -> None:
        self._future = future
        self._function = function

    def wake(self, _: KeyState) -> None:
        """Have the function called on the callbacks' thread."""
        global _callback_thread
        _callbacks.put(self)
        if _callback_thread is None:
            with lock:
                if _callback_thread is None:
                    _callback_thread = threading.Thread(target=_run_callbacks, name="dagrpc-callbacks", daemon=True)
                    _callback_thread.start()

    def run(self) -> None:
        """Call the function."""
        try:
            self._function(self._future)
        # SystemExit too: it is not the thread's.
        except BaseException:
            logger.exception("A callback of %r failed", self._future)


def _run_callbacks() -> None:
    while True:
        _callbacks.get().run()


__all__ = ["Future"]
