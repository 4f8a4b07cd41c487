"""The verbs of a program, twice: on a cluster, and in plain Python as the oracle.

The oracle states what distributed's users rely on: a submission is what its function and arguments are at that moment,
every task gets a copy of its own of it, and a result is a value of its own each time that it is asked for.
"""

from __future__ import annotations

import functools
import importlib
import io
import os
import pickle
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import Future as ConcurrentFuture
from typing import Any, ClassVar

import cloudpickle
import dask
from dask._task_spec import convert_legacy_graph
from dask.bag import Bag, Item
from dask.core import flatten
from dask.delayed import Delayed
from dask.order import order

from tests.differential.comparing import Outcome, outcome_of

library: Any = importlib.import_module(os.environ.get("PARITY_BACKEND", "dagrpc"))
"""The library that is compared with the oracle: dagrpc, or distributed to test the oracle itself."""
PATIENCE = 60
"""Seconds after which a program counts as hanging."""


class Engine:
    """Base class of both engines; collects the outcomes of a program."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def show(self, handle: Any) -> None:
        """Note the value of a handle, or the exception it ends with."""
        self.outcomes.append(outcome_of(lambda: self.result(handle)))

    def show_as(self, form: Callable[[Any], Any], handle: Any) -> None:
        """Note the result of a function applied to the value of a handle, or note that the handle has failed."""
        outcome = outcome_of(lambda: form(*self.result(handle)))
        self.outcomes.append(outcome if outcome.what == "value" else Outcome("error", None))

    def note(self, value: Any) -> None:
        """Note a value that the program computed without the engine."""
        self.outcomes.append(outcome_of(lambda: value))

    def result(self, handle: Any) -> Any:
        """Return the value of a handle."""
        raise NotImplementedError

    def finish(self) -> None:
        """Release the objects that the program's own names do not hold."""

    def verbs(self) -> dict[str, Any]:
        """Return the names that a program may use."""
        return {name: getattr(self, name) for name in dir(self) if not name.startswith("_")}


