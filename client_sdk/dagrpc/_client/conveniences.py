"""The small parts of a client: starting, running coroutines, files with its address, futures in collections."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Any

from dask._task_spec import convert_legacy_graph
from dask.base import is_dask_collection
from dask.utils import ensure_dict

from dagrpc import config
from dagrpc._client.administration import Administration
from dagrpc._client.options import Duration, Workers, worker_names
from dagrpc._client.waiting import Deadline, Operation, RunOnLoop, run_awaiting, run_blocking
from dagrpc._common.keys import encode_key
from dagrpc._graph.lower import nested_keys
from dagrpc.completion import futures_of
from dagrpc.future import Future


class Conveniences(Administration):
    """What is left of a client. See `Client`."""

    generation = 0
    """How often the client had to connect again; it does so never."""

    def start(self, **kwargs: Any) -> Any:
        """Connect, if that has not been done: an asynchronous client's is to be awaited.

        Examples
        --------
        >>> client = Client(cluster.scheduler_address, asynchronous=True)
        >>> await client.start()
        <Client: '127.0.0.1:...' processes=2 threads=4>
        >>> await client.close()
        """
        if self._asynchronous:
            return self._start_awaiting()
        self._check_open()
        return None

    def sync(
        self,
        func: Callable[..., Any],
        *args: Any,
        asynchronous: bool | None = None,
        callback_timeout: Duration = None,
        **kwargs: Any,
    ) -> Any:
        """Run a coroutine function on the client's event loop.

        Parameters
        ----------
        func : coroutine function
            What to run.
        *args, **kwargs
            Its arguments.
        asynchronous : bool, optional
            Whether to return an awaitable; by default an asynchronous client does.
        callback_timeout : number or str, optional
            How long to wait.

        Raises
        ------
        TimeoutError
            If it takes longer.

        Examples
        --------
        >>> async def answer(): return 42
        >>> client.sync(answer)
        42
        """
        operation = self._coroutine(func, args, kwargs, config.seconds(callback_timeout))
        wants_awaitable = self.asynchronous if asynchronous is None else asynchronous
        return run_awaiting(operation) if wants_awaitable else run_blocking(operation)

    def _coroutine(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], timeout: float | None
    ) -> Operation[Any]:
        async def call() -> Any:
            return await func(*args, **kwargs)

        return (yield RunOnLoop(self._loop, call(), Deadline(timeout), f"{func!r} did not end"))

    def run_coroutine(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a coroutine function on workers: an old name of `run`.

        Examples
        --------
        >>> async def double(x):
        ...     return 2 * x
        >>> client.run_coroutine(double, 21)
        {'127.0.0.1:...': 42, '127.0.0.1:...': 42}
        """
        return self.run(function, *args, **kwargs)

    def futures_of(self, futures: Any) -> list[Future[Any]]:
        """Return the futures in a collection or nested structure. See `dagrpc.futures_of`.

        Examples
        --------
        >>> import dask.array as da
        >>> client.futures_of(client.persist(da.ones(2, chunks=1)))
        [<Future: ..., key: ('ones_like-...', 0)>, <Future: ..., key: ('ones_like-...', 1)>]
        """
        found: list[Future[Any]] = futures_of(futures, client=self)
        return found

    def normalize_collection(self, collection: Any) -> Any:
        """Return a collection in whose graph futures stand for the tasks that this client has on the cluster.

        Submitting does the same, so this is for people who want to look at what is left to do.

        Examples
        --------
        >>> x = dask.delayed(inc)(1)
        >>> future = client.compute(x)
        >>> client.normalize_collection(x).compute()  # waits for the task of `future`
        2
        """
        if not is_dask_collection(collection):
            raise TypeError(f"normalize_collection wants a dask collection, not {collection!r}")
        graph = ensure_dict(collection.__dask_graph__())
        known: dict[Hashable, Any] = {}
        for key in graph:
            state = self._table.acquire(encode_key(key))
            if state is not None:
                known[key] = Future._of(state, self)
        if not known:
            return collection
        rebuild, arguments = collection.__dask_postpersist__()
        return rebuild(_culled(graph, known, nested_keys(collection.__dask_keys__())), *arguments)

    @classmethod
    def get_restrictions(
        cls, collections: Any, workers: Workers | dict[Any, Any], allow_other_workers: Any
    ) -> tuple[dict[Hashable, list[str]], list[Hashable]]:
        """Return which workers may run the tasks of collections, and which tasks others may run, too.

        Examples
        --------
        >>> x = dask.delayed(inc)(1, dask_key_name="x")
        >>> Client.get_restrictions([x], {x: "alice"}, allow_other_workers=False)
        ({'x': ['alice']}, [])
        """
        by_collection = workers if isinstance(workers, dict) else {tuple(collections): workers}
        restrictions: dict[Hashable, list[str]] = {}
        for item, names in by_collection.items():
            for key in _keys(item):
                restrictions.setdefault(key, []).extend(worker_names(names))
        if allow_other_workers is True:
            return restrictions, list(restrictions)
        loose = [key for item in allow_other_workers or () for key in _keys(item)]
        return restrictions, loose

    def write_scheduler_file(self, scheduler_file: str | os.PathLike[str]) -> Any:
        """Write a file by which others find the scheduler: ``Client(scheduler_file=...)``, ``--scheduler-file``.

        Raises
        ------
        ValueError
            If this client has such a file already.

        Examples
        --------
        >>> client.write_scheduler_file("scheduler.json")
        >>> with Client(scheduler_file="scheduler.json") as other:
        ...     other.submit(inc, 1).result()
        2
        """
        if self.scheduler_file:
            raise ValueError("Scheduler file already set")
        self._check_open()
        Path(scheduler_file).write_text(json.dumps(self.scheduler_info(), indent=2))
        self.scheduler_file = str(scheduler_file)
        return self._at_once()


def _keys(item: Any) -> list[Hashable]:
    if is_dask_collection(item):
        return list(nested_keys(item.__dask_keys__()))
    if isinstance(item, tuple) and any(is_dask_collection(part) for part in item):
        return [key for part in item for key in _keys(part)]
    return [item]


def _culled(
    graph: dict[Hashable, Any], known: dict[Hashable, Future[Any]], keys: Iterable[Hashable]
) -> dict[Hashable, Any]:
    """Return the part of a graph that leads to some keys, with futures for what is known."""
    # Tasks in dask's older form, tuples, do not tell what they depend on.
    nodes = convert_legacy_graph(graph)
    needed: dict[Hashable, Any] = {}
    left = list(keys)
    while left:
        key = left.pop()
        if key in needed or key not in graph:
            continue
        if key in known:
            needed[key] = known[key]
        else:
            # One that stands for itself is a future already.
            node = nodes.get(key)
            needed[key] = graph[key] if node is None else node
            left.extend(() if node is None else node.dependencies)
    return needed
