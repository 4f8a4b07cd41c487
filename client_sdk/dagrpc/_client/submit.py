"""`submit` and `map`: calls become tasks, and futures are there at once."""

from __future__ import annotations

import queue
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING, Any

from dagrpc._client.arguments import check_size, encode_arguments, excess, replace_futures, warn_if_large
from dagrpc._client.commands import PART_TASKS, Call, Digest, Hold, LetGo, Part
from dagrpc._client.options import fifo_seconds, submission_options
from dagrpc._client.state import CANCELLED, KeyState, lock
from dagrpc._client.tokens import PLAIN, call_token, function_name, unique_key
from dagrpc._codec.tasks import FunctionCache
from dagrpc._graph.lower import checked_key
from dagrpc._util.keys import encode_key
from dagrpc.future import Future

if TYPE_CHECKING:
    from dagrpc._client.connection import Connection
    from dagrpc._client.session import ClientSession
    from dagrpc.v1 import graph_pb2

# What cannot change between two calls; other callables are pickled anew each time.
_LOOK_AT = 100_000
"""Smaller tasks are not looked at."""
_STABLE = frozenset((FunctionType, BuiltinFunctionType, type))


class SharedValues:
    """The shared values that the client has the scheduler hold, counted: functions of calls, parts of graphs."""

    def __init__(self, session: ClientSession) -> None:
        self.lock = threading.RLock()
        """Held from asking for a digest until what refers to it is queued."""
        self._session = session
        self._held: Counter[Digest] = Counter()
        self._functions = FunctionCache()
        self._names: dict[Digest, str] = {}
        session.on_renewal = self.renew

    def renew(self, action: Callable[[], None]) -> None:
        """Begin anew with a scheduler that holds nothing, while nobody refers to anything; and do something else."""
        with self.lock:
            self._held.clear()
            self._functions = FunctionCache()
            self._names.clear()
            action()

    def hold(self, digest: Digest, data: bytes) -> None:
        """Have the scheduler hold a value."""
        with self.lock:
            self._held[digest] += 1
            if self._held[digest] == 1:
                self._session.send(Hold(digest, data))

    def let_go(self, digests: Iterable[Digest]) -> None:
        """Undo `hold`."""
        with self.lock:
            gone = []
            for digest in digests:
                if digest not in self._held:
                    continue
                self._held[digest] -= 1
                if not self._held[digest]:
                    del self._held[digest]
                    gone.append(digest)
            if gone:
                self._session.send(LetGo(gone))

    def function(self, function: Callable[..., Any]) -> tuple[Digest, str]:
        """Return digest and name of a function, which the scheduler holds from now on. Wants the lock to be held.

        Raises
        ------
        TypeError
            If it cannot be pickled.
        """
        digest = self._functions.get(function) if type(function) in _STABLE else None
        if digest is None:
            try:
                digest, data, evicted = self._functions.add(function)
            except Exception as error:
                raise TypeError(
                    f"Could not pickle the function {function_name(function)!r}, "
                    f"a {type(function).__module__}.{type(function).__qualname__}: {type(error).__name__}: {error}"
                ) from error
            if data is not None:
                check_size(len(data), f"the function {function_name(function)!r}")
                warn_if_large(len(data), f"the function {function_name(function)!r} with what it refers to")
                self._names[digest] = function_name(function)
                self.hold(digest, data)
            if evicted:
                self.let_go(evicted)
                for old in evicted:
                    self._names.pop(old, None)
        return digest, self._names[digest]


