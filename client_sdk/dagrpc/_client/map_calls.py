"""The calls of one `Client.map`: one graph, sent in parts while it is being made."""

from __future__ import annotations

import queue
import uuid
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeAlias

from dagrpc._client.adopt_futures import adopt_futures, cancelled_with_inputs
from dagrpc._client.arguments import encode_arguments, excess, warn_if_large
from dagrpc._client.call_tokens import PLAIN, call_token, function_name, unique_key
from dagrpc._client.client_core import ClientCore
from dagrpc._client.commands import Part
from dagrpc._client.key_table import lock
from dagrpc._client.replace_futures import replace_futures
from dagrpc._common.keys import encode_key
from dagrpc._graph.lower import checked_key
from dagrpc.future import Future
from dagrpc.v1 import graph_pb2


def check_iterables(iterables: Sequence[Any]) -> None:
    """Raise `TypeError` unless `Client.map` can map over all iterables."""
    if not iterables:
        raise TypeError("map needs at least one iterable")
    for iterable in iterables:
        if isinstance(iterable, (Iterator, queue.Queue)):
            raise TypeError("Mapping over iterators and queues is not supported: call submit in a loop instead")
        if not hasattr(iterable, "__iter__") and not hasattr(iterable, "__getitem__"):
            raise TypeError(f"Cannot map over {iterable!r}, a {type(iterable).__name__}")


_Encoded: TypeAlias = tuple[Hashable, str, dict[str, Future[Any]], bytes, bool]
"""A call: key, wire key, dependencies, run spec, and whether its function travels apart from the run spec."""


class Mapper:
    """Submits one function for several arguments.

    `key` is a prefix for the keys, or the keys. `pure` says whether equal calls share a key. `fifo_timeout` is in
    seconds.
    """

    def __init__(
        self,
        core: ClientCore,
        function: Callable[..., Any],
        kwargs: Mapping[str, Any],
        *,
        key: str | Sequence[Hashable] | None,
        pure: bool,
        options: graph_pb2.TaskOptions | None,
        fifo_timeout: float,
    ) -> None:
        self._core = core
        self._common: dict[str, Future[Any]] = {}
        """Dependencies of all calls."""
        replaced = {name: replace_futures(value, self._common) for name, value in kwargs.items()}
        self._kwargs: Mapping[str, Any] = replaced
        if kwargs and not self._common:
            # Sent once with the function rather than with each call.
            function, self._kwargs = partial(function, **kwargs), {}
        # Pickled now: the function may change while the calls are being submitted.
        self._function = core.shared.pickled(function)
        self._name = function_name(function)
        self._keys = iter(key) if key is not None and not isinstance(key, str) else None
        self._prefix = key if isinstance(key, str) else None
        self._pure = pure
        self._unique = unique_key("")
        self._options = options
        self.graph_id = uuid.uuid4().hex
        self._fifo_timeout = fifo_timeout
        self._count = 0
        self._excess = 0
        self.futures: list[Future[Any]] = []

    def run(self, arguments: Iterator[tuple[Any, ...]], size: int) -> None:
        """Submit all calls, `size` at a time."""
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
        adopt_futures(self._core, (dependencies for _, _, dependencies, _, _ in encoded if dependencies))
        self._queue(encoded, last)

    def _queue(self, encoded: Sequence[_Encoded], last: bool) -> None:
        core, shared, client = self._core, self._core.shared, self._core.client
        part = Part(self.graph_id, self._fifo_timeout, last)
        if self._options is not None:
            part.options.append(self._options)
        options, first = len(part.options), len(self.futures)
        with shared.lock:
            part.shared.append((shared.hold_function(self._function), b""))
            create = core.table.create
            with lock:
                for order, (key, wire_key, dependencies, run_spec, apart) in enumerate(encoded, first):
                    state, is_new = create(key, wire_key)
                    self.futures.append(Future._of(state, core, client))
                    if is_new and not (dependencies and cancelled_with_inputs(core, state, dependencies)):
                        others, position = list(dependencies) if dependencies else (), (0,) if apart else ()
                        part.add((wire_key, others, run_spec, position, options, order, True))
            self._count += len(encoded)
            self._excess += sum(excess(entry[3]) for entry in encoded)
            if part.tasks or last:
                core.session.send(part)
