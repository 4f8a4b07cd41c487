"""Actors: proxies of objects that live on a worker."""

from __future__ import annotations

import abc
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from typing import Any, Generic, cast

from dask._task_spec import TaskRef

from dagrpc import config
from dagrpc._client import current
from dagrpc._client.actor_calls import NOT_DECODED, CallState
from dagrpc._client.client_core import ClientCore, core_of
from dagrpc._client.key_table import CANCELLED, DONE, ERROR, LOST, KeyState
from dagrpc._client.results import inline_value, raise_unless_finished
from dagrpc._client.waiting import Countdown, Deadline, Operation, RunInThread, run_awaiting, run_blocking
from dagrpc._codec import payload as payloads
from dagrpc._codec import references
from dagrpc._codec.failures import type_name
from dagrpc._common import running_task
from dagrpc._common.keys import encode_key
from dagrpc._common.remote_raise import at_surface
from dagrpc._loop.io_loop import get_loop
from dagrpc._transfer.transfer_reader import ReceivedValue
from dagrpc.exceptions import LostActorError
from dagrpc.future import Future, T

__all__ = ["Actor", "ActorFuture", "BaseActorFuture"]

_absent: Any = object()
_GONE = frozenset((ERROR, CANCELLED, LOST))
_GLANCE = 1.0
"""Seconds that an event loop may be blocked to learn from a worker whether an actor has an attribute."""