def submit(
    client: Connection,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    key: Hashable | None,
    pure: bool,
    fifo_timeout: Any,
    allow_other_workers: bool,
    given: Mapping[str, Any],
) -> Future[Any]:
    """Submit one call."""
    if not callable(function):
        raise TypeError("First input to submit must be a callable function")
    client._check_open()
    client._session.settle()
    if key is not None:
        known = client._table.acquire(checked_key(key))
        if known is not None:
            return Future._of(known, client)
    dependencies: dict[str, Future[Any]] = {}
    for value in args:
        if type(value) not in PLAIN:
            args = [replace_futures(item, dependencies) for item in args]
            break
    if kwargs:
        kwargs = {name: replace_futures(value, dependencies) for name, value in kwargs.items()}
    if dependencies:
        adopt(client, (dependencies,))
    shared = client._shared
    if key is None:
        with shared.lock:
            digest, name = shared.function(function)
        key = f"{name}-{call_token(digest, args, kwargs)}" if pure else unique_key(name)
        wire = encode_key(key)
        known = client._table.acquire(wire)
        if known is not None:
            return Future._of(known, client)
    else:
        wire = encode_key(key)
    # Only now: a key that is known is not submitted again, whatever else was given.
    if allow_other_workers and not given.get("workers"):
        raise ValueError("Only use allow_other_workers= if using workers=")
    options = submission_options(given)
    run_spec = encode_arguments(key, function, args, kwargs)
    if len(run_spec) > _LOOK_AT:
        warn_if_large(len(run_spec), f"task {key!r}")
    with shared.lock:
        # Again, for it may have left the cache meanwhile.
        digest, _ = shared.function(function)
        state, is_new = client._table.create(key, wire)
        future = Future._of(state, client)
        if is_new and not _cancelled_with(client, state, dependencies):
            client._session.send(Call(wire, run_spec, digest, list(dependencies), options, fifo_seconds(fifo_timeout)))
    return future


def adopt(client: Connection, found: Iterable[dict[str, Future[Any]]]) -> None:
    """Have a client hold the futures of others among what a submission depends on.

    Each client has a stream of its own to the scheduler, and one does not wait for another. Afterwards the scheduler
    knows the tasks, and that this client wants them.

    Raises
    ------
    ValueError
        If a future is of another cluster.
    """
    foreign = [
        (futures, wire, future)
        for futures in found
        for wire, future in futures.items()
        if future._client is not client and future.status != CANCELLED
    ]
    # The loop must not wait for itself; what a coroutine hands on it will have awaited.
    if not foreign or client._loop.inside:
        return
    for owner in {future._bound_client() for _, _, future in foreign}:
        if owner._session.welcome.scheduler_id != client._session.welcome.scheduler_id:
            raise ValueError(f"A future of another cluster, at {owner._session.address}, cannot be an argument here")
        client._loop.run(owner._session.ping(), client._timeout)
    for futures, wire, future in foreign:
        futures[wire] = Future(future.key, client)
    client._loop.run(client._session.ping(), client._timeout)


def _cancelled_with(client: Connection, state: KeyState, dependencies: Mapping[str, Future[Any]]) -> bool:
    """Cancel a new key if one of its dependencies is cancelled. Return whether it is."""
    for wire, future in dependencies.items():
        if future.status == CANCELLED:
            client._table.cancelled(state.wire, "lost dependencies", f"It depends on {wire!r}, which was cancelled.")
            return True
    return False


def check_iterables(iterables: Sequence[Any]) -> None:
    """Raise `TypeError` unless `map` can map over these."""
    if not iterables:
        raise TypeError("map needs at least one iterable")
    for iterable in iterables:
        if isinstance(iterable, (Iterator, queue.Queue)):
            raise TypeError("Mapping over iterators and queues is not supported: call submit in a loop instead")
        if not hasattr(iterable, "__iter__") and not hasattr(iterable, "__getitem__"):
            raise TypeError(f"Cannot map over {iterable!r}, a {type(iterable).__name__}")


