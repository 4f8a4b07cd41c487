"""`submit` and `map`: calls become tasks, and futures are there at once."""

from __future__ import annotations

import queue
import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from dagrpc._client.arguments import encode_arguments, excess, warn_if_large
from dagrpc._client.commands import PART_TASKS, Call, Part
from dagrpc._client.key_table import CANCELLED, KeyState, lock
from dagrpc._client.options import fifo_seconds, submission_options
from dagrpc._client.replace_futures import replace_futures
from dagrpc._client.tokens import PLAIN, call_token, function_name, unique_key
from dagrpc._common.keys import encode_key
from dagrpc._graph.lower import checked_key
from dagrpc.future import Future

if TYPE_CHECKING:
    from dagrpc._client.connection import Connection
    from dagrpc.v1 import graph_pb2

_LOOK_AT = 100_000
"""Smaller tasks are not looked at."""


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
    client._session.drop_released()
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
    pickled = shared.pickled(function)
    if key is None:
        name = function_name(function)
        key = f"{name}-{call_token(pickled.digest, args, kwargs)}" if pure else unique_key(name)
        wire_key = encode_key(key)
        known = client._table.acquire(wire_key)
        if known is not None:
            return Future._of(known, client)
    else:
        wire_key = encode_key(key)
    # Only now: a key that is known is not submitted again, whatever else was given.
    if allow_other_workers and not given.get("workers"):
        raise ValueError("Only use allow_other_workers= if using workers=")
    options = submission_options(given)
    run_spec, apart = encode_arguments(key, pickled, args, kwargs)
    if len(run_spec) > _LOOK_AT:
        warn_if_large(len(run_spec), f"task {key!r}")
    with shared.lock:
        digest = shared.hold_function(pickled) if apart else None
        state, is_new = client._table.create(key, wire_key)
        future = Future._of(state, client)
        if is_new and not _cancelled_with(client, state, dependencies):
            client._session.send(
                Call(wire_key, run_spec, digest, list(dependencies), options, fifo_seconds(fifo_timeout))
            )
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
        (futures, wire_key, future)
        for futures in found
        for wire_key, future in futures.items()
        if future._client is not client and future.status != CANCELLED
    ]
    # The loop must not wait for itself; what a coroutine hands on it will have awaited.
    if not foreign or client._loop.inside:
        return
    for owner in {future._bound_client() for _, _, future in foreign}:
        if owner._session.welcome.scheduler_id != client._session.welcome.scheduler_id:
            raise ValueError(f"A future of another cluster, at {owner._session.address}, cannot be an argument here")
        client._loop.run(owner._session.ping(), client._timeout)
    for futures, wire_key, future in foreign:
        futures[wire_key] = Future(future.key, client)
    client._loop.run(client._session.ping(), client._timeout)


def _cancelled_with(client: Connection, state: KeyState, dependencies: Mapping[str, Future[Any]]) -> bool:
    """Cancel a new key if one of its dependencies is cancelled. Return whether it is."""
    for wire_key, future in dependencies.items():
        if future.status == CANCELLED:
            client._table.cancelled(
                state.wire_key, "lost dependencies", f"It depends on {wire_key!r}, which was cancelled."
            )
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


_Encoded: TypeAlias = tuple[Hashable, str, dict[str, Future[Any]], bytes, bool]
"""A call: its key as users see it and as on the wire, dependencies, run spec, whether its function is not in that."""


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
        # What it is at this moment, whatever happens to it while the calls are being submitted.
        self._function = client._shared.pickled(function)
        self._name = function_name(function)
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
        warn_if_large(self._excess, f"the tasks of a map of {self._name!r}")

    def _submit(self, chunk: Sequence[tuple[Any, ...]], last: bool) -> None:
        function, kwargs, keys = self._function, self._kwargs, self._keys
        prefix = self._prefix or self._name
        encoded: list[_Encoded] = []
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
                key = f"{prefix}-{call_token(function.digest, values, kwargs)}"
            else:
                key = f"{prefix}{self._unique}-{self._count + len(encoded)}"
            encoded.append((key, encode_key(key), dependencies, *encode_arguments(key, function, values, kwargs)))
        adopt(self._client, (dependencies for _, _, dependencies, _, _ in encoded if dependencies))
        self._queue(encoded, last)

    def _queue(self, encoded: Sequence[_Encoded], last: bool) -> None:
        client, shared = self._client, self._client._shared
        part = Part(self._graph_id, self._fifo_timeout, last)
        if self._options is not None:
            part.options.append(self._options)
        options, first = len(part.options), len(self.futures)
        with shared.lock:
            part.shared.append((shared.hold_function(self._function), b""))
            create = client._table.create
            with lock:
                for order, (key, wire_key, dependencies, run_spec, apart) in enumerate(encoded, first):
                    state, is_new = create(key, wire_key)
                    self.futures.append(Future._of(state, client))
                    if is_new and not (dependencies and _cancelled_with(client, state, dependencies)):
                        others, position = list(dependencies) if dependencies else (), (0,) if apart else ()
                        part.add((wire_key, others, run_spec, position, options, order, True))
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
    client._session.drop_released()
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


__all__ = ["map_calls", "submit"]