class BaseActorFuture(abc.ABC, Awaitable[T], Generic[T]):
    """The future of a call of an actor's method.

    Examples
    --------
    >>> from collections import Counter
    >>> counter = client.submit(Counter, "hello", actor=True).result()
    >>> future = counter.most_common(1)
    >>> isinstance(future, BaseActorFuture)
    True
    >>> future.result(), future.done()
    ([('l', 2)], True)
    """

    __slots__ = ("__weakref__",)

    @abc.abstractmethod
    @at_surface
    def result(self, timeout: float | str | None = None) -> T:
        """Wait for the value that the method returns.

        Parameters
        ----------
        timeout : number, str or None
            How long to wait, in seconds or as ``"500 ms"``.
        """

    @abc.abstractmethod
    def done(self) -> bool:
        """Return whether the method has returned or raised."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class ActorFuture(BaseActorFuture[T]):
    """The future of a call of an actor's method. The value is sent to this process and kept in the future.

    An `ActorFuture` can be awaited and given to `as_completed` and `wait`. It cannot be an argument of a task.

    Examples
    --------
    >>> class Counter:
    ...     n = 0
    ...     def increment(self):
    ...         self.n += 1
    ...         return self.n
    >>> counter = client.submit(Counter, actor=True).result()
    >>> future = counter.increment()
    >>> future.result()
    1
    >>> future
    <ActorFuture: finished, Counter.increment>
    """

    __slots__ = ("_client", "_core", "_state")

    def __init__(self, state: CallState, core: ClientCore | None) -> None:
        self._state = state
        self._core = core
        # Keeps the client open.
        self._client = None if core is None else core.client

    def bound_state(self) -> KeyState:
        """Return the state of the call. For dagrpc itself."""
        return self._state

    @property
    def status(self) -> str:
        """``pending``, ``finished`` or ``error``.

        Examples
        --------
        >>> numbers = client.submit(list, [1, 2], actor=True).result()
        >>> call = numbers.index(3)
        >>> call.result()
        Traceback (most recent call last):
            ...
        ValueError: 3 is not in list
        >>> call.status
        'error'
        """
        return self._state.status

    def done(self) -> bool:
        """Return whether the method has returned or raised.

        Examples
        --------
        >>> numbers = client.submit(list, [1, 2], actor=True).result()
        >>> call = numbers.count(1)
        >>> call.result(), call.done()
        (1, True)
        """
        return self._state.status in DONE

    def result(self, timeout: float | str | None = None) -> T:
        """Wait for the value that the method returns. Returns an awaitable where operations are asynchronous.

        Parameters
        ----------
        timeout : number, str or None
            How long to wait, in seconds or as ``"500 ms"``.

        Raises
        ------
        TimeoutError
            If the value is not there in time.
        OSError
            If the connection to the worker broke. The method may have run all the same.
        Exception
            The exception of the method, with its remote traceback.

        Examples
        --------
        >>> numbers = client.submit(list, [1, 2], actor=True).result()
        >>> numbers.count(1).result(timeout=10)
        1
        """
        operation = self._outcome(Deadline(config.seconds(timeout)))
        if _is_asynchronous(self._core):
            return cast(T, run_awaiting(operation))
        return run_blocking(operation)

    def __await__(self) -> Generator[Any, Any, T]:
        return run_awaiting(self._outcome(Deadline(None))).__await__()

    def _outcome(self, deadline: Deadline) -> Operation[T]:
        state = self._state
        if not (yield Countdown([state], deadline)):
            raise deadline.error(f"{state.key} did not return")
        raise_unless_finished(state)
        if state.value is NOT_DECODED:
            if isinstance(state.payload, ReceivedValue):
                yield RunInThread(self._decode)
            else:
                self._decode()
        value: T = state.value
        return value

    def _decode(self) -> None:
        state, core = self._state, self._core
        payload = state.payload
        if not isinstance(payload, ReceivedValue):
            state.value = inline_value(state, core)
        elif core is None:
            state.value = payloads.decode(payload.entry.encoding, payload.frames)
        else:
            with current.as_current(core.client):
                state.value = payloads.decode(payload.entry.encoding, payload.frames)
        state.payload = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.status}, {self._state.key}>"

    def __reduce__(self) -> Any:
        raise TypeError(f"{self!r} cannot be pickled: send its result or the actor")


class Actor(TaskRef):
    """A proxy of an object that lives on a worker.

    The result of a task that was submitted with ``actor=True`` is an actor. It has the methods of the object; each call
    returns an `ActorFuture` immediately. Reading an attribute waits for the value. An actor can be an argument of tasks
    and of methods of other actors, where it stands for the same object. The object lives until its last future and its
    last proxy are gone, or its worker leaves.

    Parameters
    ----------
    cls : type
        Type of the object.
    address : str
        Address of the worker that holds the object, ``host:port``.
    key : str, bytes, int, float or tuple
        Key of the task that made the object.
    worker : optional
        Accepted for compatibility.

    Examples
    --------
    >>> class Counter:
    ...     n = 0
    ...     def increment(self):
    ...         self.n += 1
    ...         return self.n
    >>> counter = client.submit(Counter, actor=True).result()
    >>> counter
    <Actor: Counter, key=Counter-...>
    >>> counter.increment().result()
    1
    >>> counter.n
    1
    """

    __slots__ = ("__weakref__", "_address", "_cls", "_future", "_wire_key")

    def __init__(self, cls: type, address: str, key: Any, worker: Any = None) -> None:
        self._set(cls, address, key, None)
        client = _holder()
        if client is not None:
            self._hold(client)

    def _set(self, cls: type, address: str, key: Any, future: Future[Any] | None) -> None:
        values = {"_cls": cls, "_address": address, "_future": future, "_wire_key": encode_key(key), "key": key}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def _unheld(cls, kind: type, address: str, key: Any) -> Actor:
        """Return a proxy that does not keep its actor alive."""
        actor = cls.__new__(cls)
        actor._set(kind, address, key, None)
        return actor

    def _hold(self, client: Any) -> None:
        """Keep the actor alive as long as this proxy lives."""
        future: Future[Any] = Future(self.key, client)
        object.__setattr__(self, "_future", future)
        core = core_of(client)
        if running_task.current.get() is not None and not core.loop.inside and future.status not in DONE:
            # The sender of the proxy may release it when this task or call is done. The scheduler has to know by then
            # that this client wants the actor, too.
            core.await_scheduler()

    # --- methods and attributes of the object ------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name in Actor.__slots__:
            raise AttributeError(f"the proxy of an actor is not complete: it has no {name!r} yet")
        found = getattr(self._cls, name, _absent)
        if found is _absent and name.startswith("_"):
            # Libraries look for private attributes in any object: the worker is not asked about them.
            raise AttributeError(f"type object {self._cls.__name__!r} has no attribute {name!r}")
        if callable(found):
            return _Method(self, name, found)
        return self._read(name, found is not _absent)

    @at_surface
    def _read(self, name: str, known: bool) -> Any:
        """Return an attribute, or an awaitable where operations are asynchronous."""
        future = self._call(name, (), {}, read=True)
        if not _is_asynchronous(future._core):
            return future.result()
        if not known:
            self._check_exists(name, future)
        return future

    def _check_exists(self, name: str, future: ActorFuture[Any]) -> None:
        """Block for a moment, even on an event loop, to raise `AttributeError` where a misspelt name is written.

        Only the object itself knows the attributes that its class does not define.
        """
        worker = running_task.any_worker()
        instance = worker.actor_host.instances.get(self._wire_key, _absent) if worker is not None else _absent
        if instance is not _absent:
            getattr(instance, name)
        elif not get_loop().inside:
            with contextlib.suppress(TimeoutError):
                run_blocking(future._outcome(Deadline(_GLANCE)))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"Attributes of an actor cannot be set from outside: set it in a method of {self!r}")

    def _call(
        self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], read: bool, on_loop: bool = False
    ) -> ActorFuture[Any]:
        """Call a method, or read an attribute."""
        future = self._future
        if future is not None and future.status in _GONE:
            raise LostActorError(f"Worker holding Actor was lost.  Status: {future.status}. It was {self!r}")
        state = CallState(f"{self._cls.__name__}.{name}", self._wire_key, name, read, on_loop)
        worker = running_task.any_worker()
        if worker is not None:
            host = worker.actor_host
            if self._wire_key in host.instances:
                host.call_here(state, args, kwargs)
            else:
                _encode(state, args, kwargs)
                state.holder = lambda: core_of(worker.get_client())
                host.caller.send(self._address, state)
            return ActorFuture(state, None)
        if future is None:
            raise RuntimeError(
                f"{self!r} belongs to no client: it was unpickled where there is none. "
                "Unpickle it within `with client.as_current():`"
            )
        core = future._bound_core()
        core.check_open()
        _encode(state, args, kwargs)
        state.holder = lambda: core
        core.session.actor_caller(core.direct).send(self._address, state)
        return ActorFuture(state, core)

    # --- dunder methods ------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Actor) and self.key == other.key and self._address == other._address

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"<Actor: {self._cls.__name__}, key={self.key}>"

    __str__ = __repr__

    def __dir__(self) -> list[str]:
        names = {*object.__dir__(self), *dir(self._cls)}
        return sorted(name for name in names if not name.startswith("_") or name.endswith("__"))

    def __reduce__(self) -> tuple[Any, ...]:
        reference = references.reference(self._wire_key)
        if reference is not None:
            return reference
        if self._future is None and running_task.current.get() is not None:
            # A task passes the proxy on. The actor must still live when the proxy arrives.
            client = _holder()
            if client is not None:
                self._hold(client)
        return Actor, (self._cls, self._address, self.key)

    def __dask_tokenize__(self) -> tuple[str, Any]:
        return "dagrpc.Actor", self.key


class _Method:
    """A method of an actor.

    Besides the method's own arguments it takes ``separate_thread``: with False the method runs on the worker's event
    loop, which saves time for very short methods.
    """

    __slots__ = ("__wrapped__", "_actor", "_name")

    def __init__(self, actor: Actor, name: str, function: Callable[..., Any]) -> None:
        self._actor = actor
        self._name = name
        self.__wrapped__ = function

    def __call__(self, *args: Any, separate_thread: bool = True, **kwargs: Any) -> ActorFuture[Any]:
        return self._actor._call(self._name, args, kwargs, read=False, on_loop=not separate_thread)

    @property
    def __name__(self) -> str:
        return self._name

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return inspect.getdoc(self.__wrapped__)

    def __repr__(self) -> str:
        return f"<method {self._name} of {self._actor!r}>"


def _encode(state: CallState, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Encode the arguments of a call.

    Raises
    ------
    TypeError
        If an argument cannot be pickled.
    """
    if not args and not kwargs:
        return
    try:
        state.arguments = payloads.encode((tuple(args), dict(kwargs)))
    except Exception as error:
        named = [*enumerate(args), *kwargs.items()]
        kinds = ", ".join(f"{name}: {type_name(type(value))}" for name, value in named)
        raise TypeError(
            f"Could not pickle the arguments of {state.key} ({kinds}): {type(error).__name__}: {error}"
        ) from error
    if payloads.may_refer(*state.arguments):
        state.kept = (args, kwargs)


def _holder() -> Any:
    """Return the client that holds unpickled actors here; None if there is none.

    Actors that a worker unpickles outside of tasks are not held, since the code of the worker does not use them.
    """
    if running_task.current.get() is None and current._context.get() is None and running_task.any_worker() is not None:
        return None
    return current.current_client()


def _is_asynchronous(core: ClientCore | None) -> bool:
    """Return whether the caller must not be blocked."""
    return get_loop().inside if core is None else core.asynchronous


def future_of(actor: Actor) -> Future[Any]:
    """Return the future that keeps an actor alive. For dagrpc itself.

    Raises
    ------
    RuntimeError
        If there is no client.
    """
    if actor._future is None:
        client = _holder()
        if client is None:
            raise RuntimeError(f"{actor!r} belongs to no client")
        actor._hold(client)
    future: Future[Any] = actor._future
    return future