class Mapper:
    """One `map`: the same function for each of several arguments; one graph, sent while it is being made.

    Parameters
    ----------
    client : Client
        Submits it.
    function : callable
        The function.
    kwargs : mapping
        Arguments by name, the same for all calls.
    key : str, sequence or None
        A prefix for the keys, or the keys.
    pure : bool
        Whether equal calls share a key.
    options : TaskOptions or None
        How to run the tasks.
    fifo_timeout : float
        In seconds.
    """

    def __init__(
        self,
        client: Connection,
        function: Callable[..., Any],
        kwargs: Mapping[str, Any],
        *,
        key: str | Sequence[Hashable] | None,
        pure: bool,
        options: graph_pb2.TaskOptions | None,
        fifo_timeout: float,
    ) -> None:
        self._client = client
        self._common: dict[str, Future[Any]] = {}
        """Dependencies of all calls."""
        replaced = {name: replace_futures(value, self._common) for name, value in kwargs.items()}
        self._kwargs: Mapping[str, Any] = replaced
        if kwargs and not self._common:
            # Sent once with the function rather than with each call.
            function, self._kwargs = partial(function, **kwargs), {}
        self._function = function
        self._keys = iter(key) if key is not None and not isinstance(key, str) else None
        self._prefix = key if isinstance(key, str) else None
        self._pure = pure
        self._unique = unique_key("")
        self._options = options
        self._graph_id = uuid.uuid4().hex
        self._fifo_timeout = fifo_timeout
        self._count = 0
        self._excess = 0
        self.futures: list[Future[Any]] = []

    def run(self, arguments: Iterator[tuple[Any, ...]], size: int) -> None:
        """Submit all calls, some at a time."""
        chunk = list(islice(arguments, size))
        while chunk:
            following = list(islice(arguments, size))
            self._submit(chunk, last=not following)
            chunk = following
        warn_if_large(self._excess, f"the tasks of a map of {function_name(self._function)!r}")

    def _submit(self, chunk: Sequence[tuple[Any, ...]], last: bool) -> None:
        shared, kwargs, keys = self._client._shared, self._kwargs, self._keys
        with shared.lock:
            digest, name = shared.function(self._function)
        prefix = self._prefix or name
        encoded: list[tuple[Hashable, str, dict[str, Future[Any]], bytes]] = []
        for args in chunk:
            dependencies = self._common
            values: Sequence[Any] = args
            for value in args:
                if type(value) not in PLAIN:
                    dependencies = dict(dependencies)
                    values = [replace_futures(item, dependencies) for item in args]
                    break
            if keys is not None:
                key = next(keys)
                checked_key(key)
            elif self._pure:
                key = f"{prefix}-{call_token(digest, values, kwargs)}"
            else:
                key = f"{prefix}{self._unique}-{self._count + len(encoded)}"
            encoded.append((key, encode_key(key), dependencies, encode_arguments(key, self._function, values, kwargs)))
        adopt(self._client, (dependencies for _, _, dependencies, _ in encoded if dependencies))
        self._queue(encoded, last)

    def _queue(self, encoded: Sequence[tuple[Hashable, str, dict[str, Future[Any]], bytes]], last: bool) -> None:
        client, shared = self._client, self._client._shared
        part = Part(self._graph_id, self._fifo_timeout, last)
        if self._options is not None:
            part.options.append(self._options)
        position, options, first = (0,), len(part.options), len(self.futures)
        with shared.lock:
            digest, _ = shared.function(self._function)
            part.shared.append((digest, b""))
            create = client._table.create
            with lock:
                for order, (key, wire, dependencies, run_spec) in enumerate(encoded, first):
                    state, is_new = create(key, wire)
                    self.futures.append(Future._of(state, client))
                    if is_new and not (dependencies and _cancelled_with(client, state, dependencies)):
                        part.add(
                            (wire, list(dependencies) if dependencies else (), run_spec, position, options, order, True)
                        )
            self._count += len(encoded)
            self._excess += sum(excess(entry[3]) for entry in encoded)
            if part.tasks or last:
                client._session.send(part)


def map_calls(
    client: Connection,
    function: Callable[..., Any],
    iterables: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    key: str | Iterable[Hashable] | None,
    pure: bool,
    batch_size: int | None,
    fifo_timeout: Any,
    given: Mapping[str, Any],
) -> list[Future[Any]]:
    """Submit a call for each element of some iterables."""
    if not callable(function):
        raise TypeError("First input to map must be a callable function")
    check_iterables(iterables)
    client._check_open()
    client._session.settle()
    calls: Iterator[tuple[Any, ...]] = zip(*iterables, strict=False)
    if key is not None and not isinstance(key, str):
        key = list(key)
        calls = islice(calls, len(key))
    mapper = Mapper(
        client,
        function,
        kwargs,
        key=key,
        pure=pure,
        options=submission_options(given),
        fifo_timeout=fifo_seconds(fifo_timeout),
    )
    size = min(int(batch_size), PART_TASKS) if batch_size else PART_TASKS
    try:
        mapper.run(calls, max(1, size))
    except BaseException:
        # The scheduler keeps the tasks of a graph until its last part has come.
        client._session.send(Part(mapper._graph_id, last=True))
        raise
    return mapper.futures


__all__ = ["SharedValues", "map_calls", "submit"]