class ClusterEngine(Engine):
    """A cluster with two clients."""

    def __init__(self, client: Any, other: Any) -> None:
        super().__init__()
        self._client = client
        self._other = other
        self._executor = client.get_executor(pure=False)

    def submit(self, function: Any, *args: Any, pure: bool = False, **kwargs: Any) -> Any:
        return self._client.submit(function, *args, pure=pure, **kwargs)

    def map_calls(self, function: Any, *iterables: Any, pure: bool = False, **kwargs: Any) -> Any:
        return self._client.map(function, *iterables, pure=pure, **kwargs)

    def execute(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        return self._executor.submit(function, *args, **kwargs)

    def get(self, graph: Mapping[Any, Any], keys: list[Any]) -> Any:
        return self._client.get(graph, keys, sync=False)

    def start(self, *collections: Any) -> Any:
        """Begin to compute collections."""
        return self._client.compute(list(collections))

    def start_elsewhere(self, *collections: Any) -> Any:
        """Begin to compute collections for another client."""
        return self._other.compute(list(collections))

    def persist(self, collection: Any) -> Any:
        return self._client.persist(collection)

    def scatter(self, value: Any) -> Any:
        return self._client.scatter([value])[0]

    def through_queue(self, handle: Any) -> Any:
        """Return a future that another client took from a queue."""
        queue = library.Queue("differential", client=self._client)
        queue.put(handle, timeout=PATIENCE)
        return library.Queue("differential", client=self._other).get(timeout=PATIENCE)

    def through_variable(self, handle: Any) -> Any:
        """Return a future that another client took from a variable."""
        variable = library.Variable("differential", client=self._client)
        variable.set(handle, timeout=PATIENCE)
        return library.Variable("differential", client=self._other).get(timeout=PATIENCE)

    def finish(self) -> None:
        library.Variable("differential", client=self._client).delete()

    def kill_worker(self, number: int) -> None:
        """End the process of a worker; its nanny starts another one."""
        self._client.wait_for_workers(1, timeout=PATIENCE)
        pids = sorted(self._client.run(os.getpid).values())
        os.kill(pids[number % len(pids)], signal.SIGKILL)

    def restart(self) -> None:
        """Restart all workers."""
        self._client.restart(timeout=PATIENCE)

    def result(self, handle: Any) -> Any:
        if isinstance(handle, (list, tuple)):
            return [self.result(item) for item in handle]
        if isinstance(handle, (library.Future, ConcurrentFuture)):
            return handle.result(timeout=PATIENCE)
        return handle


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles what a submission may contain, cached functions of the program among it, which cloudpickle refuses."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, functools._lru_cache_wrapper):
            return _cached, (value.__wrapped__, value.cache_parameters())
        return super().reducer_override(value)


def _cached(function: Any, parameters: dict[str, Any]) -> Any:
    return functools.lru_cache(**parameters)(function)


def _dumps(call: Any) -> bytes:
    file = io.BytesIO()
    _Pickler(file).dump(call)
    return file.getvalue()


class Handle:
    """A task of the oracle: a pickle of function and arguments, and of its result once it was asked for."""

    def __init__(self, call: tuple[Any, Any, Any]) -> None:
        self._pickle = _dumps(call)
        self._result: tuple[bool, bytes] | None = None

    def result(self) -> Any:
        """Run the call, once, and return a copy of its result."""
        if self._result is None:
            function, args, kwargs = pickle.loads(self._pickle)
            try:
                self._result = True, cloudpickle.dumps(function(*args, **kwargs))
            except Exception as error:
                self._error = error
                self._result = False, b""
        if not self._result[0]:
            raise self._error
        return pickle.loads(self._result[1])

    def __reduce__(self) -> Any:
        # Among the arguments of another task it stands for its result.
        return _result_of, (_Reference.to(self),)


class _Reference:
    """Names a handle inside a pickle, which must not run it yet."""

    handles: ClassVar[dict[int, Handle]] = {}

    @classmethod
    def to(cls, handle: Handle) -> int:
        cls.handles[id(handle)] = handle
        return id(handle)


def _result_of(identity: int) -> Any:
    return _Reference.handles[identity].result()


class OracleEngine(Engine):
    """Plain Python, and dask's own scheduler in this thread."""

    def submit(self, function: Any, *args: Any, pure: bool = False, **kwargs: Any) -> Handle:
        return Handle((function, args, kwargs))

    def execute(self, function: Any, *args: Any, **kwargs: Any) -> Handle:
        return Handle((function, args, kwargs))

    def map_calls(self, function: Any, *iterables: Any, pure: bool = False, **kwargs: Any) -> list[Handle]:
        return [Handle((function, args, kwargs)) for args in zip(*iterables, strict=False)]

    def get(self, graph: Mapping[Any, Any], keys: list[Any]) -> list[Handle]:
        nodes = convert_legacy_graph(graph)
        handles: dict[Any, Handle] = {}
        ranks = order(nodes)
        for key in sorted(nodes, key=ranks.__getitem__):
            node = nodes[key]
            needed = {name: handles[name] for name in node.dependencies}
            handles[key] = Handle((_run_node, (node, needed), {}))
        return [handles[key] for key in keys]

    def start(self, *collections: Any) -> list[Handle]:
        return [self._started(collection) for collection in collections]

    def _started(self, collection: Any) -> Handle:
        # Task by task, since dask's own scheduler lets tasks see what others did to what they share.
        if isinstance(collection, Delayed):
            return self.get(dict(collection.__dask_graph__()), [collection.key])[0]
        if isinstance(collection, (Bag, Item)):
            (optimized,) = dask.optimize(collection)
            parts = self.get(dict(optimized.__dask_graph__()), list(flatten(optimized.__dask_keys__())))
            finish, arguments = collection.__dask_postcompute__()
            return Handle((finish, (parts, *arguments), {}))
        return Handle((_compute, (collection,), {}))

    start_elsewhere = start

    def persist(self, collection: Any) -> Any:
        return collection

    def scatter(self, value: Any) -> Handle:
        return Handle((_identity, (value,), {}))

    def through_queue(self, handle: Handle) -> Handle:
        return handle

    through_variable = through_queue

    def kill_worker(self, number: int) -> None:
        """Nothing to do."""

    def restart(self) -> None:
        """Nothing to do."""

    def result(self, handle: Any) -> Any:
        if isinstance(handle, (list, tuple)):
            return [self.result(item) for item in handle]
        return handle.result() if isinstance(handle, Handle) else handle


def _run_node(node: Any, needed: Mapping[Any, Any]) -> Any:
    return node(needed)


def _compute(collection: Any) -> Any:
    return collection.compute(scheduler="synchronous")


def _identity(value: Any) -> Any:
    return value
